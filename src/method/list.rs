//! The methods and modifiers that there are, in the order in which they are offered. A new method is one file and one line
//! here.

use super::adalora::ADALORA;
use super::description::Method;
use super::dora::DORA;
use super::dylora::DYLORA;
use super::full::FULL;
use super::lora::LORA;
use super::modifier::description::Modifier;
use super::modifier::{
    balance::LOAD_BALANCE,
    flex::FLEX,
    lora_plus::LORA_PLUS,
    orthogonality::ORTHOGONALITY,
    per_layer::{EXPERTS_PER_LAYER, RANK_PER_LAYER},
    pissa::PISSA,
    quantised::QUANTISED,
    router::ROUTER,
};
use super::molora::MOLORA;
use super::mor1e::MOR1E;
use super::mora::MORA;
use crate::args::Setting;

pub static METHODS: &[&Method] = &[&FULL, &LORA, &MOLORA, &MOR1E, &DORA, &MORA, &ADALORA, &DYLORA];

static MODIFIERS: &[&Modifier] = &[
    &LOAD_BALANCE,
    &LORA_PLUS,
    &ROUTER,
    &ORTHOGONALITY,
    &FLEX,
    &PISSA,
    &QUANTISED,
    &EXPERTS_PER_LAYER,
    &RANK_PER_LAYER,
];

/// What a lane is whose document names no method, and what a new lane begins as.
pub static USUAL: &Method = &LORA;

/// The method of that name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().copied().find(|method| method.name == name)
}

/// The modifiers that a method has.
pub fn modifiers(method: &Method) -> impl Iterator<Item = &'static Modifier> {
    MODIFIERS.iter().copied().filter(|modifier| modifier.applies_to.contains(&method.name))
}

/// Every setting of a method, its modifiers' after its own.
pub fn settings(method: &'static Method) -> Vec<&'static Setting> {
    method.settings.iter().chain(modifiers(method).flat_map(|modifier| modifier.settings)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_thing_each() {
        for (i, method) in METHODS.iter().enumerate() {
            assert!(METHODS[..i].iter().all(|other| other.name != method.name && other.title != method.title));
            let all = settings(method);
            for (j, setting) in all.iter().enumerate() {
                let word = |other: &&&Setting| {
                    other.key == setting.key || !other.link.is_empty() && other.link == setting.link
                };
                assert!(all[..j].iter().find(word).is_none(), "{} {}", method.name, setting.key);
                assert!(
                    !setting.why.is_empty() || setting.key == "rank" || setting.key == "experts",
                    "{}",
                    setting.key
                );
            }
        }
        for modifier in MODIFIERS {
            assert!(modifier.applies_to.iter().all(|name| find(name).is_some()), "{}", modifier.name);
        }
    }
}
