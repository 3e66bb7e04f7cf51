//! Factors whose entries are few values in the forward pass, and full precision where they are trained: one scale and
//! signs per matrix (BitNet, arXiv 2310.11453), or also zeros (arXiv 2402.17764). Gradients pass straight through.

use super::super::Place;
use super::super::factors::Factors;
use crate::config::Weights;
use crate::graph::{Arena, PARAMS, Pass};
use crate::op::quantise::{self, QUANTISE};

/// The factors as the forward pass is to read them, of (experts, rank), and the pass that makes them.
pub fn made(
    from: Factors,
    weights: Weights,
    (experts, rank): (usize, usize),
    place: &Place,
    arena: &mut Arena,
) -> (Factors, Pass) {
    let made = from.read_from(arena.buffer(format!("{}.factors", place.name), from.elements()));
    let dims = quantise::Dims {
        rank: rank as u32,
        experts: experts as u32,
        slots: from.slots as u32,
        router: (from.down_rows - from.slots) as u32,
        inputs: from.inputs as u32,
        outputs: from.outputs as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        a: from.a as u32,
        b: from.b as u32,
        ternary: (weights == Weights::Ternary).into(),
    };
    (made, QUANTISE.pass(dims, &[("params", PARAMS), ("factors", made.at)]))
}
