//! The mean of a sequence's rows, on each of them. It is its own adjoint: what comes back to a row is the mean of what comes
//! back to all, so one kernel goes both ways.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// x and out `[tokens, width]`, or x the pool.
    Dims {
        tokens: u32,
        /// Tokens that are not padding.
        real_tokens: u32,
        /// Tokens of a sequence.
        sequence: u32,
        width: u32,
        /// 1: x is the pool of all batches.
        x_batched: u32,
    }
);

kernel!(
    /// `out_t = Σ_s x_s / sequence`, s of the same sequence.
    pub static MEAN: Dims = "mean", "forward";
    bindings: [x: Read, out: Write],
    workgroups: |d, _| (d.tokens.div_ceil(d.sequence) * d.width / 4).div_ceil(32),
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, mut out) = (b.read("x"), b.write("out"));
    let (width, sequence) = (d.width as usize, d.sequence as usize);
    let x = &x[(d.x_batched * step.x_row) as usize * width..];
    let (real, padding) = out[..d.tokens as usize * width].split_at_mut(d.real_tokens as usize * width);
    padding.fill(F::zero());
    for (x, out) in x.chunks_exact(sequence * width).zip(real.chunks_exact_mut(sequence * width)) {
        let mut mean = vec![F::zero(); width];
        for row in x.chunks_exact(width) {
            mean.iter_mut().zip(row).for_each(|(m, &v)| *m += v);
        }
        mean.iter_mut().for_each(|m| *m = *m / F::of(sequence as f64));
        out.chunks_exact_mut(width).for_each(|row| row.copy_from_slice(&mean));
    }
}
