//! MoR1E's flex form (arXiv 2404.08985): `y += β B (Gᵀ A x)`, A `[p, I]` and B `[O, q]` shared by p·q experts whose gate is
//! G, `p × q`. A is the tensor v, one row a vector that reads; B is u transposed, one row a vector that writes.

use super::description::{Mark, Modifier};
use crate::args::{Setting, Settings};
use crate::graph::{Arena, GRADS, PARAMS};
use crate::method::description::{Axis, Parameter, Start, Widths};
use crate::method::factors::Factors;
use crate::method::gates::{Gates, Mixed};
use crate::method::site::LayerSite;
use crate::op::flex::{self, FLEX_BACKWARD, FLEX_FORWARD};
use crate::op::pad;

pub static FLEX: Modifier = Modifier {
    name: "flex",
    applies_to: &["mor1e"],
    settings: &[Setting::divisor("flex", "experts").link("flex").explained(
        "shared vectors",
        "Flex: p vectors that read × q that write serve p·q experts, y += β B (Gᵀ A x) with the gate as a p × q matrix G. No: every expert has two of its own. Restarts the run.",
    )],
    mark: |settings| readers(settings).map(|_| Mark::After(" flex")),
};

/// Vectors that read, where experts share them.
pub fn readers(settings: &Settings) -> Option<usize> {
    settings.maybe_whole("flex")
}

/// v `[p,I]` and u `[q,O]`.
pub fn parameters(readers: usize, experts: usize, widths: Widths) -> [Parameter; 2] {
    let (read, write) = (Axis::Width(readers), Axis::Width(experts / readers));
    [
        Parameter::trained("v", [read, Axis::Inputs], Start::Uniform { fan_in: widths.inputs }),
        Parameter::trained("u", [write, Axis::Outputs], Start::Zero),
    ]
    .map(|parameter| parameter.part("vectors"))
}

pub fn record(readers: usize, gates: &Gates, scaling: f64, place: &LayerSite, arena: &mut Arena) -> Mixed {
    let writers = gates.experts / readers;
    let factors = factors((readers, writers), place, arena);
    let mut buffer = |what: &str, width| arena.buffer(format!("{}.{what}", place.name), place.tokens * width);
    let (h, dh) = (buffer("down", factors.down_rows), buffer("d_down", factors.down_rows));
    let (gated, d_gated) = (buffer("gated", factors.slots), buffer("d_gated", factors.slots));
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
            FLEX_FORWARD.pass(dims, &[("down", h), ("g", gates.g), ("gated", gated)]),
        ],
        backward: vec![
            factors.back(place, 1.0, d_gated),
            FLEX_BACKWARD.pass(
                dims,
                &[
                    ("down", h),
                    ("g", gates.g),
                    ("balance", gates.balance),
                    ("d_gated", d_gated),
                    ("d_down", dh),
                    ("dg", gates.dg),
                ],
            ),
        ],
        gated,
        dh,
    }
}

/// v `[p, I]` and u `[q, O]`.
fn factors((readers, writers): (usize, usize), place: &LayerSite, arena: &mut Arena) -> Factors {
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
        extra_rate: 0.0,
        slots: pad(writers),
        down_rows: pad(readers),
        inputs: pad(place.inputs),
        outputs: pad(place.outputs),
    }
}
