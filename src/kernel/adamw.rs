//! AdamW exactly as PyTorch's: decoupled decay, bias correction, eps outside the root (Loshchilov & Hutter, arXiv
//! 1711.05101), and the gathering of a step's loss. Where a kernel's gradient is a parameter's whole gradient, that kernel
//! applies it, and these constants end its dims; elsewhere `step` does, from gradients that lie ready.

use super::{Bound, Real, Step, dims, kernel};

/// Partial sums of the loss per step; whoever reads them adds them up (in f64).
pub const LOSS_PARTS: usize = 32;

/// What the update needs beyond the step's own numbers.
///
/// moments holds `elements` first ones, then as many second ones; losses `[slots, 32]`, then from `loss_at` on `tiles`
/// partial losses. `tiles` of 0 leaves the loss to another pass of the step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Update {
    pub elements: u32,
    pub loss_at: u32,
    pub tiles: u32,
    pub beta1: f32,
    pub beta2: f32,
    /// 1 − beta1 and 1 − beta2, rounded once from f64: 1 − 0.999 in f32 is off by 1e-5.
    pub one_minus_beta1: f32,
    pub one_minus_beta2: f32,
    pub eps: f32,
    /// 1 / the number of elements the loss is a mean over.
    pub loss_scale: f32,
}

/// Gives dims that end in the fields of [`Update`] the two ways between them.
macro_rules! updates {
    ($dims:ident) => {
        impl $dims {
            /// The same, followed by AdamW.
            pub fn with_update(self, update: &crate::kernel::adamw::Update) -> Self {
                let crate::kernel::adamw::Update {
                    elements,
                    loss_at,
                    tiles,
                    beta1,
                    beta2,
                    one_minus_beta1,
                    one_minus_beta2,
                    eps,
                    loss_scale,
                } = *update;
                Self {
                    elements,
                    loss_at,
                    tiles,
                    beta1,
                    beta2,
                    one_minus_beta1,
                    one_minus_beta2,
                    eps,
                    loss_scale,
                    ..self
                }
            }

            pub fn update(&self) -> crate::kernel::adamw::Update {
                let Self {
                    elements,
                    loss_at,
                    tiles,
                    beta1,
                    beta2,
                    one_minus_beta1,
                    one_minus_beta2,
                    eps,
                    loss_scale,
                    ..
                } = *self;
                crate::kernel::adamw::Update {
                    elements,
                    loss_at,
                    tiles,
                    beta1,
                    beta2,
                    one_minus_beta1,
                    one_minus_beta2,
                    eps,
                    loss_scale,
                }
            }
        }
    };
}
pub(crate) use updates;

dims!(
    /// Parameters `begin … begin + count`; the rest as in [`Update`].
    Dims {
        begin: u32,
        count: u32,
        elements: u32,
        loss_at: u32,
        tiles: u32,
        beta1: f32,
        beta2: f32,
        one_minus_beta1: f32,
        one_minus_beta2: f32,
        eps: f32,
        loss_scale: f32,
    }
);
updates!(Dims);

kernel!(
    /// AdamW for parameters whose gradients lie ready.
    pub static ADAMW: Dims = "adamw", "step";
    bindings: [grads: Read, params: Write, moments: Write, losses: Write],
    workgroups: |d, _| d.count.div_ceil(64) + 1,
    twin: step,
);

fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let update = d.update();
    let range = d.begin as usize..(d.begin + d.count) as usize;
    update.apply(step, range, &mut b.write("params"), &b.read("grads"), &mut b.write("moments"));
    if d.tiles > 0 {
        update.gather(step, &mut b.write("losses"));
    }
}

impl Update {
    /// Update the parameters in `range`.
    pub fn apply<F: Real>(&self, step: &Step, range: std::ops::Range<usize>, p: &mut [F], g: &[F], moments: &mut [F]) {
        let of = |value: f32| F::of(f64::from(value));
        let (beta1, beta2, one_minus_beta1, one_minus_beta2, eps) =
            (of(self.beta1), of(self.beta2), of(self.one_minus_beta1), of(self.one_minus_beta2), of(self.eps));
        let (rate, keep, root) = (of(step.rate), of(step.decay), of(step.inv_sqrt_bias2));
        let (first, second) = moments.split_at_mut(self.elements as usize);
        let values = p[range.clone()].iter_mut().zip(&g[range.clone()]);
        for ((p, &g), (m, v)) in values.zip(first[range.clone()].iter_mut().zip(&mut second[range])) {
            *m = beta1 * *m + one_minus_beta1 * g;
            *v = beta2 * *v + one_minus_beta2 * g * g;
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
