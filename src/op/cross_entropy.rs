//! Cross-entropy over the classes of each token (mean over the tokens that count) together with its gradient.

use crate::graph::{Bound, Real, Step, Target, dims, kernel};

dims!(
    /// y and dy `[tokens, outputs]`, labels `[pool]`, losses: one value per token from `loss_at` on.
    Dims {
        tokens: u32,
        outputs: u32,
        /// Tokens and classes that are not padding.
        real_tokens: u32,
        real_outputs: u32,
        loss_at: u32,
        /// Tokens that the loss is a mean over. One whose label is negative is not among them: it has neither loss nor
        /// gradient.
        counted: u32,
    }
);

kernel!(
    /// The loss of every token, and the gradient of its logits.
    pub static CROSS_ENTROPY: Dims = "cross_entropy", "backward";
    bindings: [y: Read, labels: Read, dy: Write, losses: Write],
    workgroups: |d, target| (d.tokens * d.lanes(target)).div_ceil(target.workgroup()),
    constants: |d, target| vec![target.size(), ("LANES", d.lanes(target).into())],
    twin: backward,
);

impl Dims {
    /// Invocations that share a token.
    fn lanes(&self, target: Target) -> u32 {
        if target == Target::Gpu && self.outputs >= 128 { target.workgroup() } else { 1 }
    }
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (o, classes) = (d.outputs as usize, d.real_outputs as usize);
    let (y, labels, mut dy, mut losses) = (b.read("y"), b.read("labels"), b.write("dy"), b.write("losses"));
    let loss = &mut losses[d.loss_at as usize..];
    let share = F::one() / F::of(d.counted.into());
    for t in 0..d.tokens as usize {
        let out = &mut dy[t * o..(t + 1) * o];
        out.fill(F::zero());
        loss[t] = F::zero();
        if t >= d.real_tokens as usize {
            continue;
        }
        let label = labels[step.x_row as usize + t].f64();
        if label < 0.0 {
            continue;
        }
        let label = label as usize;
        let logits = &y[t * o..t * o + classes];
        let max = logits.iter().copied().fold(F::neg_infinity(), F::max);
        let sum: F = logits.iter().map(|&v| (v - max).exp()).sum();
        loss[t] = max + sum.ln() - logits[label];
        for (c, (g, &v)) in out.iter_mut().zip(logits).enumerate() {
            let hit = if c == label { F::one() } else { F::zero() };
            *g = share * ((v - max).exp() / sum - hit);
        }
    }
}
