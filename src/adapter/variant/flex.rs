//! MoR1E's flex form (arXiv 2404.08985): `y += β B (Gᵀ A x)`, A `[p, I]` and B `[O, q]` shared by p·q experts whose gate is
//! G, `p × q`. A is the tensor v, one row a vector that reads; B is u transposed, one row a vector that writes.

use super::super::Place;
use super::super::factors::Factors;
use super::super::mor1e::{Gates, Mixed};
use crate::graph::{Arena, GRADS, PARAMS};
use crate::op::flex::{self, FLEX_BACKWARD, FLEX_FORWARD};
use crate::op::pad;

pub fn record(readers: usize, gates: &Gates, scaling: f64, place: &Place, arena: &mut Arena) -> Mixed {
    let writers = gates.experts / readers;
    let factors = factors((readers, writers), place, arena);
    let mut buffer = |what: &str, width| arena.buffer(format!("{}.{what}", place.name), place.tokens * width);
    let (h, dh) = (buffer("down", factors.down_rows), buffer("d_down", factors.down_rows));
    let (hg, dhg) = (buffer("gated", factors.slots), buffer("d_gated", factors.slots));
    let dims = flex::Dims {
        tokens: place.tokens as u32,
        real_tokens: place.real_tokens as u32,
        readers: readers as u32,
        writers: writers as u32,
        read_slots: factors.down_rows as u32,
        write_slots: factors.slots as u32,
        logits: gates.logits as u32,
        gate_tokens: gates.tokens as u32,
        scale: scaling as f32,
    };
    Mixed {
        factors,
        forward: vec![
            factors.down(place, 1.0, h),
            FLEX_FORWARD.pass(dims, &[("down", h), ("g", gates.g), ("gated", hg)]),
        ],
        backward: vec![
            factors.back(place, 1.0, dhg),
            FLEX_BACKWARD.pass(
                dims,
                &[
                    ("down", h),
                    ("g", gates.g),
                    ("balance", gates.bal),
                    ("d_gated", dhg),
                    ("d_down", dh),
                    ("dg", gates.dg),
                ],
            ),
        ],
        hg,
        dh,
    }
}

/// v `[p, I]` and u `[q, O]`.
fn factors((readers, writers): (usize, usize), place: &Place, arena: &mut Arena) -> Factors {
    let mut vectors = |name: &str, count: usize, width: usize| {
        let stride = pad(width);
        let name = format!("{}.{name}", place.name);
        arena.param(name, pad(count) * stride, vec![count, width], vec![stride, 1])
    };
    let (a, b) = (vectors("v", readers, place.inputs), vectors("u", writers, place.outputs));
    Factors {
        at: PARAMS,
        a,
        b,
        grads: GRADS,
        grad_a: a,
        grad_b: b,
        boost: 0.0,
        slots: pad(writers),
        down_rows: pad(readers),
        inputs: pad(place.inputs),
        outputs: pad(place.outputs),
    }
}
