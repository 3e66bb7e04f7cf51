//! AdaLoRA (arXiv 2303.10512): `s P Λ Q` with P, Q kept near orthogonal by a term of the loss, and singular values pruned
//! by importance to a budget that falls while training, over all layers together. lora_P, lora_Q and lora_E hold P as
//! `[O,R]`, Q as `[R,I]` and Λ's diagonal.

use super::description::{Axis, Budget, Extras, Method, Most, Parameter, Product, Reach, Size, Start, Widths};
use super::factors::{Factors, Names, ungated};
use super::lora::{ALPHA, RANK, products};
use super::site::{AdapterPasses, LayerSite};
use crate::args::{Setting, Settings, Shown, limits};
use crate::graph::{Arena, GRADS, PARAMS};
use crate::op::budget::{self as kernel_budget, ALLOCATE, IMPORTANCE, SCORE};
use crate::op::diagonal::{self, DIAGONAL_BACKWARD, DIAGONAL_FORWARD};
use crate::op::pad;

/// PEFT's coefficient of the orthogonality term is 0.5 on the norm; of the paper's squared norm, its published runs use 0.1.
pub const ORTHOGONAL: f32 = 0.1;
/// Every how many steps directions are dropped.
pub const INTERVAL: u32 = 10;

pub static ADALORA: Method = Method {
    name: "adalora",
    title: "AdaLoRA",
    short: "AdaLoRA",
    why: "P·Λ·Q whose singular values are pruned by importance while training, over all layers together.",
    source: "Zhang et al. 2023, arXiv 2303.10512",
    settings: &[
        RANK,
        ALPHA,
        Setting::optional("target_rank", limits::RANK).link("to").at_most("rank").explained(
            "target rank",
            "Directions kept at the end, on average per layer; the least important are dropped on the way. Half of the rank if left out.",
        ),
        Setting::whole("budget_begin", limits::WARMUP, 100)
            .link("begin")
            .explained("pruned from step", "The budget of directions begins to fall at this step.")
            .shown(Shown::Nowhere),
        Setting::whole("budget_end", limits::TOTAL, 600)
            .link("end")
            .explained("pruned by step", "The budget of directions falls from step 100 on and is down at this step."),
    ],
    scaling,
    parameters,
    record,
    change: |settings, _| Product::plain("lora_A", "lora_B", settings.whole("rank")),
    products: |settings, widths, _| products(settings, widths),
    reach: |settings| Reach::Single { rank: Some(budget(settings).last) },
    extras: Extras {
        // Its ranks follow its budget, so a trained one cannot be given another.
        size: Some(Size::RANK),
        most: |settings, key| {
            let end = settings.whole("budget_end");
            let why = format!("below budget_end, which is {end}");
            (key == "budget_begin").then_some(Most { value: end.saturating_sub(1), why })
        },
        budget: Some(budget),
        ..Extras::NONE
    },
};

fn scaling(settings: &Settings) -> f64 {
    settings.real("alpha") / settings.whole("rank") as f64
}

fn budget(settings: &Settings) -> Budget {
    let rank = settings.whole("rank");
    Budget {
        tensor: "lora_E",
        first: rank,
        last: settings.maybe_whole("target_rank").unwrap_or(rank.div_ceil(2)).min(rank),
        begin: settings.whole("budget_begin"),
        end: settings.whole("budget_end"),
        interval: INTERVAL as usize,
    }
}

/// lora_Q `[R,I]`, lora_P `[O,R]`, lora_E `[R]`.
fn parameters(settings: &Settings, _: Widths) -> Vec<Parameter> {
    let rank = Axis::Rank(settings.whole("rank"));
    vec![
        Parameter::trained("lora_Q", [rank, Axis::Inputs], Start::Normal(0.02)),
        Parameter::trained("lora_P", [Axis::Outputs, rank], Start::Normal(0.02)),
        Parameter::trained("lora_E", [rank], Start::Zero).drawn("Λ"),
    ]
}

fn record(settings: &Settings, place: &LayerSite, arena: &mut Arena) -> AdapterPasses {
    let rank = settings.whole("rank");
    let prescribed = budget(settings);
    let begin = arena.params;
    let names = Names { a: "lora_Q", b: "lora_P", experts: None, rank: Some(rank) };
    let whole = Factors::place(&names, 0, place, arena);
    let e = arena.param(format!("{}.lora_E", place.name), pad(rank), vec![rank], vec![1]);
    let len = arena.params - begin;
    let mut buffer = |what: &str, len| arena.buffer(format!("{}.{what}", place.name), len);
    let (at, grads) = (buffer("factors", whole.elements()), buffer("d_factors", whole.elements()));
    let made = whole.read_from(at);
    let factors = Factors { grads, grad_a: made.a, grad_b: made.b, ..made };
    let dims = diagonal::Dims {
        rank: rank as u32,
        slots: whole.slots as u32,
        inputs: whole.inputs as u32,
        outputs: whole.outputs as u32,
        a: whole.a as u32,
        b: whole.b as u32,
        values: e as u32,
        orthogonal: ORTHOGONAL,
    };
    let first = DIAGONAL_FORWARD.pass(dims, &[("params", PARAMS), ("factors", at)]);
    let budget = kernel_budget::Dims {
        rank: rank as u32,
        inputs: whole.inputs as u32,
        outputs: whole.outputs as u32,
        real_inputs: place.inputs as u32,
        real_outputs: place.outputs as u32,
        a: whole.a as u32,
        b: whole.b as u32,
        e: e as u32,
        // Averages of this layer's parameters lie at the same places in a buffer of their own.
        elements: arena.params as u32,
        layer: place.index as u32,
        layers: place.count as u32,
        first_budget: (rank * place.count) as u32,
        last_budget: (prescribed.last * place.count) as u32,
        begin: prescribed.begin as u32,
        end: prescribed.end as u32,
        interval: INTERVAL,
    };
    let state = arena.buffer(format!("{}.importance", place.name), 2 * arena.params);
    let scores = arena.shared("scores", place.count * kernel_budget::WIDTH);
    AdapterPasses {
        backward_factors: vec![
            DIAGONAL_BACKWARD.pass(dims, &[("params", PARAMS), ("d_factors", grads), ("grads", GRADS)]),
        ],
        updates: Some((begin, len)),
        effective_factors: factors.tensors((1, rank), place),
        after_update: vec![
            IMPORTANCE.pass(budget, &[("params", PARAMS), ("grads", GRADS), ("state", state)]),
            SCORE.pass(budget, &[("scores", scores), ("state", state)]),
        ],
        after_all_updates: vec![ALLOCATE.pass(budget, &[("scores", scores), ("params", PARAMS)])],
        state: vec![state],
        ..ungated(&factors, scaling(settings), vec![first], place, arena)
    }
}
