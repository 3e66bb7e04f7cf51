//! MoR1E (arXiv 2404.08985): N rank-1 experts, `s Σ gᵢ uᵢ (vᵢ·x)`, s = α, gated by an intuition network: one gate
//! per sequence, from its mean input (pooled), or one per token. The paper's own code gates by prototypes instead, and may
//! share vectors between experts; both are variants, in modules of their own.

use super::Parts;
use super::factors::{Factors, Gated, Names};
use super::molora::{balance_pass, gate_tensor};
use super::{Adapted, GateInput, Place, variant};
use crate::config::{Balance, Gate};
use crate::graph::{Arena, Buffer, GRADS, NOTHING, PARAMS, Pass};
use crate::op::intuition::{INTUITION_BACKWARD, INTUITION_FORWARD, INTUITION_SUMS};
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{gate, intuition, pad, weight_grad};

pub struct Intuition {
    pub experts: usize,
    pub gate: Gate,
    pub hidden: usize,
    pub balance: Balance,
    /// Vectors that read, where experts share them.
    pub flex: Option<usize>,
    /// Coefficient of the term that keeps what experts read apart.
    pub orthogonality: f64,
}

/// A layer's gates, and what goes back to them.
#[derive(Clone, Copy, Debug)]
pub struct Gates {
    pub experts: usize,
    /// Padded.
    pub logits: usize,
    /// Tokens that share a gate: those of a sequence, or 1.
    pub tokens: usize,
    /// Gates, padded and real.
    pub rows: usize,
    pub real_rows: usize,
    /// `[rows, logits]`.
    pub g: Buffer,
    /// Gradient by every token's gate, `[tokens, logits]`, and the balance term's share of it, `[logits]`.
    pub dg: Buffer,
    pub bal: Buffer,
}

/// Where gates come from.
pub struct Source {
    /// Makes g.
    pub forward: Pass,
    /// Takes dg back.
    pub backward: Pass,
    /// Gradients of the parameters behind them.
    pub gradients: Vec<Pass>,
    /// Gradient of the input that a gate was made from, `[rows, inputs]`.
    pub dq: Buffer,
    pub parts: Option<Parts>,
}

/// Experts behind their gates: from x and g to hg, and from the output's gradient to dh and dg.
pub struct Mixed {
    pub factors: Factors,
    pub forward: Vec<Pass>,
    pub backward: Vec<Pass>,
    pub hg: Buffer,
    pub dh: Buffer,
}

pub fn record(config: &Intuition, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let (n, t) = (config.experts, place.tokens);
    let (begin, fixed) = (arena.params, arena.fixed_elements);
    let gate_tokens = match config.gate {
        Gate::Pooled | Gate::Prototype => place.sequence,
        Gate::Token => 1,
    };
    let (real_rows, logits) = (place.real_tokens / gate_tokens, pad(n));
    let rows = pad(real_rows);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    // Padding tokens index the row after the last sequence's.
    let g = buffer("g", pad(t.div_ceil(gate_tokens).max(rows)) * logits);
    let dg = buffer("dg", t * logits);
    let bal = buffer("balance", logits);
    let mut backward = vec![];
    let bal = balance_pass(config.balance, g, bal, real_rows, place.real_tokens, n, &mut backward);
    let gates = Gates { experts: n, logits, tokens: gate_tokens, rows, real_rows, g, dg, bal };
    let shared = config.flex.and_then(|readers| variant::shared(readers, &gates, scaling, place, arena));
    let mixed = shared.unwrap_or_else(|| each_its_own(&gates, scaling, place, arena));
    let prototype = if config.gate == Gate::Prototype { variant::prototype(&gates, place, arena) } else { None };
    let source = prototype.unwrap_or_else(|| network(config, &gates, place, arena));
    let Mixed { factors, hg, dh, .. } = mixed;
    backward.extend(mixed.backward);
    backward.extend([source.backward, factors.gradients(place, hg, dh)]);
    backward.extend(source.gradients);
    // A second term in v's gradient: AdamW must wait for both.
    let apart = variant::apart(config.flex.unwrap_or(n), &factors, config.orthogonality);
    let trained = arena.params - begin - (arena.fixed_elements - fixed);
    let updates = apart.is_some().then_some((begin, trained));
    let mut forward = vec![source.forward];
    forward.extend(mixed.forward);
    Adapted {
        backward_factors: apart.into_iter().collect(),
        updates,
        forward,
        backward,
        up: Some(factors.up(hg)),
        down: Some(factors.to_input(dh)),
        gate_input: Some(GateInput { dq: source.dq, gate_tokens }),
        gate: Some((g, gate_tensor(place, n, gate_tokens))),
        parts: source.parts,
        ..Default::default()
    }
}

