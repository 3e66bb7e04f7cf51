//! Names of stored tensors, taken apart: which module, and which part of its adapter. PEFT's, kohya's, LyCORIS's, mlx's, and those
//! of old and new diffusers; each name is read by itself. Knows nothing of values.

use super::names::unwrapped;
use crate::lang::marked;
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
    /// LyCORIS's, per output or per input.
    DoraScale,
    EmbeddingA,
    EmbeddingB,
    /// The core of a convolution in Tucker's form.
    Core,
    /// mlx's factors, stored the other way round.
    TurnedA,
    TurnedB,
    /// kohya's, a single number.
    Alpha,
    /// The base's own weight, saved along with an embedding's adapter.
    StoredBase,
}

/// Where an adapter's scalings and settings are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// In adapter_config.json.
    #[default]
    Peft,
    /// In the tensors' own file: kohya's, diffusers', ComfyUI's.
    Plain,
}

/// Components of a name that say that a part of an adapter follows, which, and whether the adapter's own name may stand behind.
const MARKS: &[(&str, Part, bool)] = &[
    ("lora_A", Part::A, true),
    ("lora_B", Part::B, true),
    ("lora_E", Part::E, true),
    ("lora_embedding_A", Part::EmbeddingA, true),
    ("lora_embedding_B", Part::EmbeddingB, true),
    ("lora_magnitude_vector", Part::Magnitude, true),
    ("lora_down", Part::A, false),
    ("lora_up", Part::B, false),
    ("lora_mid", Part::Core, false),
    ("lora_a", Part::TurnedA, false),
    ("lora_b", Part::TurnedB, false),
    ("alpha", Part::Alpha, false),
    ("dora_scale", Part::DoraScale, false),
];

/// Components in front of "down" and "up" in names of diffusers.
const CARRIERS: &[&str] = &["lora", "lora_linear_layer"];

/// Modules as the first attention processors call them, and as attention calls them.
const PROCESSED: &[(&str, &str, &str)] = &[
    // diffusers' attention, and CLIP's.
    ("to_q_lora", "to_q", "q_proj"),
    ("to_k_lora", "to_k", "k_proj"),
    ("to_v_lora", "to_v", "v_proj"),
    ("to_out_lora", "to_out.0", "out_proj"),
    ("add_k_proj_lora", "add_k_proj", "add_k_proj"),
    ("add_v_proj_lora", "add_v_proj", "add_v_proj"),
];

/// What PEFT puts before every module's name.
pub const PREFIX: &str = "base_model.model.";
/// What stands before names of tensors that all modules share.
pub const SHARED: &str = "base_model.";

/// Module and part of a tensor of an adapter; `None` for others.
pub fn split(key: &str) -> Option<(String, Part)> {
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    if let Some(module) = name.strip_suffix(".base_layer.weight") {
        return Some((unwrapped_module(module), Part::StoredBase));
    }
    let parts: Vec<&str> = name.split('.').collect();
    let is_mark = |part: &&str| MARKS.iter().any(|(mark, ..)| mark == part);
    if let Some(at) = parts.iter().rposition(is_mark).filter(|&at| at > 0) {
        let &(_, part, named) = MARKS.iter().find(|(mark, ..)| *mark == parts[at])?;
        let part = match (part, &parts[at + 1..]) {
            (part, [] | ["weight"]) => part,
            (Part::B, ["bias"]) => Part::Bias,
            (Part::B, [_, "bias"]) if named => Part::Bias,
            (part, [_] | [_, "weight"]) if named => part,
            _ => return None,
        };
        return Some((module(&parts[..at]), part));
    }
    let (which, parts) = match parts.as_slice() {
        [before @ .., which @ ("down" | "up"), "weight"] => (*which, before),
        _ => return None,
    };
    let carried = parts.last().is_some_and(|last| CARRIERS.contains(last) || processed(last).is_some());
    (carried && parts.len() > 1).then(|| (module(parts), if which == "down" { Part::A } else { Part::B }))
}

