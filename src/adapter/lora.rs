//! LoRA (Hu et al., arXiv 2106.09685): adds `s (x lora_Aᵀ) lora_Bᵀ` with s = α/R, or α/√R with rsLoRA
//! (arXiv 2312.03732). LoRA+ lets lora_B learn faster.

use super::factors::{Factors, Names};
use super::{Adapted, Place, variant};
use crate::config::Options;
use crate::graph::{Arena, Pass};

pub fn record(rank: usize, options: &Options, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let mut factors = place_factors(rank, place, arena);
    factors.boost = options.lr_ratio - 1.0;
    match variant::quantised(factors, options.weights, (1, rank), place, arena) {
        None => ungated(&factors, scaling, vec![], place, arena),
        Some((made, first)) => {
            Adapted { made: made.tensors((1, rank), place), ..ungated(&made, scaling, vec![first], place, arena) }
        }
    }
}

/// lora_A `[R,I]` and lora_B `[O,R]`.
pub(super) fn place_factors(rank: usize, place: &Place, arena: &mut Arena) -> Factors {
    Factors::place(&Names { a: "lora_A", b: "lora_B", experts: None, rank: Some(rank) }, 0, place, arena)
}

/// Factors without a gate: the scaling goes into the projections, and nothing stands between them and the layer.
/// `first` makes the factors, where that is to be done.
pub(super) fn ungated(factors: &Factors, scaling: f64, first: Vec<Pass>, place: &Place, arena: &mut Arena) -> Adapted {
    let hg = arena.buffer(format!("{}.gated", place.name), place.tokens * factors.slots);
    let dhz = arena.buffer(format!("{}.d_down", place.name), place.tokens * factors.slots);
    let mut forward = first;
    forward.push(factors.down(place, scaling, hg));
    Adapted {
        forward,
        backward: vec![factors.back(place, scaling, dhz), factors.gradients(place, hg, dhz)],
        up: Some(factors.up(hg)),
        down: Some(factors.to_input(dhz)),
        ..Default::default()
    }
}
