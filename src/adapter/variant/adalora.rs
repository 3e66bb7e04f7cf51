//! AdaLoRA (arXiv 2303.10512): `s P Λ Q` with P, Q kept near orthogonal by a term of the loss, and singular values pruned
//! by importance to a budget that falls while training, over all layers together. lora_P, lora_Q and lora_E hold P as
//! `[O,R]`, Q as `[R,I]` and Λ's diagonal.

use super::super::factors::{Factors, Names};
use super::super::lora::ungated;
use super::super::{Adapted, Place};
use crate::config::Options;
use crate::graph::{Arena, GRADS, PARAMS};
use crate::op::budget::{self, ALLOCATE, IMPORTANCE, SCORE};
use crate::op::diagonal::{self, DIAGONAL_BACKWARD, DIAGONAL_FORWARD};
use crate::op::pad;

/// PEFT's coefficient of the orthogonality term is 0.5 on the norm; of the paper's squared norm, its published runs use 0.1.
pub const ORTHOGONAL: f32 = 0.1;
/// Every how many steps directions are dropped.
pub const INTERVAL: u32 = 10;

pub fn record(rank: usize, options: &Options, scaling: f64, place: &Place, arena: &mut Arena) -> Adapted {
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
    let budget = budget::Dims {
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
        last_budget: (options.target(rank) * place.count) as u32,
        begin: options.budget_begin as u32,
        end: options.budget_end as u32,
        interval: INTERVAL,
    };
    let state = arena.buffer(format!("{}.importance", place.name), 2 * arena.params);
    let scores = arena.shared("scores", place.count * budget::WIDTH);
    let first = DIAGONAL_FORWARD.pass(dims, &[("params", PARAMS), ("factors", at)]);
    Adapted {
        backward_factors: vec![
            DIAGONAL_BACKWARD.pass(dims, &[("params", PARAMS), ("d_factors", grads), ("grads", GRADS)]),
        ],
        updates: Some((begin, len)),
        made: factors.tensors((1, rank), place),
        after: vec![
            IMPORTANCE.pass(budget, &[("params", PARAMS), ("grads", GRADS), ("state", state)]),
            SCORE.pass(budget, &[("scores", scores), ("state", state)]),
        ],
        last: vec![ALLOCATE.pass(budget, &[("scores", scores), ("params", PARAMS)])],
        state: vec![state],
        ..ungated(&factors, scaling, vec![first], place, arena)
    }
}
