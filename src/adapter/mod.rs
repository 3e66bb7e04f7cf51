//! The methods by which a frozen linear layer is adapted: what they hold and what they compute, each in its own
//! module. Knows neither tasks nor views.
//!
//! A method sits at a [`Place`] and records what it adds there, an [`Adapted`]: passes before and after the
//! layer's own, and where its factors are. LoRA, MoLoRA and MoR1E are one thing to the layer, a gated product
//! `hg B` with `hg = s g ∘ (x Aᵀ)`, and differ in where g comes from; `factors` holds what they share.

pub mod budget;
pub mod cost;
pub mod count;
pub mod factors;
pub mod full;
pub mod lora;
pub mod molora;
pub mod mor1e;

use crate::config::Method;
use crate::kernel::recording::{Arena, Buffer, Pass, Tensor};
use crate::rng::Rng;

/// Where an adapter sits. Widths are the real ones; `tokens` is padded.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Prefix of tensor names: "layers.0".
    pub name: &'a str,
    pub x: Buffer,
    /// x is the pool of all batches.
    pub x_batched: bool,
    /// Gradient of the layer's output, `[tokens, padded outputs]`.
    pub dy: Buffer,
    pub tokens: usize,
    pub real_tokens: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// What an adapter adds to its layer.
#[derive(Debug, Default)]
pub struct Adapted {
    /// Before the layer's own forward pass.
    pub forward: Vec<Pass>,
    /// After the gradient of the layer's output is known: all that the gradient of its parameters needs.
    pub backward: Vec<Pass>,
    /// The layer adds `x deltaᵀ`, delta at this offset.
    pub delta: Option<usize>,
    /// The layer adds `hg B`.
    pub up: Option<Up>,
    /// What flows back through the factors to the layer's input.
    pub down: Option<Down>,
    /// What flows back through a gate network to the layer's input.
    pub gate_input: Option<GateInput>,
    /// The gates, as a tensor `[batch, sequence, experts]` of its buffer.
    pub gate: Option<(Buffer, Tensor)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Up {
    pub hg: Buffer,
    /// Padded N·R.
    pub slots: usize,
    /// Of lora_B, stored `[slots, padded outputs]`.
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Down {
    pub dhz: Buffer,
    /// Rows of lora_A, and of the router after it.
    pub rows: usize,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct GateInput {
    pub dq: Buffer,
    pub gate_tokens: usize,
}

/// Record `method` at `place`.
pub fn record(method: &Method, place: &Place, arena: &mut Arena) -> Adapted {
    match method {
        Method::Full => full::record(place, arena),
        Method::Lora { rank, .. } => lora::record(*rank, count::scaling(method), place, arena),
        Method::Molora { experts, rank, top_k, renormalize, balance, .. } => molora::record(
            &molora::Routing {
                experts: *experts,
                rank: *rank,
                top_k: *top_k,
                renormalize: *renormalize,
                balance: *balance,
            },
            count::scaling(method),
            place,
            arena,
        ),
        Method::Mor1e { experts, gate, balance, .. } => mor1e::record(
            &mor1e::Intuition {
                experts: *experts,
                gate: *gate,
                hidden: count::hidden_width(method, place.inputs),
                balance: *balance,
            },
            count::scaling(method),
            place,
            arena,
        ),
    }
}

/// Initial values of the tensor called `name` (without its layer), so that an untrained adapter changes nothing:
/// lora_A, v, and linear layers uniform in ±1/√fan-in (what PEFT's `kaiming_uniform(a=√5)` comes to), lora_B, u and
/// delta zero, the router normal 0.02, LayerNorm one and zero.
pub fn initial(name: &str, shape: &[usize], fan_in: usize, rng: &mut Rng) -> Vec<f32> {
    let len = shape.iter().product();
    let bound = 1.0 / (fan_in as f64).sqrt();
    let mut draw = |_| match name {
        "delta" | "lora_B" | "u" | "intuition.ln_bias" => 0.0,
        "router" => 0.02 * rng.normal(),
        "intuition.ln_weight" => 1.0,
        _ => rng.uniform(-bound, bound),
    };
    (0..len).map(|i: usize| draw(i) as f32).collect()
}
