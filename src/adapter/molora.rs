//! MoLoRA (Zadouri et al., arXiv 2309.05444): N LoRA experts, weighted per token by `softmax(router x)`; adds
//! `s Σ gᵢ(x) Bᵢ Aᵢ x`, s = α/R. Top-k keeps the k largest gates, renormalised only where asked (MixLoRA, Mixtral).

use super::factors::{Factors, Gated, Names};
use super::{Adapted, Place, variant};
use crate::config::{Balance, BalanceKind, Options};
use crate::graph::{Arena, Buffer, NOTHING, Pass, Tensor};
use crate::op::balance::BALANCE;
use crate::op::{balance, gate, pad};

pub struct Routing<'a> {
    pub experts: usize,
    pub rank: usize,
    pub top_k: usize,
    pub renormalize: bool,
    pub balance: Balance,
    pub options: &'a Options,
}

pub fn record(routing: &Routing, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
    let (n, t) = (routing.experts, place.tokens);
    let names = Names { a: "lora_A", b: "lora_B", experts: Some(n), rank: Some(routing.rank) };
    let mut factors = Factors::place(&names, n, place, arena);
    factors.boost = routing.options.lr_ratio - 1.0;
    let (mut made, mut first) = (vec![], None);
    if let Some((low, pass)) = variant::quantised(factors, routing.options.weights, (n, routing.rank), place, arena) {
        (factors, made, first) = (low, low.tensors((n, routing.rank), place), Some(pass));
    }
    let logits = pad(n);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    let hz = buffer("down", t * factors.down_rows);
    let g = buffer("g", t * logits);
    let hg = buffer("gated", t * factors.slots);
    let dhz = buffer("d_down", t * factors.down_rows);
    let dg = buffer("dg", t * logits);
    let bal = buffer("balance", logits);
    let dims = gate::Dims {
        tokens: t as u32,
        real_tokens: place.real_tokens as u32,
        experts: n as u32,
        rank: routing.rank as u32,
        slots: factors.slots as u32,
        logits: logits as u32,
        top_k: routing.top_k as u32,
        renormalize: routing.renormalize.into(),
        given: 0,
        gate_tokens: 1,
        scale: scaling as f32,
        inverse_temperature: (1.0 / routing.options.temperature) as f32,
        noise: routing.options.noise as f32,
        ..Default::default()
    };
    let mut backward = vec![];
    let rows = place.real_tokens;
    let bal = balance_pass(routing.balance, g, bal, rows, rows, n, &mut backward);
    backward.push(factors.back_from_gate(place, &dims, &Gated { hz, g, hg }, bal, dhz, dg));
    backward.push(factors.gradients(place, hg, dhz));
    Adapted {
        forward: first.into_iter().chain([factors.down_to_gate(place, &dims, &Gated { hz, g, hg })]).collect(),
        backward,
        made,
        up: Some(factors.up(hg)),
        down: Some(factors.to_input(dhz)),
        gate: Some((g, gate_tensor(place, n, 1))),
        ..Default::default()
    }
}

/// The balance term's gradient, if there is one; otherwise a buffer of zeros in its place.
pub(super) fn balance_pass(
    config: Balance,
    g: Buffer,
    bal: Buffer,
    rows: usize,
    tokens: usize,
    experts: usize,
    passes: &mut Vec<Pass>,
) -> Buffer {
    let kind = match config.kind {
        BalanceKind::None => return NOTHING,
        BalanceKind::Entropy => 1,
        BalanceKind::Switch => 2,
    };
    let dims = balance::Dims {
        rows: rows as u32,
        tokens: tokens as u32,
        experts: experts as u32,
        logits: pad(experts) as u32,
        kind,
        coefficient: config.coefficient as f32,
    };
    passes.push(BALANCE.pass(dims, &[("g", g), ("balance", bal)]));
    bal
}

/// Gates as `[batch, sequence, experts]`, `gate_tokens` tokens sharing a row.
pub(super) fn gate_tensor(place: &Place, experts: usize, gate_tokens: usize) -> Tensor {
    let (width, s) = (pad(experts), place.sequence);
    let token_stride = if gate_tokens == 1 { width } else { 0 };
    Tensor {
        name: format!("{}.gate", place.name),
        shape: vec![place.real_tokens / s, s, experts],
        offset: 0,
        strides: vec![s / gate_tokens * width, token_stride, 1],
    }
}
