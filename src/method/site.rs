//! The boundary between a method and the network it adapts: a linear layer as the method finds it, and the passes and
//! buffers that the method hands back. Knows no method, and no network.

use crate::graph::{Buffer, Pass, Tensor};

/// Where an adapter sits. Widths are the real ones; `tokens` is padded.
#[derive(Clone, Copy, Debug)]
pub struct LayerSite<'a> {
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
    /// Of one sequence that goes on, positions that are kept of what came before; 0 where sequences are whole.
    pub positions: usize,
    /// LayerSite among the lane's adapted layers, and how many they are.
    pub index: usize,
    pub count: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// What an adapter adds to its layer.
#[derive(Debug, Default)]
pub struct AdapterPasses {
    /// Before the layer's own forward pass, and behind it: what adds to its output.
    pub forward: Vec<Pass>,
    pub behind: Vec<Pass>,
    /// After the gradient of the layer's output is known: all that the gradient of its parameters needs.
    pub backward: Vec<Pass>,
    /// After the gradients of its factors: what makes of them those of its parameters, or adds to these.
    pub backward_factors: Vec<Pass>,
    /// The layer's parameters (first, how many), if their gradients are whole only then: AdamW takes a pass of its own.
    pub updates: Option<(usize, usize)>,
    /// After AdamW, while training; and what of it needs that of every layer.
    pub after_update: Vec<Pass>,
    pub after_all_updates: Vec<Pass>,
    /// What training carries from step to step beside parameters and moments.
    pub state: Vec<Buffer>,
    /// The layer adds `x deltaᵀ`, delta in this buffer at this offset.
    pub delta: Option<(Buffer, usize)>,
    /// The layer adds `gated B`.
    pub up: Option<Up>,
    /// lora_A and lora_B, or delta, as the layer reads them, where they are not parameters themselves.
    pub effective_factors: Vec<(Buffer, Tensor)>,
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

#[derive(Clone, Copy, Debug)]
pub struct Up {
    pub gated: Buffer,
    /// Padded N·R.
    pub slots: usize,
    pub at: Buffer,
    /// Of lora_B, stored `[slots, padded outputs]`.
    pub offset: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Down {
    pub d_down: Buffer,
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
