//! LoRA (Hu et al., arXiv 2106.09685): adds `s (x lora_Aᵀ) lora_Bᵀ` with s = α/R, or α/√R with rsLoRA
//! (arXiv 2312.03732).

use super::factors::{Factors, Names};
use super::{Adapted, Down, Place};
use crate::kernel::recording::Arena;

pub fn record(rank: usize, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let names = Names { a: "lora_A", b: "lora_B", experts: None, rank: Some(rank) };
    let factors = Factors::place(&names, 0, place, arena);
    // Without a gate the scaling goes into the projections, and nothing stands between them and the layer.
    let hg = arena.buffer(format!("{}.hg", place.name), place.tokens * factors.slots);
    let dhz = arena.buffer(format!("{}.dhz", place.name), place.tokens * factors.slots);
    Adapted {
        forward: vec![factors.down(place, scaling, hg)],
        backward: vec![factors.back(place, scaling, dhz), factors.gradients(place, hg, dhz)],
        up: Some(factors.up(hg)),
        down: Some(Down { dhz, rows: factors.down_rows, offset: factors.a }),
        ..Default::default()
    }
}
