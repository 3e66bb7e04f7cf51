//! What all low-rank methods share: the places of their two factors, and the products with them.
//!
//! A slot is one row of lora_A with its column of lora_B; expert n's rank-r part is slots n·R … n·R+R−1. lora_A is
//! stored `[slots, inputs]` with the router's rows after it, so one projection makes both; lora_B is stored
//! transposed, `[slots, outputs]`.

use super::site::{AdapterPasses, Down, LayerSite, Up};
use crate::graph::{Arena, Buffer, GRADS, PARAMS, Pass, Tensor};
use crate::op::gate::{GATE_BACKWARD, GATE_FORWARD};
use crate::op::project::PROJECT;
use crate::op::weight_grad::WEIGHT_GRAD;
use crate::op::{gate, pad, project, weight_grad};

/// The factors of one adapter: padded sizes, and where they are read and their gradients go, usually `params` and `grads`.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    pub at: Buffer,
    pub a: usize,
    pub b: usize,
    pub grads: Buffer,
    /// Of the gradients, in `grads`.
    pub grad_a: usize,
    pub grad_b: usize,
    /// See [`weight_grad::Dims`].
    pub extra_rate: f64,
    /// Padded N·R.
    pub slots: usize,
    /// Rows of lora_A with those of the router.
    pub down_rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// Names and outer shapes of the two factors.
pub struct Names<'a> {
    pub a: &'a str,
    pub b: &'a str,
    /// `None` for plain LoRA and rank-1 experts, whose shapes lack that axis.
    pub experts: Option<usize>,
    pub rank: Option<usize>,
}

/// What a gate makes of the projection down: `[A x, logits]`, the gates, and `s g ∘ A x`.
#[derive(Clone, Copy, Debug)]
pub struct Gated {
    pub down: Buffer,
    pub g: Buffer,
    pub gated: Buffer,
}

impl Factors {
    /// LayerSite the factors, and `router_rows` (real) rows of a router behind lora_A.
    pub fn place(names: &Names, router_rows: usize, place: &LayerSite, arena: &mut Arena) -> Self {
        let (i, o) = (pad(place.inputs), pad(place.outputs));
        let rank = names.rank.unwrap_or(1);
        let slots = pad(names.experts.unwrap_or(1) * rank);
        // Outer shapes: A [N,R,I], B [N,O,R], an axis left out where the method has none.
        let (mut a_shape, mut a_strides, mut b_shape, mut b_strides) = (vec![], vec![], vec![], vec![]);
        if let Some(n) = names.experts {
            a_shape.push(n);
            a_strides.push(rank * i);
            b_shape.push(n);
            b_strides.push(rank * o);
        }
        if let Some(r) = names.rank {
            a_shape.push(r);
            a_strides.push(i);
        }
        a_shape.push(place.inputs);
        a_strides.push(1);
        b_shape.push(place.outputs);
        b_strides.push(1);
        if let Some(r) = names.rank {
            b_shape.push(r);
            b_strides.push(o);
        }
        let a = arena.param(format!("{}.{}", place.name, names.a), slots * i, a_shape, a_strides);
        // The router's rows must follow lora_A's at once; its tensor is listed last, as the method lists it.
        let router = arena.params;
        arena.params += pad(router_rows) * i;
        let b = arena.param(format!("{}.{}", place.name, names.b), slots * o, b_shape, b_strides);
        if router_rows > 0 {
            arena.tensors.push(Tensor {
                name: format!("{}.router", place.name),
                shape: vec![router_rows, place.inputs],
                offset: router,
                strides: vec![i, 1],
            });
        }
        Self {
            at: PARAMS,
            a,
            b,
            grads: GRADS,
            grad_a: a,
            grad_b: b,
            extra_rate: 0.0,
            slots,
            down_rows: slots + pad(router_rows),
            inputs: i,
            outputs: o,
        }
    }

    /// The same factors read from a buffer of their own, which something else makes; gradients go where they went.
    pub fn read_from(self, at: Buffer) -> Self {
        Self { at, a: 0, b: self.down_rows * self.inputs, ..self }
    }

    /// Both factors as tensors, lora_A `[N,R,I]` and lora_B `[N,O,R]`.
    pub fn tensors(&self, (experts, rank): (usize, usize), place: &LayerSite) -> Vec<(Buffer, Tensor)> {
        let (i, o) = (self.inputs, self.outputs);
        let tensor = |name: &str, shape, offset, strides| {
            let name = format!("{}.{name}", place.name);
            (self.at, Tensor { name, shape, offset, strides })
        };
        vec![
            tensor("lora_A", vec![experts, rank, place.inputs], self.a, vec![rank * i, i, 1]),
            tensor("lora_B", vec![experts, place.outputs, rank], self.b, vec![rank * o, 1, o]),
        ]
    }

    /// Elements of such a buffer.
    pub fn elements(&self) -> usize {
        self.down_rows * self.inputs + self.slots * self.outputs
    }

