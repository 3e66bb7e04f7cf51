//! MoR1E (arXiv 2404.08985): N rank-1 experts, `s Σ gᵢ uᵢ (vᵢ·x)`, s = α, gated by an intuition network: one gate
//! per sequence, from its mean input (pooled), or one per token. The paper's own code gates by prototypes instead.

use super::factors::{Factors, Gated, Names};
use super::molora::{balance_pass, gate_tensor};
use super::{Adapted, GateInput, Place, variant};
use crate::config::{Balance, Gate};
use crate::kernel::recording::{Arena, Buffer, GRADS, NOTHING, PARAMS, Pass};
use crate::kernel::{Op, gate, intuition, pad, weight_grad};

pub struct Intuition {
    pub experts: usize,
    pub gate: Gate,
    pub hidden: usize,
    pub balance: Balance,
    /// Coefficient of the term that keeps what experts read apart.
    pub orthogonality: f64,
}

pub fn record(config: &Intuition, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let (n, t) = (config.experts, place.tokens);
    let begin = arena.params;
    let names = Names { a: "v", b: "u", experts: Some(n), rank: None };
    let factors = Factors::place(&names, 0, place, arena);
    let gate_tokens = match config.gate {
        Gate::Pooled => place.sequence,
        Gate::Token => 1,
    };
    let network = network(config, place, gate_tokens, arena);
    let (rows, logits) = (network.rows as usize, pad(n));
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    let h = buffer("h", t * factors.slots);
    let q = buffer("q", rows * network.inputs as usize);
    let acts = buffer("acts", rows * network.acts());
    // Padding tokens index the row after the last sequence's.
    let g = buffer("g", pad(t.div_ceil(gate_tokens).max(rows)) * logits);
    let hg = buffer("hg", t * factors.slots);
    let dh = buffer("dh", t * factors.slots);
    let dg = buffer("dg", t * logits);
    let bal = buffer("bal", logits);
    let dacts = buffer("dacts", rows * network.dacts());
    let dq = buffer("dq", rows * network.inputs as usize);
    let dims = gate::Dims {
        tokens: t as u32,
        real_tokens: place.real_tokens as u32,
        experts: n as u32,
        rank: 1,
        slots: factors.slots as u32,
        logits: logits as u32,
        top_k: 0,
        renormalize: 0,
        given: 1,
        gate_tokens: gate_tokens as u32,
        scale: scaling as f32,
        ..Default::default()
    };
    let gated = Gated { hz: h, g, hg };
    let mut backward = vec![];
    let bal = balance_pass(config.balance, g, bal, network.real_rows as usize, place.real_tokens, n, &mut backward);
    backward.extend([
        factors.back_from_gate(place, &dims, &gated, bal, dh, dg),
        Pass { op: Op::IntuitionBackward(network), buffers: vec![PARAMS, acts, g, dg, dacts, dq] },
        factors.gradients(place, hg, dh),
        Pass { op: Op::IntuitionSums(network), buffers: vec![acts, dacts, GRADS] },
    ]);
    backward.extend(network_gradients(&network, q, acts, dacts));
    // A second term in v's gradient: AdamW must wait for both.
    let apart = variant::apart(n, &factors, config.orthogonality);
    let updates = apart.is_some().then(|| (begin, arena.params - begin));
    Adapted {
        backward_factors: apart.into_iter().collect(),
        updates,
        forward: vec![
            Pass { op: Op::IntuitionForward(network), buffers: vec![place.x, PARAMS, q, acts, g] },
            factors.down_to_gate(place, &dims, &gated),
        ],
        backward,
        up: Some(factors.up(hg)),
        down: Some(factors.to_input(dh)),
        gate_input: Some(GateInput { dq, gate_tokens }),
        gate: Some((g, gate_tensor(place, n, gate_tokens))),
        ..Default::default()
    }
}

/// Place the gate network's parameters.
fn network(config: &Intuition, place: &Place, gate_tokens: usize, arena: &mut Arena) -> intuition::Dims {
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
    let real_rows = place.real_tokens / gate_tokens;
    intuition::Dims {
        rows: pad(real_rows) as u32,
        real_rows: real_rows as u32,
        gate_tokens: gate_tokens as u32,
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
    let (left, right) = (d.dacts() as u32, d.acts() as u32);
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
        Pass { op: Op::WeightGrad(upper), buffers: vec![dacts, acts, dacts, acts, GRADS] },
        Pass { op: Op::WeightGrad(lower), buffers: vec![dacts, q, NOTHING, NOTHING, GRADS] },
    ]
}
