//! DoRA (arXiv 2402.09353): `W' = m ∘ (W0 + s B A) / ‖W0 + s B A‖` per output row, m trained, the norm a constant to the
//! gradient. The weight is formed anew in every step, so it runs as a dense change `W' − W0`.

use super::super::lora::place_factors;
use super::super::{Adapted, Place};
use crate::graph::{Arena, GRADS, NOTHING, PARAMS, Tensor};
use crate::op::dora::{self, DORA_BACKWARD, DORA_DOWN, DORA_FORWARD};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{pad, weight_grad};

pub fn record(rank: usize, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let begin = arena.params;
    let factors = place_factors(rank, place, arena);
    let (i, o) = (pad(place.inputs), pad(place.outputs));
    let m = arena.param(format!("{}.lora_magnitude_vector", place.name), o, vec![place.outputs], vec![1]);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), o * i);
    let (delta, v, ddelta, dv) = (buffer("delta"), buffer("v"), buffer("ddelta"), buffer("dv"));
    let dims = dora::Dims {
        inputs: i as u32,
        outputs: o as u32,
        real_outputs: place.outputs as u32,
        rank: rank as u32,
        a: factors.a as u32,
        b: factors.b as u32,
        m: m as u32,
        scale: scaling as f32,
    };
    let gradient = weight_grad::Dims {
        rows: place.tokens as u32,
        m0: o as u32,
        n0: i as u32,
        left_stride0: o as u32,
        right_stride0: i as u32,
        right_batched0: place.x_batched.into(),
        ..Default::default()
    };
    Adapted {
        forward: vec![DORA_FORWARD.pass(dims, &[("params", PARAMS), ("v", v), ("w0", place.weight), ("delta", delta)])],
        backward: vec![WEIGHT_GRAD.pass(
            gradient,
            &[("left0", place.dy), ("right0", place.x), ("left1", NOTHING), ("right1", NOTHING), ("grads", ddelta)],
        )],
        backward_factors: vec![
            DORA_BACKWARD
                .pass(dims, &[("params", PARAMS), ("v", v), ("d_delta", ddelta), ("dv", dv), ("grads", GRADS)]),
            DORA_DOWN.pass(dims, &[("params", PARAMS), ("dv", dv), ("grads", GRADS)]),
        ],
        updates: Some((begin, arena.params - begin)),
        delta: Some((delta, 0)),
        made: vec![(
            delta,
            Tensor {
                name: format!("{}.delta", place.name),
                shape: vec![place.outputs, place.inputs],
                offset: 0,
                strides: vec![i, 1],
            },
        )],
        ..Default::default()
    }
}
