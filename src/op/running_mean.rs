//! The mean of a sequence's rows up to each: what a gate of a causal model may see of its sequence.

use crate::graph::{Bound, Buffer, Pass, Real, Step, dims, kernel};

dims!(
    /// x `[tokens, width]` or the pool; out, d_out and dx `[tokens, width]`.
    Dims {
        tokens: u32,
        /// Tokens that are not padding.
        real_tokens: u32,
        /// Tokens of a sequence.
        sequence: u32,
        width: u32,
        /// 1: x is the pool of all batches. Only going forward.
        x_batched: u32,
    }
);

kernel!(
    /// `out_t = Σ_{s ≤ t} x_s / (t + 1)`, t counted from 0 in its sequence.
    pub static RUNNING_MEAN: Dims = "running_mean", "forward";
    bindings: [x: Read, out: Write],
    workgroups: |d, _| d.workgroups(),
    twin: forward,
);
kernel!(
    /// `dx_s = Σ_{t ≥ s} d_out_t / (t + 1)`.
    pub static RUNNING_MEAN_BACKWARD: Dims = "running_mean", "backward";
    bindings: [d_out: Read, dx: Write],
    workgroups: |d, _| d.workgroups(),
    twin: backward,
);

kernel!(
    /// The same of a sequence that goes on from the position that the step begins at, from the sums before it; `sums`
    /// `[positions, width]` has those after each of these tokens from then on.
    pub static RUNNING_MEAN_CONTINUED: Dims = "running_mean", "continued";
    bindings: [x: Read, sums: Write, out: Write],
    workgroups: |d, _| d.workgroups(),
    twin: continued,
);

impl Dims {
    /// One invocation for four columns of a sequence.
    fn workgroups(&self) -> u32 {
        (self.tokens.div_ceil(self.sequence) * self.width / 4).div_ceil(32)
    }
}

/// The means of x, or of what goes on from these sums.
pub fn means(dims: Dims, [x, out]: [Buffer; 2], sums: Option<Buffer>) -> Pass {
    match sums {
        None => RUNNING_MEAN.pass(dims, &[("x", x), ("out", out)]),
        Some(sums) => RUNNING_MEAN_CONTINUED.pass(dims, &[("x", x), ("sums", sums), ("out", out)]),
    }
}

/// `sum += share · row`.
fn add<F: Real>(sum: &mut [F], share: F, row: &[F]) {
    sum.iter_mut().zip(row).for_each(|(s, &v)| *s += share * v);
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, mut out) = (b.read("x"), b.write("out"));
    let (width, real, sequence) = (d.width as usize, d.real_tokens as usize, d.sequence as usize);
    let x = &x[(d.x_batched * step.x_row) as usize * width..];
    let mut sum = vec![F::zero(); width];
    for (t, out) in out.chunks_exact_mut(width).take(d.tokens as usize).enumerate() {
        if t >= real {
            out.fill(F::zero());
            continue;
        }
        if t % sequence == 0 {
            sum.fill(F::zero());
        }
        add(&mut sum, F::one(), &x[t * width..][..width]);
        let count = F::of((t % sequence + 1) as f64);
        out.iter_mut().zip(&sum).for_each(|(o, &s)| *o = s / count);
    }
}

fn continued<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, mut sums, mut out) = (b.read("x"), b.write("sums"), b.write("out"));
    let (width, first) = (d.width as usize, step.x_row as usize);
    let mut sum = vec![F::zero(); width];
    if first > 0 {
        sum.copy_from_slice(&sums[(first - 1) * width..][..width]);
    }
    for (t, (x, out)) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).take(d.tokens as usize).enumerate() {
        add(&mut sum, F::one(), x);
        sums[(first + t) * width..][..width].copy_from_slice(&sum);
        let count = F::of((first + t + 1) as f64);
        out.iter_mut().zip(&sum).for_each(|(o, &s)| *o = s / count);
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (d_out, mut dx) = (b.read("d_out"), b.write("dx"));
    let (width, real, sequence) = (d.width as usize, d.real_tokens as usize, d.sequence as usize);
    let mut sum = vec![F::zero(); width];
    dx.fill(F::zero());
    for t in (0..real).rev() {
        let count = F::of((t % sequence + 1) as f64);
        add(&mut sum, F::one() / count, &d_out[t * width..][..width]);
        dx[t * width..][..width].copy_from_slice(&sum);
        if t % sequence == 0 {
            sum.fill(F::zero());
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, assert_gradient, dot, matrix, run};

    const DIMS: Dims = Dims { tokens: 8, real_tokens: 6, sequence: 3, width: 8, x_batched: 0 };

    #[test]
    fn means_are_over_the_sequence_so_far() {
        let pool = matrix(1, [10, 5], [10, 8]);
        for (x_batched, first) in [(0, 0), (1, 2)] {
            let out = run(&RUNNING_MEAN, &Dims { x_batched, ..DIMS }, &[&pool], &[64]).remove(0);
            let mut wanted = vec![0.0; 64];
            for (t, c) in (0..6).flat_map(|t| (0..5).map(move |c| (t, c))) {
                let rows = t / 3 * 3..=t;
                let count = rows.clone().count() as f64;
                wanted[t * 8 + c] = rows.map(|s| pool[(first + s) * 8 + c]).sum::<f64>() / count;
            }
            assert_close("out", &out, &wanted, 1e-12);
        }
    }

    #[test]
    fn a_sequence_that_goes_on_has_the_means_of_the_whole() {
        let x = matrix(1, [10, 5], [16, 8]);
        let d = Dims { tokens: 10, real_tokens: 10, sequence: 10, width: 8, x_batched: 0 };
        let whole = run(&RUNNING_MEAN, &d, &[&x], &[128]).remove(0);
        // The sums of the first two rows lie ready, as `run` begins at the third.
        let mut sums = vec![0.0; 128];
        (0..5).for_each(|c| (sums[c], sums[8 + c]) = (x[c], x[c] + x[8 + c]));
        let d = Dims { tokens: 8, real_tokens: 8, sequence: 8, ..d };
        assert_close("out", &run(&RUNNING_MEAN_CONTINUED, &d, &[&x[16..], &sums], &[64])[0], &whole[16..80], 1e-12);
    }

    #[test]
    fn gradient_is_that_of_differences() {
        let (x, d_out) = (matrix(1, [6, 5], [8, 8]), matrix(2, [6, 5], [8, 8]));
        let dx = run(&RUNNING_MEAN_BACKWARD, &DIMS, &[&d_out], &[64]).remove(0);
        assert_gradient("dx", &x, &dx, |x| dot(&d_out, &run(&RUNNING_MEAN, &DIMS, &[x], &[64])[0]));
    }
}
