//! Sizes by layer (MoLA, Gao et al. 2024, arXiv 2402.08562): another number of experts, or another rank, on each layer.

use super::description::Modifier;
use crate::args::{Kind, Setting, Settings, limits};

const WHY: &str = "How experts (for LoRA: ranks) are shared out over the layers, their total kept near what it is. MoLA found more of them in higher layers better.";

pub static EXPERTS_PER_LAYER: Modifier = Modifier {
    name: "experts_per_layer",
    applies_to: &["molora", "mor1e"],
    settings: &[Setting::per_layer("experts_per_layer", "experts", limits::EXPERTS)
        .link("nl")
        .explained("over layers", WHY)],
    mark: |_| None,
};

pub static RANK_PER_LAYER: Modifier = Modifier {
    name: "rank_per_layer",
    applies_to: &["lora", "molora"],
    settings: &[Setting::per_layer("rank_per_layer", "rank", limits::RANK).link("rl").explained("over layers", WHY)],
    mark: |_| None,
};

/// The settings as they are on one layer: sizes by layer in place of the one for all, and what may not exceed them with them.
pub fn at_layer(settings: &Settings, described: &[&'static Setting], layer: usize) -> Settings {
    let mut own = settings.clone();
    for setting in described {
        if let Kind::PerLayer(of, _) = setting.kind
            && let Some(&size) = settings.sizes(setting.key).and_then(|sizes| sizes.get(layer))
        {
            own.set(of, size);
        }
    }
    bounded(&mut own, described);
    own
}

/// Brings down what exceeds the setting that bounds it.
pub fn bounded(settings: &mut Settings, described: &[&'static Setting]) {
    for setting in described {
        if let (Some(bound), Some(held)) =
            (setting.at_most.and_then(|key| settings.maybe_whole(key)), settings.maybe_whole(setting.key))
        {
            settings.set(setting.key, held.min(bound));
        }
    }
}