    /// `out = scale · x [A; router]ᵀ`, `[tokens, down_rows]`.
    pub fn down(&self, place: &LayerSite, scale: f64, out: Buffer) -> Pass {
        let dims = project::Dims {
            tokens: place.tokens as u32,
            inner: self.inputs as u32,
            outputs: self.down_rows as u32,
            x_batched: place.x_batched.into(),
            w_offset: self.a as u32,
            scale: scale as f32,
        };
        PROJECT.pass(dims, &[("x", place.x), ("w", self.at), ("out", out)])
    }

    /// `out = scale · dy B`, `[tokens, slots]`: the gradient of gated.
    pub fn back(&self, place: &LayerSite, scale: f64, out: Buffer) -> Pass {
        let dims = project::Dims {
            tokens: place.tokens as u32,
            inner: self.outputs as u32,
            outputs: self.slots as u32,
            x_batched: 0,
            w_offset: self.b as u32,
            scale: scale as f32,
        };
        PROJECT.pass(dims, &[("x", place.dy), ("w", self.at), ("out", out)])
    }

    /// Projection down and gate: down, gated and, unless it is given, g.
    pub fn down_to_gate(&self, place: &LayerSite, dims: &gate::Dims, gated: &Gated) -> Pass {
        let dims = gate::Dims {
            inner: self.inputs as u32,
            x_batched: place.x_batched.into(),
            w_offset: self.a as u32,
            ..*dims
        };
        let Gated { down, g, gated } = *gated;
        GATE_FORWARD.pass(dims, &[("down", down), ("g", g), ("gated", gated), ("x", place.x), ("w", self.at)])
    }

    /// The way back: from the output's gradient to d_down, and dg.
    pub fn back_from_gate(
        &self,
        place: &LayerSite,
        dims: &gate::Dims,
        gated: &Gated,
        balance: Buffer,
        d_down: Buffer,
        dg: Buffer,
    ) -> Pass {
        let dims = gate::Dims { inner: self.outputs as u32, x_batched: 0, w_offset: self.b as u32, ..*dims };
        let Gated { down, g, .. } = *gated;
        GATE_BACKWARD.pass(
            dims,
            &[
                ("down", down),
                ("g", g),
                ("balance", balance),
                ("x", place.dy),
                ("w", self.at),
                ("d_down", d_down),
                ("dg", dg),
            ],
        )
    }

    /// Gradients of both factors, and of the router behind lora_A.
    pub fn gradients(&self, place: &LayerSite, gated: Buffer, d_down: Buffer) -> Pass {
        let (slots, down, i, o) = (self.slots as u32, self.down_rows as u32, self.inputs as u32, self.outputs as u32);
        let dims = weight_grad::Dims {
            rows: place.tokens as u32,
            m0: slots,
            n0: o,
            left_stride0: slots,
            left_offset0: 0,
            right_stride0: o,
            right_offset0: 0,
            right_batched0: 0,
            out0: self.grad_b as u32,
            m1: down,
            n1: i,
            left_stride1: down,
            left_offset1: 0,
            right_stride1: i,
            right_offset1: 0,
            right_batched1: place.x_batched.into(),
            out1: self.grad_a as u32,
            extra_rate0: self.extra_rate as f32,
            ..Default::default()
        };
        WEIGHT_GRAD.pass(
            dims,
            &[("left0", gated), ("right0", place.dy), ("left1", d_down), ("right1", place.x), ("grads", self.grads)],
        )
    }

    pub fn up(&self, gated: Buffer) -> Up {
        Up { gated, slots: self.slots, at: self.at, offset: self.b }
    }

    pub fn toward_input(&self, d_down: Buffer) -> Down {
        Down { d_down, rows: self.down_rows, at: self.at, offset: self.a }
    }
}

/// Factors without a gate: the scaling goes into the projections, and nothing stands between them and the layer.
/// `first` makes the factors, where that is to be done.
pub fn ungated(
    factors: &Factors,
    scaling: f64,
    first: Vec<Pass>,
    place: &LayerSite,
    arena: &mut Arena,
) -> AdapterPasses {
    let gated = arena.buffer(format!("{}.gated", place.name), place.tokens * factors.slots);
    let d_down = arena.buffer(format!("{}.d_down", place.name), place.tokens * factors.slots);
    let mut forward = first;
    forward.push(factors.down(place, scaling, gated));
    AdapterPasses {
        forward,
        backward: vec![factors.back(place, scaling, d_down), factors.gradients(place, gated, d_down)],
        up: Some(factors.up(gated)),
        down: Some(factors.toward_input(d_down)),
        ..Default::default()
    }
}

/// Gates as `[batch, sequence, experts]`, `gate_tokens` tokens sharing a row.
pub fn gate_tensor(place: &LayerSite, experts: usize, gate_tokens: usize) -> Tensor {
    let (width, s) = (pad(experts), place.sequence);
    let token_stride = if gate_tokens == 1 { width } else { 0 };
    Tensor {
        name: format!("{}.gate", place.name),
        shape: vec![place.real_tokens / s, s, experts],
        offset: 0,
        strides: vec![s / gate_tokens * width, token_stride, 1],
    }
}
