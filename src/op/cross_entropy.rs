//! Cross-entropy over the classes of each token (mean over tokens) together with its gradient.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// y and dy `[tokens, outputs]`, labels `[pool]`, losses: one value per token from `loss_at` on.
    Dims { tokens: u32, outputs: u32, real_tokens: u32, real_outputs: u32, loss_at: u32 }
);

kernel!(
    /// The loss of every token, and the gradient of its logits.
    pub static CROSS_ENTROPY: Dims = "cross_entropy", "backward";
    bindings: [y: Read, labels: Read, dy: Write, losses: Write],
    workgroups: |d, _| d.tokens.div_ceil(32),
    twin: backward,
);

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (o, classes) = (d.outputs as usize, d.real_outputs as usize);
    let (y, labels, mut dy, mut losses) = (b.read("y"), b.read("labels"), b.write("dy"), b.write("losses"));
    let loss = &mut losses[d.loss_at as usize..];
    let share = F::one() / F::of(f64::from(d.real_tokens));
    for t in 0..d.tokens as usize {
        let out = &mut dy[t * o..(t + 1) * o];
        out.fill(F::zero());
        loss[t] = F::zero();
        if t >= d.real_tokens as usize {
            continue;
        }
        let logits = &y[t * o..t * o + classes];
        let label = labels[step.x_row as usize + t].f64() as usize;
        let max = logits.iter().copied().fold(F::neg_infinity(), F::max);
        let sum: F = logits.iter().map(|&v| (v - max).exp()).sum();
        loss[t] = max + sum.ln() - logits[label];
        for (c, (g, &v)) in out.iter_mut().zip(logits).enumerate() {
            let hit = if c == label { F::one() } else { F::zero() };
            *g = share * ((v - max).exp() / sum - hit);
        }
    }
}
