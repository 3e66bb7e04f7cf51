//! AdamW over all trainable parameters of a lane, exactly as PyTorch's: decoupled decay, bias correction, eps
//! outside the root (Loshchilov & Hutter, arXiv 1711.05101). The same dispatch gathers the step's loss.

use super::{Access, Bound, Read, Real, Step, Write, dims};

/// Partial sums of the loss per step; whoever reads them adds them up (in f64).
pub const LOSS_PARTS: usize = 32;

dims!(
    /// params, grads, first and second moment hold `elements` values; loss holds `tiles` partial losses;
    /// losses `[slots, 32]`.
    Dims {
        elements: u32,
        tiles: u32,
        beta1: f32,
        beta2: f32,
        /// 1 − beta1 and 1 − beta2, rounded once from f64: 1 − 0.999 in f32 is off by 1e-5.
        rest1: f32,
        rest2: f32,
        eps: f32,
        /// 1 / the number of elements the loss is a mean over.
        loss_scale: f32,
    }
);

pub const BINDINGS: &[(&str, Access)] =
    &[("params", Write), ("grads", Read), ("first", Write), ("second", Write), ("loss", Read), ("losses", Write)];

impl Dims {
    pub fn workgroups(&self) -> u32 {
        // One more workgroup than the parameters need: its invocations gather the loss.
        (self.elements / 4).div_ceil(64) + 1
    }
}

pub fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (mut params, grads, mut first, mut second) = (b.write(0), b.read(1), b.write(2), b.write(3));
    let (beta1, beta2, eps) = (F::of(f64::from(d.beta1)), F::of(f64::from(d.beta2)), F::of(f64::from(d.eps)));
    let (rate, keep, root) = (F::of(f64::from(step.rate)), F::of(f64::from(step.keep)), F::of(f64::from(step.second)));
    let (rest1, rest2) = (F::of(f64::from(d.rest1)), F::of(f64::from(d.rest2)));
    for ((p, &g), (m, v)) in
        params.iter_mut().zip(grads.iter()).zip(first.iter_mut().zip(second.iter_mut())).take(d.elements as usize)
    {
        *m = beta1 * *m + rest1 * g;
        *v = beta2 * *v + rest2 * g * g;
        *p = keep * *p - rate * *m / (v.sqrt() * root + eps);
    }
    let (loss, mut losses) = (b.read(4), b.write(5));
    let from = step.slot as usize * LOSS_PARTS;
    for part in 0..LOSS_PARTS {
        let sum: F = loss[..d.tiles as usize].iter().skip(part).step_by(LOSS_PARTS).copied().sum();
        losses[from + part] = F::of(f64::from(d.loss_scale)) * sum;
    }
}
