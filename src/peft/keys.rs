//! Names of stored tensors, taken apart: which module, and which part of its adapter. PEFT's, kohya's, and those of
//! older diffusers. Knows nothing of values.

use crate::order::{places, taken};

/// What a stored tensor is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    A,
    B,
    /// AdaLoRA's diagonal.
    E,
    /// Bias of lora_B.
    Bias,
    /// DoRA's magnitude per output.
    Magnitude,
    EmbeddingA,
    EmbeddingB,
    /// kohya's, a single number.
    Alpha,
    /// The base's own weight, saved along with an embedding's adapter.
    StoredBase,
}

/// Whose names these are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Peft,
    /// Module names with every dot an underscore.
    Kohya,
}

/// Endings, longest first where one ends in another.
const ENDINGS: &[(&str, Part, Style)] = &[
    (".lora_A.weight", Part::A, Style::Peft),
    (".lora_B.weight", Part::B, Style::Peft),
    (".lora_B.bias", Part::Bias, Style::Peft),
    (".lora_A.default.weight", Part::A, Style::Peft),
    (".lora_B.default.weight", Part::B, Style::Peft),
    (".lora_magnitude_vector.weight", Part::Magnitude, Style::Peft),
    (".lora_magnitude_vector", Part::Magnitude, Style::Peft),
    (".lora_embedding_A", Part::EmbeddingA, Style::Peft),
    (".lora_embedding_B", Part::EmbeddingB, Style::Peft),
    (".lora_A", Part::A, Style::Peft),
    (".lora_B", Part::B, Style::Peft),
    (".lora_E", Part::E, Style::Peft),
    (".base_layer.weight", Part::StoredBase, Style::Peft),
    (".lora_down.weight", Part::A, Style::Kohya),
    (".lora_up.weight", Part::B, Style::Kohya),
    (".lora.down.weight", Part::A, Style::Kohya),
    (".lora.up.weight", Part::B, Style::Kohya),
    (".alpha", Part::Alpha, Style::Kohya),
];

/// What PEFT puts before every module's name.
pub const PREFIX: &str = "base_model.model.";
/// What stands before names of tensors that all modules share.
pub const SHARED: &str = "base_model.";

/// Module, part and style of a tensor of an adapter; `None` for others.
pub fn split(key: &str) -> Option<(&str, Part, Style)> {
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    ENDINGS.iter().find_map(|&(ending, part, style)| name.strip_suffix(ending).map(|module| (module, part, style)))
}

/// Name of a weight saved whole, as `modules_to_save` and trained biases are; `None` for others.
pub fn whole(key: &str) -> Option<&str> {
    let name = key.strip_prefix(PREFIX)?;
    let known = name.ends_with(".weight") || name.ends_with(".bias");
    (known && !name.contains("lora_") && !name.contains(".token_adapter.")).then_some(name)
}

/// Things with names of modules, in the order in which a person counts: layer 2 before layer 10.
pub fn in_order<T>(list: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let keys: Vec<_> = list.iter().map(|one| counted(name(one))).collect();
    taken(list, &places(keys.len(), &|a, b| keys[a].cmp(&keys[b])))
}

/// Names of modules in that order, none twice.
pub fn distinct_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names = in_order(names.collect(), |name| name);
    names.dedup();
    names
}

/// A name as its texts and the numbers that follow them.
fn counted(name: &str) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    let (mut text, mut digits) = (String::new(), String::new());
    for c in name.chars().chain(['.']) {
        if c.is_ascii_digit() && digits.len() < 19 {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            // At most 19 digits, which u64 holds.
            out.push((std::mem::take(&mut text), digits.parse().unwrap_or(u64::MAX)));
            digits.clear();
        }
        text.push(c);
    }
    out.push((text, 0));
    out
}

/// kohya's prefixes before a flattened name.
const FLAT_PREFIXES: &[&str] =
    &["lora_unet_", "lora_te1_", "lora_te2_", "lora_te3_", "lora_te_", "lora_transformer_", "lora_"];

/// A flattened name without its prefix.
pub fn unprefixed(name: &str) -> &str {
    FLAT_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_apart() {
        assert_eq!(split("base_model.model.a.q.lora_A.weight"), Some(("a.q", Part::A, Style::Peft)));
        assert_eq!(split("base_model.model.a.q.lora_E"), Some(("a.q", Part::E, Style::Peft)));
        assert_eq!(split("unet.q.lora_B.default.weight"), Some(("unet.q", Part::B, Style::Peft)));
        assert_eq!(split("lora_unet_q.lora_down.weight"), Some(("lora_unet_q", Part::A, Style::Kohya)));
        assert_eq!(split("lora_unet_q.alpha"), Some(("lora_unet_q", Part::Alpha, Style::Kohya)));
        assert_eq!(split("base_model.model.lm_head.weight"), None);
        assert_eq!(whole("base_model.model.lm_head.weight"), Some("lm_head.weight"));
        assert_eq!(whole("base_model.model.q.lora_kasa.weight"), None);
        assert_eq!(whole("lm_head.weight"), None);
        assert_eq!(unprefixed("lora_te1_text_model_0"), "text_model_0");
    }

    #[test]
    fn layers_are_counted() {
        let names = vec!["l.10.q", "l.2.v", "l.2.q", "l", "l.99999999999999999999999.q", "l.2"];
        let sorted = in_order(names, |name| name);
        assert_eq!(sorted, ["l", "l.2", "l.2.q", "l.2.v", "l.10.q", "l.99999999999999999999999.q"]);
    }
}
