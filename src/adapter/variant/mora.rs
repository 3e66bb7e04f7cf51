//! MoRA (arXiv 2405.12130): one square matrix `M [r̂,r̂]` of as many parameters as a LoRA's factors, between a fold of the
//! input (inputs that agree mod r̂ are added) and a tiling of the output; its rank can be r̂. As factors: `lora_A = M·fold`,
//! `lora_B` the tiling, which is fixed.

use super::super::factors::Factors;
use super::super::lora::ungated;
use super::super::{Adapted, Place, count};
use crate::graph::{Arena, GRADS, PARAMS};
use crate::op::pad;
use crate::op::tile::{self, TILE_BACKWARD, TILE_FORWARD};

pub fn record(rank: usize, place: &Place, arena: &mut Arena) -> Adapted {
    let side = count::mora_side(rank, place.inputs, place.outputs);
    let (slots, i, o) = (pad(side), pad(place.inputs), pad(place.outputs));
    let m = arena.param(format!("{}.mora_M", place.name), slots * slots, vec![side, side], vec![slots, 1]);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), slots * (i + o));
    let (at, grads) = (buffer("factors"), buffer("dfactors"));
    let b = slots * i;
    let factors = Factors {
        at,
        a: 0,
        b,
        grads,
        grad_a: 0,
        grad_b: b,
        boost: 0.0,
        slots,
        down_rows: slots,
        inputs: i,
        outputs: o,
    };
    let dims = tile::Dims {
        side: side as u32,
        slots: slots as u32,
        inputs: i as u32,
        outputs: o as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        matrix: m as u32,
    };
    let first = TILE_FORWARD.pass(dims, &[("params", PARAMS), ("factors", at)]);
    Adapted {
        backward_factors: vec![TILE_BACKWARD.pass(dims, &[("d_factors", grads), ("grads", GRADS)])],
        updates: Some((m, slots * slots)),
        made: factors.tensors((1, side), place),
        ..ungated(&factors, 1.0, vec![first], place, arena)
    }
}
