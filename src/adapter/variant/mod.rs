//! Variants of low-rank adaptation, each in its own module: what they train is not the two factors that the layer reads, or
//! not those alone.

pub mod adalora;
mod dora;
mod dylora;
mod flex;
mod mora;
mod prototype;
mod quantised;

use super::factors::Factors;
use super::mor1e::{Gates, Mixed, Source};
use super::{Adapted, Place};
use crate::config::{Form, Options, Weights};
use crate::graph::{Arena, GRADS, PARAMS, Pass};
use crate::op::orthogonal::{self, ORTHOGONAL};

/// Record a form of low-rank change at `place`.
pub fn record(
    form: Form,
    rank: usize,
    options: &Options,
    scaling: f64,
    place: &Place,
    arena: &mut Arena,
) -> Option<Adapted> {
    Some(match form {
        Form::Dora => dora::record(rank, scaling, place, arena),
        Form::Mora => mora::record(rank, place, arena),
        Form::Adalora => adalora::record(rank, options, scaling, place, arena),
        Form::Dylora => dylora::record(rank, scaling, place, arena),
    })
}

/// Factors of (experts, rank) as the forward pass is to read them, and the pass that makes them; `None` where they are
/// read as they are trained.
pub fn quantised(
    from: Factors,
    weights: Weights,
    size: (usize, usize),
    place: &Place,
    arena: &mut Arena,
) -> Option<(Factors, Pass)> {
    (weights != Weights::Float).then(|| quantised::made(from, weights, size, place, arena))
}

/// The term that keeps what `experts` rank-1 experts read apart.
pub fn apart(experts: usize, factors: &Factors, coefficient: f64) -> Option<Pass> {
    let dims = orthogonal::Dims {
        experts: experts as u32,
        inputs: factors.inputs as u32,
        v: factors.a as u32,
        coefficient: coefficient as f32,
    };
    (coefficient > 0.0).then(|| ORTHOGONAL.pass(dims, &[("params", PARAMS), ("grads", GRADS)]))
}

/// Gates by prototypes.
pub fn prototype(gates: &Gates, place: &Place, arena: &mut Arena) -> Option<Source> {
    Some(prototype::record(gates, place, arena))
}

/// Experts that share `readers` vectors that read, and as many that write as there are experts for each.
pub fn shared(readers: usize, gates: &Gates, scaling: f64, place: &Place, arena: &mut Arena) -> Option<Mixed> {
    Some(flex::record(readers, gates, scaling, place, arena))
}
