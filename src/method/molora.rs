//! MoLoRA (Zadouri et al., arXiv 2309.05444): N LoRA experts, weighted per token by `softmax(router x)`;
//! `y += s Σ gᵢ(x) Bᵢ Aᵢ x`, s = α/R. Top-k keeps the k largest gates, renormalised only where asked (MixLoRA, Mixtral).

use super::description::{
    Axis, Change, Extras, Method, Most, Parameter, Product, Products, Reach, Resize, Size, Start, Widths,
};
use super::factors::{Factors, Gated, Names, gate_tensor};
use super::lora::{alpha, rank, resize_factors};
use super::modifier::balance::balance_pass;
use super::modifier::{lora_plus, quantised, router};
use super::site::{AdapterPasses, LayerSite};
use crate::args::{Setting, Settings, Shown, limits};
use crate::lang::marked;
use crate::graph::Arena;
use crate::op::{gate, pad};

pub static MOLORA: Method = Method {
    name: "molora",
    title: "MoLoRA",
    short: "MoLoRA",
    why: "Several LoRA experts; a router weighs them anew for every token.",
    source: "Zadouri et al. 2023, arXiv 2309.05444",
    settings: &[
        Setting::whole("experts", limits::EXPERTS, 4)
            .link("n")
            .always()
            .explained("experts", "Number of LoRA experts in the mixture. Changing it restarts the run.")
            .shown(Shown::Row),
        rank(2),
        alpha(4.0),
        Setting::whole("top_k", limits::Whole { min: 0, max: limits::EXPERTS.max }, 0)
            .link("k")
            .at_most("experts")
            .explained("top-k", "Keep only the k largest gates of a token; 0 keeps all."),
        Setting::flag("renormalize").link("norm").explained(
            "renormalise kept gates",
            "Divide the kept gates by their sum, as MixLoRA and Mixtral do; MoLoRA does not.",
        ),
    ],
    scaling,
    parameters,
    record,
    change: |settings, _| {
        Change::Product(Product {
            a: "lora_A",
            b: "lora_B",
            experts: settings.whole("experts"),
            rank: settings.whole("rank"),
            gated: true,
            shares: true,
            readers: None,
            from_weight: false,
        })
    },
    products,
    reach: |settings| Reach::Routed {
        experts: settings.whole("experts"),
        rank: settings.whole("rank"),
        top_k: settings.whole("top_k"),
        per_sequence: false,
    },
    extras: Extras {
        size: Some(Size {
            why: "Rank of each expert. Changes the trained adapter in place: growing adds directions that change nothing yet, shrinking keeps the best part.",
            furthest: 16,
            ..Size::RANK
        }),
        gate: Some(|_| marked!("g = softmax(router · x), one gate per token; the gates of a token sum to 1.")),
        resize: Some(Resize {
            allowed: |_| true,
            by_gate: false,
            run: |sizes, tensors| {
                resize_factors(sizes, tensors)?;
                tensors.carry(&["router"])
            },
        }),
        most,
        scripted: |_| true,
        ..Extras::NONE
    },
};

fn scaling(settings: &Settings) -> f64 {
    settings.real("alpha") / settings.whole("rank") as f64
}

/// lora_A `[N,R,I]`, lora_B `[N,O,R]`, router `[N,I]`.
fn parameters(settings: &Settings, widths: Widths) -> Vec<Parameter> {
    let (n, r) = (Axis::Experts(settings.whole("experts")), Axis::Rank(settings.whole("rank")));
    vec![
        Parameter::trained("lora_A", [n, r, Axis::Inputs], Start::Uniform { fan_in: widths.inputs }).part("experts"),
        Parameter::trained("lora_B", [n, Axis::Outputs, r], Start::Zero).part("experts"),
        Parameter::trained("router", [n, Axis::Inputs], Start::Normal(0.02)).part("router"),
    ]
}

/// Experts with a gate of 0 need not be computed.
fn products(settings: &Settings, Widths { inputs, outputs }: Widths, _: usize) -> Products {
    let (experts, rank, top_k) = (settings.whole("experts"), settings.whole("rank"), settings.whole("top_k"));
    let kept = if top_k == 0 { experts } else { top_k.min(experts) };
    Products::Apart { down: (experts + kept * rank) * inputs, inner: 0, up: kept * rank * outputs, untrained: 0 }
}

fn most(settings: &Settings, key: &str) -> Option<Most> {
    let (experts, rank) = (settings.whole("experts"), settings.whole("rank"));
    let other = match key {
        "experts" => rank,
        "rank" => experts,
        _ => return None,
    };
    let why = format!("experts · rank = {} must be at most {}", experts * rank, limits::MIXTURE_RANK);
    Some(Most { value: limits::MIXTURE_RANK / other.max(1), why })
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let (n, rank, t) = (settings.whole("experts"), settings.whole("rank"), place.tokens);
    let names = Names { a: "lora_A", b: "lora_B", experts: Some(n), rank: Some(rank) };
    let mut factors = Factors::place(&names, n, place, arena);
    factors.extra_rate = lora_plus::extra_rate(settings);
    let (mut made, mut first) = (vec![], None);
    if let Some((low, pass)) = quantised::quantised(factors, settings, (n, rank), place, arena) {
        (factors, made, first) = (low, low.tensors((n, rank), place), Some(pass));
    }
    let logits = pad(n);
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    let down = buffer("down", t * factors.down_rows);
    let g = buffer("g", t * logits);
    let gated = buffer("gated", t * factors.slots);
    let d_down = buffer("d_down", t * factors.down_rows);
    let dg = buffer("dg", t * logits);
    let balance = buffer("balance", logits);
    let (inverse_temperature, noise) = router::router(settings);
    let dims = gate::Dims {
        tokens: t as u32,
        real_tokens: place.real_tokens as u32,
        experts: n as u32,
        rank: rank as u32,
        slots: factors.slots as u32,
        logits: logits as u32,
        top_k: settings.whole("top_k") as u32,
        renormalize: settings.flag("renormalize").into(),
        given: 0,
        gate_tokens: 1,
        scale: scaling(settings) as f32,
        inverse_temperature,
        noise,
        ..Default::default()
    };
    let mut backward = vec![];
    let rows = place.real_tokens;
    let balance = balance_pass(settings, g, balance, rows, rows, n, &mut backward);
    backward.push(factors.back_from_gate(place, &dims, &Gated { down, g, gated }, balance, d_down, dg));
    backward.push(factors.gradients(place, gated, d_down));
    AdapterPasses {
        forward: first.into_iter().chain([factors.down_to_gate(place, &dims, &Gated { down, g, gated })]).collect(),
        backward,
        effective_factors: made,
        up: Some(factors.up(gated)),
        down: Some(factors.toward_input(d_down)),
        gate: Some((g, gate_tensor(place, n, 1))),
        ..Default::default()
    }
}
