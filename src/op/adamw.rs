//! AdamW exactly as PyTorch's: decoupled decay, bias correction, eps outside the root (Loshchilov & Hutter, arXiv
//! 1711.05101), and the gathering of a step's loss. Where a kernel's gradient is a parameter's whole gradient, that kernel
//! applies it, and these constants end its dims; elsewhere `step` does, from gradients that lie ready.

use crate::graph::{Bound, Real, Step, Update, dims, kernel};

/// Partial sums of the loss per step; whoever reads them adds them up (in f64).
pub const LOSS_PARTS: usize = 32;

/// Gives dims that end in the fields of [`Update`] the two ways between them.
macro_rules! updates {
    ($dims:ident) => {
        $crate::op::adamw::updates!(
            $dims: elements, loss_at, tiles, beta1, beta2, one_minus_beta1, one_minus_beta2, eps, loss_scale
        );
    };
    ($dims:ident: $($field:ident),*) => {
        impl $dims {
            /// The same, followed by AdamW.
            pub fn with_update(self, update: &$crate::graph::Update) -> Self {
                Self { $($field: update.$field,)* ..self }
            }

            pub fn update(&self) -> $crate::graph::Update {
                $crate::graph::Update { $($field: self.$field),* }
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