/// v `[N,I]` and u `[N,O]`.
fn each_its_own(gates: &Gates, scaling: f64, place: &Place, arena: &mut Arena) -> Mixed {
    let names = Names { a: "v", b: "u", experts: Some(gates.experts), rank: None };
    let factors = Factors::place(&names, 0, place, arena);
    let mut buffer = |what: &str| arena.buffer(format!("{}.{what}", place.name), place.tokens * factors.slots);
    let (h, hg, dh) = (buffer("down"), buffer("gated"), buffer("d_down"));
    let dims = gate::Dims {
        tokens: place.tokens as u32,
        real_tokens: place.real_tokens as u32,
        experts: gates.experts as u32,
        rank: 1,
        slots: factors.slots as u32,
        logits: gates.logits as u32,
        top_k: 0,
        renormalize: 0,
        given: 1,
        gate_tokens: gates.tokens as u32,
        scale: scaling as f32,
        ..Default::default()
    };
    let gated = Gated { hz: h, g: gates.g, hg };
    Mixed {
        factors,
        forward: vec![factors.down_to_gate(place, &dims, &gated)],
        backward: vec![factors.back_from_gate(place, &dims, &gated, gates.bal, dh, gates.dg)],
        hg,
        dh,
    }
}

/// The intuition network's gates.
fn network(config: &Intuition, gates: &Gates, place: &Place, arena: &mut Arena) -> Source {
    let dims = parameters(config, gates, place, arena);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), gates.rows * len);
    let (q, acts) = (buffer("q", dims.inputs as usize), buffer("activations", dims.activations()));
    let (dacts, dq) = (buffer("d_activations", dims.d_activations()), buffer("dq", dims.inputs as usize));
    let mut gradients =
        vec![INTUITION_SUMS.pass(dims, &[("activations", acts), ("d_activations", dacts), ("grads", GRADS)])];
    gradients.extend(network_gradients(&dims, q, acts, dacts));
    Source {
        forward: INTUITION_FORWARD
            .pass(dims, &[("x", place.x), ("params", PARAMS), ("q", q), ("activations", acts), ("g", gates.g)]),
        backward: INTUITION_BACKWARD.pass(
            dims,
            &[
                ("params", PARAMS),
                ("activations", acts),
                ("g", gates.g),
                ("dg", gates.dg),
                ("d_activations", dacts),
                ("dq", dq),
            ],
        ),
        gradients,
        dq,
        parts: None,
    }
}

/// Place the gate network's parameters.
fn parameters(config: &Intuition, gates: &Gates, place: &Place, arena: &mut Arena) -> intuition::Dims {
    let (i, h, n) = (pad(place.inputs), pad(config.hidden), pad(config.experts));
    let (real_i, real_h, real_n) = (place.inputs, config.hidden, config.experts);
    // (rows, padded rows) and (cols, padded cols); a vector is one row.
    let mut param = |name: &str, (rows, padded): (usize, usize), (cols, stride): (usize, usize)| {
        let (shape, strides) = if padded == 1 { (vec![cols], vec![1]) } else { (vec![rows, cols], vec![stride, 1]) };
        arena.param(format!("{}.{name}", place.name), padded * stride, shape, strides) as u32
    };
    const VECTOR: (usize, usize) = (1, 1);
    let w1 = param("intuition.w1", (real_h, h), (real_i, i));
    let b1 = param("intuition.b1", VECTOR, (real_h, h));
    let ln_weight = param("intuition.ln_weight", VECTOR, (real_h, h));
    let ln_bias = param("intuition.ln_bias", VECTOR, (real_h, h));
    let w2 = param("intuition.w2", (real_h, h), (real_h, h));
    let b2 = param("intuition.b2", VECTOR, (real_h, h));
    let gate_w = param("gate.w", (real_n, n), (real_h, h));
    let gate_b = param("gate.b", VECTOR, (real_n, n));
    intuition::Dims {
        rows: gates.rows as u32,
        real_rows: gates.real_rows as u32,
        gate_tokens: gates.tokens as u32,
        inputs: i as u32,
        hidden: h as u32,
        real_hidden: real_h as u32,
        logits: n as u32,
        experts: real_n as u32,
        x_batched: place.x_batched.into(),
        w1,
        b1,
        ln_weight,
        ln_bias,
        w2,
        b2,
        gate_w,
        gate_b,
        ..Default::default()
    }
}

/// Gradients of the three matrices: dzᵀc and dcᵀn together, then daᵀq.
fn network_gradients(d: &intuition::Dims, q: Buffer, acts: Buffer, dacts: Buffer) -> [Pass; 2] {
    let (h, logits) = (d.hidden, d.logits);
    let (left, right) = (d.d_activations() as u32, d.activations() as u32);
    let upper = weight_grad::Dims {
        rows: d.rows,
        m0: logits,
        n0: h,
        left_stride0: left,
        left_offset0: 0,
        right_stride0: right,
        right_offset0: 3 * h,
        right_batched0: 0,
        out0: d.gate_w,
        m1: h,
        n1: h,
        left_stride1: left,
        left_offset1: logits,
        right_stride1: right,
        right_offset1: 2 * h,
        right_batched1: 0,
        out1: d.w2,
        ..Default::default()
    };
    let lower = weight_grad::Dims {
        rows: d.rows,
        m0: h,
        n0: d.inputs,
        left_stride0: left,
        left_offset0: logits + 2 * h,
        right_stride0: d.inputs,
        out0: d.w1,
        ..Default::default()
    };
    [
        WEIGHT_GRAD
            .pass(upper, &[("left0", dacts), ("right0", acts), ("left1", dacts), ("right1", acts), ("grads", GRADS)]),
        WEIGHT_GRAD
            .pass(lower, &[("left0", dacts), ("right0", q), ("left1", NOTHING), ("right1", NOTHING), ("grads", GRADS)]),
    ]
}
