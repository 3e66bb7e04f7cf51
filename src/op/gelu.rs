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

/// GELU of each, in place: `a σ(2 inner)`, which is `a (1 + tanh inner) / 2`.
pub fn values<F: Real>(a: &mut [F]) {
    let shares = shares(a);
    a.iter_mut().zip(shares).for_each(|(a, share)| *a = *a * share);
}

/// Its derivative at each, in place.
pub fn derivatives<F: Real>(a: &mut [F]) {
    let shares = shares(a);
    for (a, share) in a.iter_mut().zip(shares) {
        let slope = F::of(2.0 * ROOT) * (F::one() + F::of(3.0 * CUBIC) * *a * *a);
        *a = share + *a * share * (F::one() - share) * slope;
    }
}

/// What GELU lets through of each.
fn shares<F: Real>(a: &[F]) -> Vec<F> {
    let mut shares: Vec<F> = a.iter().map(|&a| F::of(2.0 * ROOT) * (a + F::of(CUBIC) * a * a * a)).collect();
    F::sigmoids(&mut shares);
    shares
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (pre, mut out) = (b.read("pre"), b.write("out"));
    let out = &mut out[..d.elements as usize];
    out.copy_from_slice(&pre[..out.len()]);
    values(out);
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (pre, d_out, mut d_pre) = (b.read("pre"), b.read("d_out"), b.write("d_pre"));
    let d_pre = &mut d_pre[..d.elements as usize];
    d_pre.copy_from_slice(&pre[..d_pre.len()]);
    derivatives(d_pre);
    d_pre.iter_mut().zip(d_out.iter()).for_each(|(d, &g)| *d = *d * g);
}
