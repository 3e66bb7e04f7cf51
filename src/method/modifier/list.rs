//! The modifiers that there are, and what a method has with them: every setting of a lane.

use super::balance::LOAD_BALANCE;
use super::description::Modifier;
use super::flex::FLEX;
use super::lora_plus::LORA_PLUS;
use super::orthogonality::ORTHOGONALITY;
use super::per_layer::{EXPERTS_PER_LAYER, RANK_PER_LAYER};
use super::pissa::PISSA;
use super::quantised::QUANTISED;
use super::router::ROUTER;
use crate::args::Setting;
use crate::method::description::Method;

pub static MODIFIERS: &[&Modifier] = &[
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

/// The modifiers that a method has.
pub fn modifiers(method: &Method) -> impl Iterator<Item = &'static Modifier> {
    MODIFIERS.iter().copied().filter(|modifier| modifier.applies_to.contains(&method.name))
}

/// Every setting of a method, its modifiers' after its own.
pub fn settings(method: &'static Method) -> Vec<&'static Setting> {
    method.settings.iter().chain(modifiers(method).flat_map(|modifier| modifier.settings)).collect()
}
