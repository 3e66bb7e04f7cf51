//! Factors whose entries are few values in the forward pass, and full precision where they are trained: one scale and
//! signs per matrix (BitNet, arXiv 2310.11453), or also zeros (arXiv 2402.17764). Gradients pass straight through.

use super::description::{Mark, Modifier};
use crate::args::{Setting, Settings};
use crate::graph::{Arena, PARAMS, Pass};
use crate::method::factors::Factors;
use crate::method::site::LayerSite;
use crate::op::quantise::{self, QUANTISE};

pub static QUANTISED: Modifier = Modifier {
    name: "quantised",
    applies_to: &["lora", "molora"],
    settings: &[Setting::choice(WEIGHTS, &["float", "ternary", "binary"]).explained(
        "weights",
        "Entries of A and B in the forward pass: as trained, or one scale per matrix times −1, 0, 1 (ternary) or −1, 1 (binary). Gradients pass straight through.",
    )],
    mark: |settings| match settings.choice(WEIGHTS) {
        "ternary" => Some(Mark::Before("ternary ")),
        "binary" => Some(Mark::Before("binary ")),
        _ => None,
    },
};

const WEIGHTS: &str = "weights";

/// Whether a method that may be quantised is.
pub fn is_on(settings: &Settings) -> bool {
    settings.get(WEIGHTS).is_some() && settings.choice(WEIGHTS) != "float"
}

/// Bytes of a factor of so many entries: f32 each; or one bit each, or log₂ 3 of them, and an f32 for the scale.
pub fn bytes(entries: usize, weights: &str) -> f64 {
    match weights {
        "ternary" => libm::log2(3.0) * entries as f64 / 8.0 + 4.0,
        "binary" => entries as f64 / 8.0 + 4.0,
        _ => 4.0 * entries as f64,
    }
}

/// Bytes of a factor of a lane with these settings.
pub fn stored(entries: usize, settings: &Settings) -> usize {
    // Whole bytes for each matrix.
    libm::ceil(bytes(entries, if is_on(settings) { settings.choice(WEIGHTS) } else { "float" })) as usize
}

/// Factors of (experts, rank) as the forward pass is to read them, and the pass that makes them; `None` where they are
/// read as they are trained.
pub fn quantised(
    from: Factors,
    settings: &Settings,
    (experts, rank): (usize, usize),
    place: &LayerSite,
    arena: &mut Arena,
) -> Option<(Factors, Pass)> {
    if !is_on(settings) {
        return None;
    }
    let made = from.read_from(arena.buffer(format!("{}.factors", place.name), from.elements()));
    let dims = quantise::Dims {
        experts: experts as u32,
        rank: rank as u32,
        slots: from.slots as u32,
        router: (from.down_rows - from.slots) as u32,
        inputs: from.inputs as u32,
        outputs: from.outputs as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        a: from.a as u32,
        b: from.b as u32,
        ternary: (settings.choice(WEIGHTS) == "ternary").into(),
    };
    Some((made, QUANTISE.pass(dims, &[("params", PARAMS), ("factors", made.at)])))
}
