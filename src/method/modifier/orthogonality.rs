//! Orthogonality: a term of the loss, `Σ_{i<j} cos²(vᵢ, vⱼ)`, that keeps the directions apart that rank-1 experts read.

use super::description::Modifier;
use crate::args::{Setting, Settings, limits};
use crate::graph::{GRADS, PARAMS, Pass};
use crate::method::factors::Factors;
use crate::op::orthogonal::{self, ORTHOGONAL};

const COEFFICIENT: &str = "orthogonality";

pub static ORTHOGONALITY: Modifier = Modifier {
    name: "orthogonality",
    applies_to: &["mor1e"],
    settings: &[Setting::real(COEFFICIENT, limits::COEFFICIENT, 0.0)
        .link("orth")
        .explained(
            "orthogonality",
            "Weight of Σ cos²(vᵢ, vⱼ) in the loss, which keeps the directions that experts read apart. Changes in mid-training.",
        )
        .live()],
    mark: |_| None,
};

/// The term's gradient, for `experts` rows of the first factor; `None` where it is off.
pub fn gradient(experts: usize, factors: &Factors, settings: &Settings) -> Option<Pass> {
    let coefficient = settings.real(COEFFICIENT);
    let dims = orthogonal::Dims {
        experts: experts as u32,
        inputs: factors.inputs as u32,
        v: factors.a as u32,
        coefficient: coefficient as f32,
    };
    (coefficient > 0.0).then(|| ORTHOGONAL.pass(dims, &[("params", PARAMS), ("grads", GRADS)]))
}
