//! What of a name says where in a model a module is, and what is only a wrapper around it: names of adapters and of their bases
//! become comparable. Knows no tensors.
//!
//! Nothing is ever matched by its ending alone: layer 0 of a vision tower ends as layer 0 of the text model does.

/// Which of a pipeline's models a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The name does not say.
    Unsaid,
    /// The one that makes the picture.
    Main,
    Second,
    /// Text encoders, counted from 1.
    Encoder(u8),
}

use Component::{Encoder, Main, Second};

/// What stands before names of a pipeline's parts, longest first where one begins another.
const COMPONENTS: &[(&str, Component)] = &[
    ("model.diffusion_model.", Main),
    ("diffusion_model.", Main),
    ("unet.", Main),
    ("transformer_2.", Second),
    ("transformer.", Main),
    ("dit.", Main),
    ("net.", Main),
    ("text_encoder.", Encoder(1)),
    ("text_encoder_2.", Encoder(2)),
    ("text_encoder_3.", Encoder(3)),
    ("te1.", Encoder(1)),
    ("te2.", Encoder(2)),
    ("te3.", Encoder(3)),
    ("cond_stage_model.transformer.", Encoder(1)),
    ("cond_stage_model.model.", Encoder(1)),
    ("conditioner.embedders.0.transformer.", Encoder(1)),
    ("conditioner.embedders.0.model.", Encoder(1)),
    ("conditioner.embedders.1.transformer.", Encoder(2)),
    ("conditioner.embedders.1.model.", Encoder(2)),
    ("text_encoders.clip_l.transformer.", Encoder(1)),
    ("text_encoders.clip_g.transformer.", Encoder(2)),
    ("text_encoders.t5xxl.transformer.", Encoder(3)),
];

/// The same in kohya's flattened names.
const FLAT: &[(&str, Component)] = &[
    ("lora_unet_", Main),
    ("lora_transformer_", Main),
    ("lycoris_", Main),
    ("lora_te1_", Encoder(1)),
    ("lora_te2_", Encoder(2)),
    ("lora_te3_", Encoder(3)),
    ("lora_te_", Encoder(1)),
    ("lora_", Component::Unsaid),
];

/// Components that training tools wrap around a module, anywhere in a name.
const WRAPPERS: &[&str] = &[
    "_checkpoint_wrapped_module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_forward_module",
    "_ddp_module",
    "base_layer",
];

/// Roots that a bare checkpoint's names lack, or those of a model with a head have in front.
const ROOTS: &[&str] = &["base_model.model.", "module.", "model.", "language_model.", "transformer."];

/// Roots that are a kind of model's own: one of them never stands for another.
const OWN_ROOTS: &[&str] = &[
    "gpt_neox.",
    "backbone.",
    "bert.",
    "roberta.",
    "deberta.",
    "distilbert.",
    "electra.",
    "albert.",
    "xlm_roberta.",
    "esm.",
    "vit.",
    "wav2vec2.",
    "hubert.",
];

/// A vision-language model's text part, where a text model's own parts follow: CLIP's text encoder has others.
const TEXT: &str = "text_model.";
const OF_TEXT: &[&str] = &["layers.", "embed_tokens", "norm", "lm_head"];

/// A name without what training tools wrap around modules.
pub fn unwrapped(name: &str) -> String {
    if !WRAPPERS.iter().any(|wrapper| name.contains(wrapper)) {
        return name.to_owned();
    }
    let kept: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
    kept.join(".")
}

/// Component and what is behind it, in a name with dots.
pub fn component(name: &str) -> (Component, &str) {
    let named = COMPONENTS.iter().find_map(|&(prefix, of)| Some((of, name.strip_prefix(prefix)?)));
    match named {
        // FLUX has its T5 second, SD3 third; its names are its own.
        Some((Encoder(2), rest)) if rest.starts_with("encoder.block.") => (Encoder(3), rest),
        found => found.unwrap_or((Component::Unsaid, name)),
    }
}

/// The same of a flattened name.
pub fn flat_component(name: &str) -> (Component, &str) {
    let named = FLAT.iter().find_map(|&(prefix, of)| Some((of, name.strip_prefix(prefix)?)));
    named.unwrap_or((Component::Unsaid, name))
}

/// A name without its roots, and the root that is a kind of model's own, if there is one.
pub fn rootless(name: &str) -> (&str, Option<&'static str>) {
    let (mut rest, mut own) = (name, None);
    loop {
        let text = rest.strip_prefix(TEXT).filter(|text| OF_TEXT.iter().any(|part| text.starts_with(part)));
        let shorter = text.or_else(|| ROOTS.iter().find_map(|root| rest.strip_prefix(root)));
        let named = OWN_ROOTS.iter().find_map(|&root| Some((rest.strip_prefix(root)?, root)));
        match (shorter, named) {
            (Some(shorter), _) if !shorter.is_empty() => rest = shorter,
            (_, Some((shorter, root))) if own.is_none() && !shorter.is_empty() => (rest, own) = (shorter, Some(root)),
            _ => return (rest, own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_stripped_and_towers_are_not() {
        let bare = |name: &str| rootless(component(name).1).0.to_owned();
        for (name, expected) in [
            ("model.language_model.layers.0.q", "layers.0.q"),
            ("language_model.model.layers.0.q", "layers.0.q"),
            ("model.text_model.layers.0.q", "layers.0.q"),
            ("transformer.h.0.attn", "h.0.attn"),
            ("text_model.encoder.layers.0.q", "text_model.encoder.layers.0.q"),
            ("vision_tower.vision_model.encoder.layers.0.q", "vision_tower.vision_model.encoder.layers.0.q"),
            ("model.visual.blocks.0.q", "visual.blocks.0.q"),
            ("model.diffusion_model.blocks.0.q", "blocks.0.q"),
        ] {
            assert_eq!(bare(name), expected);
        }
        assert_eq!(rootless("bert.encoder.q"), ("encoder.q", Some("bert.")));
        assert_eq!(component("text_encoder_2.encoder.block.0.q").0, Encoder(3));
        assert_eq!(flat_component("lora_te2_text_model_q"), (Encoder(2), "text_model_q"));
        assert_eq!(unwrapped("l.0._orig_mod.q._checkpoint_wrapped_module"), "l.0.q");
    }
}