fn processed(part: &str) -> Option<(&'static str, &'static str)> {
    PROCESSED.iter().find(|(name, ..)| *name == part).map(|&(_, attention, clip)| (attention, clip))
}

/// A module's name from components that may end in what only carried its adapter.
fn module(parts: &[&str]) -> String {
    let Some((last, before)) = parts.split_last() else {
        return String::new();
    };
    if CARRIERS.contains(last) && !before.is_empty() {
        return unwrapped_module(&before.join("."));
    }
    if let Some((attention, clip)) = processed(last) {
        let before = if before.last() == Some(&"processor") { &before[..before.len() - 1] } else { before };
        let name = if before.last() == Some(&"self_attn") { clip } else { attention };
        return format!("{}.{name}", unwrapped_module(&before.join(".")));
    }
    unwrapped_module(&parts.join("."))
}

/// Layers of experts keep their "base_layer": it says which of their parameters is meant.
fn unwrapped_module(name: &str) -> String {
    let depth = name.split('.').rev().take_while(|part| *part == "base_layer").count();
    format!("{}{}", unwrapped(name), ".base_layer".repeat(depth))
}

/// What a tensor that is not part of factors is to the weight of that name in the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It takes its place.
    Replaces,
    /// It is added to it.
    Adds,
    /// Its rows take the places of some of the rows.
    Rows,
    /// It is the base's own, stored along with the adapter.
    Base,
}

/// Name of a weight that is saved whole, as `modules_to_save`, trained biases and differences are; `None` for others. `all`
/// where every weight of the file is one, whatever its name.
pub fn whole(key: &str, all: bool) -> Option<(String, Held)> {
    let stripped = key.strip_prefix(PREFIX);
    let name = stripped.unwrap_or(key);
    for (ending, of) in [(".diff", ".weight"), (".diff_b", ".bias"), (".w_norm", ".weight"), (".b_norm", ".bias")] {
        if let Some(module) = name.strip_suffix(ending) {
            return Some((format!("{}{of}", unwrapped(module)), Held::Adds));
        }
    }
    let mut parts: Vec<&str> = name.split('.').collect();
    if let Some(at) =
        parts.iter().position(|part| *part == "trainable_tokens_delta" || *part == "trainable_tokens_original")
    {
        let held = if parts[at] == "trainable_tokens_delta" { Held::Rows } else { Held::Base };
        let before = parts[..at].strip_suffix(&["token_adapter"]).unwrap_or(&parts[..at]);
        return (!before.is_empty()).then(|| (format!("{}.weight", unwrapped(&before.join("."))), held));
    }
    let marked = parts.iter().position(|part| *part == "modules_to_save");
    if let Some(at) = marked {
        // The adapter's own name follows, unless the tensor does.
        let named = usize::from(parts.len() > at + 2);
        parts.drain(at..at + 1 + named);
    }
    let is_base = parts.contains(&"original_module") || parts.contains(&"token_adapter");
    let known = matches!(parts.last(), Some(&"weight" | &"bias")) && parts.len() > 1;
    let of_lora = parts.iter().any(|part| part.contains("lora_"));
    let known = known && !of_lora && (stripped.is_some() || marked.is_some() || all || is_base);
    let held = if is_base { Held::Base } else { Held::Replaces };
    known.then(|| (unwrapped(&parts.join(".")), held))
}

/// Endings of methods that others' files hold and nothing here computes, by what they are.
const OTHERS: &[(&str, &str)] = &[
    ("hada_", marked!("LoHa of LyCORIS")),
    ("lokr_", marked!("LoKr of LyCORIS")),
    ("oft_", "OFT"),
    ("boft_", "BOFT"),
    ("ia3_", "IA3"),
    ("on_input", marked!("IA3 of LyCORIS")),
    ("glora_", marked!("GLoRA of LyCORIS")),
    ("a1", marked!("GLoRA of LyCORIS")),
    ("b1", marked!("GLoRA of LyCORIS")),
    ("set_weight", marked!("a weight set by ComfyUI")),
    ("reshape_weight", marked!("a shape set by ComfyUI")),
    ("lora_latent_mapping", marked!("EVA or another variant of PEFT's")),
];

