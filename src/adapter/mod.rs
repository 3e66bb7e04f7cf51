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
pub mod pissa;
pub mod variant;

use crate::config::{Method, Options};
use crate::graph::{Arena, Buffer, Pass, Tensor};
use crate::rng::Rng;

/// Where an adapter sits. Widths are the real ones; `tokens` is padded.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Prefix of tensor names: "layers.0".
    pub name: &'a str,
    pub x: Buffer,
    /// The frozen weight, `[padded outputs, padded inputs]`.
    pub weight: Buffer,
    /// x is the pool of all batches.
    pub x_batched: bool,
    /// Gradient of the layer's output, `[tokens, padded outputs]`.
    pub dy: Buffer,
    pub tokens: usize,
    pub real_tokens: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    /// Place among the lane's adapted layers, and how many they are.
    pub index: usize,
    pub count: usize,
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
    /// After the gradients of its factors: what makes of them those of its parameters, or adds to these.
    pub backward_factors: Vec<Pass>,
    /// The layer's parameters (first, how many), if their gradients are whole only then: AdamW takes a pass of its own.
    pub updates: Option<(usize, usize)>,
    /// After AdamW, while training; and what of it needs that of every layer.
    pub after: Vec<Pass>,
    pub last: Vec<Pass>,
    /// What training carries from step to step beside parameters and moments.
    pub state: Vec<Buffer>,
    /// The layer adds `x deltaᵀ`, delta in this buffer at this offset.
    pub delta: Option<(Buffer, usize)>,
    /// The frozen weight and what is known of its output, where the lane has its own.
    pub frozen: Option<Frozen>,
    /// The layer adds `hg B`.
    pub up: Option<Up>,
    /// lora_A and lora_B, or delta, as the layer reads them, where they are not parameters themselves.
    pub made: Vec<(Buffer, Tensor)>,
    /// What flows back through the factors to the layer's input.
    pub down: Option<Down>,
    /// What flows back through a gate network to the layer's input.
    pub gate_input: Option<GateInput>,
    /// The gates, as a tensor `[batch, sequence, experts]` of its buffer.
    pub gate: Option<(Buffer, Tensor)>,
    /// What they are the sum of, where that is two things.
    pub parts: Option<Parts>,
}

/// What a prototype gate is made of, in a buffer of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    pub buffer: Buffer,
    /// `softmax(W_r q)` and `⟨cᵢ, e⟩`, `[2, batch, sequence, experts]`.
    pub values: Tensor,
    /// ω, `[1]`.
    pub share: Tensor,
}

/// A frozen weight of a lane's own, `[outputs, inputs]`, its bias or, for the first layer, its output for the pool, and the
/// target, which is without that output where there is but this layer.
#[derive(Clone, Copy, Debug)]
pub struct Frozen {
    pub weight: Buffer,
    pub base: Buffer,
    pub target: Buffer,
}

#[derive(Clone, Copy, Debug)]
pub struct Up {
    pub hg: Buffer,
    /// Padded N·R.
    pub slots: usize,
    pub at: Buffer,
    /// Of lora_B, stored `[slots, padded outputs]`.
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Down {
    pub dhz: Buffer,
    /// Rows of lora_A, and of the router after it.
    pub rows: usize,
    pub at: Buffer,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct GateInput {
    pub dq: Buffer,
    pub gate_tokens: usize,
}

/// Record a method, with its lane's options, at `place`.
pub fn record(method: &Method, options: &Options, place: &Place, arena: &mut Arena) -> Adapted {
    let scaling = count::scaling(method);
    match *method {
        Method::Full => full::record(place, arena),
        Method::Lora { rank, .. } => lora::record(rank, options, scaling, place, arena),
        Method::Variant { form, rank, .. } => {
            variant::record(form, rank, options, scaling, place, arena).unwrap_or_default()
        }
        Method::Molora { experts, rank, top_k, renormalize, balance, .. } => {
            let routing = molora::Routing { experts, rank, top_k, renormalize, balance, options };
            molora::record(&routing, scaling, place, arena)
        }
        Method::Mor1e { experts, gate, balance, flex, .. } => {
            let hidden = count::hidden_width(method, place.inputs);
            let orthogonality = options.orthogonality;
            let intuition = mor1e::Intuition { experts, gate, hidden, balance, flex, orthogonality };
            mor1e::record(&intuition, scaling, place, arena)
        }
    }
}

/// Initial values of the tensor called `name` (without its layer), so that an untrained adapter changes nothing:
/// lora_A, v, and linear layers uniform in ±1/√fan-in (what PEFT's `kaiming_uniform(a=√5)` comes to), lora_B, u and
/// delta zero, the router normal 0.02, LayerNorm one and zero; MoRA's matrix zero; AdaLoRA's vectors normal 0.02 and its
/// singular values zero, as in PEFT; a prototype gate's router and mix zero. A magnitude vector is the frozen weight's to
/// tell, and PiSSA's factors too.
pub fn initial(name: &str, shape: &[usize], fan_in: usize, rng: &mut Rng) -> Vec<f32> {
    let len = shape.iter().product();
    let bound = 1.0 / (fan_in as f64).sqrt();
    let mut draw = |_| match name {
        "delta" | "lora_B" | "u" | "intuition.ln_bias" | "mora_M" | "lora_E" | "gate.router" | "gate.mix" => 0.0,
        "router" | "lora_P" | "lora_Q" => 0.02 * rng.normal(),
        "intuition.ln_weight" => 1.0,
        _ => rng.uniform(-bound, bound),
    };
    (0..len).map(|i: usize| draw(i) as f32).collect()
}
