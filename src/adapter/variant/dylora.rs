//! DyLoRA (arXiv 2210.07558): LoRA of which every step trains the first b directions only, b drawn anew from 1 to R, so
//! that each smaller rank is an adapter too. The scaling stays that of rank R.

use super::super::lora::{place_factors, ungated};
use super::super::{Adapted, Place};
use crate::graph::{Arena, PARAMS};
use crate::op::truncate::{self, TRUNCATE};

pub fn record(rank: usize, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let whole = place_factors(rank, place, arena);
    let factors = whole.read_from(arena.buffer(format!("{}.factors", place.name), whole.elements()));
    let dims = truncate::Dims {
        rank: rank as u32,
        slots: whole.slots as u32,
        inputs: whole.inputs as u32,
        outputs: whole.outputs as u32,
        a: whole.a as u32,
        b: whole.b as u32,
        sampled: 1,
    };
    let first = TRUNCATE.pass(dims, &[("params", PARAMS), ("factors", factors.at)]);
    // Directions left out are zero in both factors, and so are their gradients.
    Adapted { made: factors.tensors((1, rank), place), ..ungated(&factors, scaling, vec![first], place, arena) }
}