/// What a tensor's name says that it is, for `lang::said`, where it is known to be of a method that cannot be computed here.
pub fn of_other(key: &str) -> Option<&'static str> {
    let mut last = key.rsplit('.').filter(|part| *part != "weight").take(2);
    last.find_map(|part| OTHERS.iter().find(|(begins, _)| part.starts_with(begins)).map(|&(_, what)| what))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_apart() {
        for (key, module, part) in [
            ("base_model.model.a.q.lora_A.weight", "a.q", Part::A),
            ("base_model.model.a.q.lora_E", "a.q", Part::E),
            ("base_model.model.a.q.lora_B.bias", "a.q", Part::Bias),
            ("unet.q.lora_B.default.weight", "unet.q", Part::B),
            ("a.lora_embedding_A.policy", "a", Part::EmbeddingA),
            ("a.lora_magnitude_vector.policy.weight", "a", Part::Magnitude),
            ("lora_unet_q.lora_down.weight", "lora_unet_q", Part::A),
            ("lora_unet_q.alpha", "lora_unet_q", Part::Alpha),
            ("a.attn1.processor.to_out_lora.up.weight", "a.attn1.to_out.0", Part::B),
            ("a.self_attn.to_q_lora.down.weight", "a.self_attn.q_proj", Part::A),
            ("a.q_proj.lora_linear_layer.down.weight", "a.q_proj", Part::A),
            ("a._orig_mod.q.lora_a", "a.q", Part::TurnedA),
            ("e.experts.base_layer.lora_A.weight", "e.experts.base_layer", Part::A),
            ("e.embed.base_layer.weight", "e.embed", Part::StoredBase),
        ] {
            assert_eq!(split(key), Some((module.to_owned(), part)), "{key}");
        }
        for key in
            ["base_model.model.lm_head.weight", "a.down.weight", "alpha", "q.lora_down.x.weight", "q.lora_A.x.y.weight"]
        {
            assert_eq!(split(key), None, "{key}");
        }
    }

    #[test]
    fn weights_held_whole_are_told_from_the_bases() {
        let held = |key: &str| whole(key, false);
        let of = |name: &str, held| Some((name.to_owned(), held));
        assert_eq!(held("base_model.model.lm_head.weight"), of("lm_head.weight", Held::Replaces));
        assert_eq!(held("a.modules_to_save.mine.dense.weight"), of("a.dense.weight", Held::Replaces));
        assert_eq!(held("base_model.model.s.modules_to_save.weight"), of("s.weight", Held::Replaces));
        assert!(held("base_model.model.s.original_module.weight").is_some_and(|(_, held)| held == Held::Base));
        assert_eq!(held("base_model.model.q.base_layer.bias"), of("q.bias", Held::Replaces));
        assert_eq!(held("e.token_adapter.trainable_tokens_delta"), of("e.weight", Held::Rows));
        assert_eq!(held("diffusion_model.n.diff_b"), of("diffusion_model.n.bias", Held::Adds));
        assert_eq!(held("base_model.model.q.lora_kasa.weight"), None);
        assert_eq!(held("lm_head.weight"), None);
        assert_eq!(of_other("lora_unet_q.hada_w1_a"), Some("LoHa of LyCORIS"));
    }

    #[test]
    fn layers_are_counted() {
        let names = vec!["l.10.q", "l.2.v", "l.2.q", "l", "l.99999999999999999999999.q", "l.2"];
        let sorted = in_order(names, |name| name);
        assert_eq!(sorted, ["l", "l.2", "l.2.q", "l.2.v", "l.10.q", "l.99999999999999999999999.q"]);
    }
}
