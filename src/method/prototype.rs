//! MoR1E's gate as the paper's own code has it (arXiv 2404.08985): `g = N·ω·softmax(W_r q) + 4(1−ω)·⟨cᵢ, e⟩`,
//! `ω = σ(100 w)`, for one sequence with mean input q of direction e. `gate.router` is W_r and `gate.mix` w, both zero at
//! first; `gate.prototypes` are c, which `net` finds in the task's data and nothing trains. Knows nothing of those data.

use super::description::{Axis, Parameter, Start};
use super::gates::{GateSource, Gates};
use super::site::{LayerSite, Parts};
use crate::graph::{Arena, GRADS, PARAMS, Tensor};
use crate::op::prototype::{self, PROTOTYPE_BACKWARD, PROTOTYPE_FORWARD};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{PAD, pad, weight_grad};

/// gate.router `[N,I]` and gate.mix `[1]`; gate.prototypes `[N,I]`, which nothing trains.
pub fn parameters(experts: usize) -> [Parameter; 3] {
    let n = Axis::Experts(experts);
    [
        Parameter::trained("gate.router", [n, Axis::Inputs], Start::Zero),
        Parameter::trained("gate.mix", [Axis::Width(1)], Start::Zero),
        Parameter::frozen("gate.prototypes", [n, Axis::Inputs], Start::InputCentroids),
    ]
    .map(|parameter| parameter.part("gate"))
}

pub fn record(gates: &Gates, place: &LayerSite, arena: &mut Arena) -> GateSource {
    let (n, logits, inputs) = (gates.experts, gates.logits, pad(place.inputs));
    let name = |what: &str| format!("{}.gate.{what}", place.name);
    let matrix = || (vec![n, place.inputs], vec![inputs, 1]);
    let (shape, strides) = matrix();
    let router = arena.param(name("router"), logits * inputs, shape, strides);
    // The weight of a constant input, so that its gradient is a product as the router's is: one of a tile.
    let mix = arena.param(name("mix"), PAD * PAD, vec![1], vec![1]);
    let (shape, strides) = matrix();
    let prototypes = arena.frozen_param(name("prototypes"), logits * inputs, shape, strides);
    let dims = prototype::Dims {
        rows: gates.rows as u32,
        real_rows: gates.real_rows as u32,
        gate_tokens: gates.tokens as u32,
        inputs: inputs as u32,
        logits: logits as u32,
        experts: n as u32,
        x_batched: place.x_batched.into(),
        router: router as u32,
        mix: mix as u32,
        prototypes: prototypes as u32,
    };
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), gates.rows * len);
    let (q, activations) = (buffer("q", inputs), buffer("activations", dims.activations()));
    let (d_activations, dq) = (buffer("d_activations", dims.d_activations()), buffer("dq", inputs));
    let gradients = weight_grad::Dims {
        rows: dims.rows,
        m0: dims.logits,
        n0: dims.inputs,
        left_stride0: dims.d_activations() as u32,
        right_stride0: dims.inputs,
        out0: dims.router,
        m1: PAD as u32,
        n1: PAD as u32,
        left_stride1: dims.d_activations() as u32,
        left_offset1: dims.logits,
        right_stride1: dims.activations() as u32,
        right_offset1: dims.one() as u32,
        out1: dims.mix,
        ..Default::default()
    };
    GateSource {
        forward: vec![
            PROTOTYPE_FORWARD.pass(
                dims,
                &[("x", place.x), ("params", PARAMS), ("q", q), ("activations", activations), ("g", gates.g)],
            ),
        ],
        backward: vec![PROTOTYPE_BACKWARD.pass(
            dims,
            &[
                ("params", PARAMS),
                ("q", q),
                ("activations", activations),
                ("dg", gates.dg),
                ("d_activations", d_activations),
                ("dq", dq),
            ],
        )],
        gradients: vec![WEIGHT_GRAD.pass(
            gradients,
            &[
                ("left0", d_activations),
                ("right0", q),
                ("left1", d_activations),
                ("right1", activations),
                ("grads", GRADS),
            ],
        )],
        dq,
        parts: Some(Parts {
            buffer: activations,
            values: Tensor {
                name: name("parts"),
                shape: vec![2, gates.real_rows, place.sequence, n],
                offset: 0,
                strides: vec![logits, dims.activations(), 0, 1],
            },
            share: Tensor { name: name("share"), shape: vec![1], offset: dims.share(), strides: vec![1] },
        }),
    }
}
