//! Gates that are not made in the projection itself: what a layer's experts are mixed by, where that comes from, and the
//! experts behind it. Shared by the parts of MoR1E. Knows no method.

use super::factors::Factors;
use super::site::Parts;
use crate::graph::{Buffer, Pass};

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
    pub balance: Buffer,
}

/// Where gates come from.
pub struct GateSource {
    /// Makes g.
    pub forward: Vec<Pass>,
    /// Takes dg back.
    pub backward: Vec<Pass>,
    /// Gradients of the parameters behind them.
    pub gradients: Vec<Pass>,
    /// Gradient of the input that a gate was made from, `[rows, inputs]`.
    pub dq: Buffer,
    pub parts: Option<Parts>,
}

/// Experts behind their gates: from x and g to gated, and from the output's gradient to dh and dg.
pub struct Mixed {
    pub factors: Factors,
    pub forward: Vec<Pass>,
    pub backward: Vec<Pass>,
    pub gated: Buffer,
    pub dh: Buffer,
}
