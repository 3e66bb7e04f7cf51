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
        out.iter_mut().zip(logits).for_each(|(g, &v)| *g = v - max);
        F::powers_of_e(&mut out[..classes]);
        let sum: F = out[..classes].iter().copied().sum();
        loss[t] = max + sum.ln() - logits[label];
        let each = share / sum;
        out[..classes].iter_mut().for_each(|g| *g = each * *g);
        out[label] = out[label] - share;
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_gradient, matrix, run};

    const DIMS: Dims = Dims { tokens: 8, outputs: 8, real_tokens: 5, real_outputs: 6, loss_at: 0, counted: 3 };

    #[test]
    fn negative_labels_do_not_count() {
        let y = matrix(1, [5, 6], [8, 8]);
        // The step's batch begins at row 2 of the pool.
        let labels = [0.0, 0.0, 3.0, -1.0, 5.0, 0.0, -1.0, 0.0, 0.0, 0.0];
        let made = run(&CROSS_ENTROPY, &DIMS, &[&y, &labels], &[64, 8]);
        let (dy, losses) = (&made[0], &made[1]);
        for (t, (&loss, y)) in losses.iter().zip(y.chunks_exact(8)).enumerate() {
            let label = labels[t + 2];
            let wanted = if t < 5 && label >= 0.0 {
                y[..6].iter().map(|v| v.exp()).sum::<f64>().ln() - y[label as usize]
            } else {
                0.0
            };
            assert!((loss - wanted).abs() < 1e-12, "{t}: {loss} instead of {wanted}");
        }
        for t in [1, 4, 5, 6, 7] {
            assert!(dy[t * 8..][..8].iter().all(|&v| v == 0.0), "{t}");
        }
        let mean = |y: &[f64]| run(&CROSS_ENTROPY, &DIMS, &[y, &labels], &[64, 8])[1].iter().sum::<f64>() / 3.0;
        assert_gradient("dy", &y, dy, mean);
    }
}
