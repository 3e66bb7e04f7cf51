//! AdamW exactly as PyTorch's: decoupled decay, bias correction, eps outside the root (Loshchilov & Hutter, arXiv
//! 1711.05101), over all trainable parameters of a lane. The same dispatch gathers the step's loss.

use super::{Access, Bound, Read, Real, Step, Write, dims};

/// Partial sums of the loss per step; whoever reads them adds them up (in f64).
pub const LOSS_PARTS: usize = 32;

dims!(
    /// params and grads hold `elements` values, moments first `elements` first ones, then as many second ones;
    /// losses `[slots, 32]`, then from `loss_at` on `tiles` partial losses.
    Dims {
        elements: u32,
        loss_at: u32,
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

pub const BINDINGS: &[(&str, Access)] = &[("params", Write), ("grads", Read), ("moments", Write), ("losses", Write)];

impl Dims {
    pub fn workgroups(&self) -> u32 {
        // One more workgroup than the parameters need: its invocations gather the loss.
        (self.elements / 4).div_ceil(64) + 1
    }

    /// Update `count` parameters from `at` on.
    pub fn update<F: Real>(&self, step: &Step, range: std::ops::Range<usize>, p: &mut [F], g: &[F], moments: &mut [F]) {
        let of = |value: f32| F::of(f64::from(value));
        let (beta1, beta2, rest1, rest2, eps) =
            (of(self.beta1), of(self.beta2), of(self.rest1), of(self.rest2), of(self.eps));
        let (rate, keep, root) = (of(step.rate), of(step.keep), of(step.second));
        let (first, second) = moments.split_at_mut(self.elements as usize);
        let values = p[range.clone()].iter_mut().zip(&g[range.clone()]);
        for ((p, &g), (m, v)) in values.zip(first[range.clone()].iter_mut().zip(&mut second[range])) {
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *p = keep * *p - rate * *m / (v.sqrt() * root + eps);
        }
    }

    /// Add up the step's partial losses into its slot.
    pub fn gather<F: Real>(&self, step: &Step, losses: &mut [F]) {
        let (slots, tiles) = losses.split_at_mut(self.loss_at as usize);
        let from = step.slot as usize * LOSS_PARTS;
        for (part, slot) in slots[from..from + LOSS_PARTS].iter_mut().enumerate() {
            let sum: F = tiles[..self.tiles as usize].iter().skip(part).step_by(LOSS_PARTS).copied().sum();
            *slot = F::of(f64::from(self.loss_scale)) * sum;
        }
    }
}

pub fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (mut params, grads, mut moments) = (b.write(0), b.read(1), b.write(2));
    d.update(step, 0..d.elements as usize, &mut params, &grads, &mut moments);
    d.gather(step, &mut b.write(3));
}
