//! GELU in its tanh form (Hendrycks & Gimpel, arXiv 1606.08415; PyTorch's `approximate="tanh"`).

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// pre, out and their gradients have `elements` values, a multiple of 4.
    Dims { elements: u32 }
);

kernel!(
    /// `out = GELU(pre)`.
    pub static GELU: Dims = "gelu", "forward";
    bindings: [pre: Read, out: Write],
    workgroups: |d, _| (d.elements / 4).div_ceil(64),
    twin: forward,
);
kernel!(
    /// `d_pre = d_out ∘ GELU'(pre)`. Where a linear layer's gradient is all that comes back, `layer_backward` ends in this.
    pub static GELU_BACKWARD: Dims = "gelu", "backward";
    bindings: [pre: Read, d_out: Read, d_pre: Write],
    workgroups: |d, _| (d.elements / 4).div_ceil(64),
    twin: backward,
);

const ROOT: f64 = 0.797_884_560_802_865_4; // √(2/π)
const CUBIC: f64 = 0.044_715;

/// GELU of one value: `a σ(2 inner)`, which is `a (1 + tanh inner) / 2`.
pub fn value<F: Real>(a: F) -> F {
    a * share(a)
}

/// Its derivative.
pub fn derivative<F: Real>(a: F) -> F {
    let (share, one) = (share(a), F::one());
    let slope = F::of(2.0 * ROOT) * (one + F::of(3.0 * CUBIC) * a * a);
    share + a * share * (one - share) * slope
}

/// What GELU lets through of `a`.
fn share<F: Real>(a: F) -> F {
    super::swiglu::sigmoid(F::of(2.0 * ROOT) * (a + F::of(CUBIC) * a * a * a))
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (pre, mut out) = (b.read("pre"), b.write("out"));
    out.iter_mut().zip(pre.iter()).take(d.elements as usize).for_each(|(o, &a)| *o = value(a));
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (pre, d_out, mut d_pre) = (b.read("pre"), b.read("d_out"), b.write("d_pre"));
    let given = pre.iter().zip(d_out.iter());
    d_pre.iter_mut().zip(given).take(d.elements as usize).for_each(|(d, (&a, &g))| *d = g * derivative(a));
}
