//! RMSNorm (Zhang & Sennrich, arXiv 1910.07467) as Llama has it: each row by its root mean square, with a weight for each
//! column. The weight is frozen: only the input has a gradient.

use crate::graph::{Bound, Constants, Real, Step, Target, dims, kernel};

dims!(
    /// x, out and their gradients `[tokens, width]`, weight `[width]`.
    Dims {
        tokens: u32,
        width: u32,
        /// Columns that are not padding, which the mean is over.
        real_width: u32,
        eps: f32,
    }
);

kernel!(
    /// `out = weight ∘ x / √(mean x² + eps)`.
    pub static RMS_NORM: Dims = "rms_norm", "forward";
    bindings: [x: Read, weight: Read, out: Write],
    workgroups: |d, target| d.workgroups(target),
    constants: |_, target| constants(target),
    twin: forward,
);
kernel!(
    /// `dx = (g − n · mean(g ∘ n)) / √(mean x² + eps)`, where `g = weight ∘ dy` and n is x over that root.
    pub static RMS_NORM_BACKWARD: Dims = "rms_norm", "backward";
    bindings: [x: Read, weight: Read, dy: Read, dx: Write],
    workgroups: |d, target| d.workgroups(target),
    constants: |_, target| constants(target),
    twin: backward,
);

/// Invocations that share a row.
fn lanes(target: Target) -> u32 {
    if target == Target::Gpu { target.workgroup() } else { 1 }
}

fn constants(target: Target) -> Constants {
    vec![target.size(), ("LANES", lanes(target).into())]
}

impl Dims {
    /// Without a rest: there are as many tokens as a multiple of a workgroup's rows, which is 1 or 8.
    fn workgroups(&self, target: Target) -> u32 {
        self.tokens * lanes(target) / target.workgroup()
    }

    /// One over the root of the mean square.
    fn inverse<F: Real>(&self, x: &[F]) -> F {
        let square: F = x.iter().map(|&v| v * v).sum();
        F::one() / (square / F::of(self.real_width.into()) + F::of(self.eps.into())).sqrt()
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (x, weight, mut out) = (b.read("x"), b.read("weight"), b.write("out"));
    let width = d.width as usize;
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).take(d.tokens as usize) {
        let inverse = d.inverse(x);
        out.iter_mut().zip(x.iter().zip(weight.iter())).for_each(|(o, (&v, &w))| *o = inverse * v * w);
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (x, weight, dy, mut dx) = (b.read("x"), b.read("weight"), b.read("dy"), b.write("dx"));
    let width = d.width as usize;
    let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
    for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)).take(d.tokens as usize) {
        let inverse = d.inverse(x);
        let along: F = x.iter().zip(dy.iter().zip(weight.iter())).map(|(&v, (&g, &w))| v * g * w).sum();
        let along = inverse * inverse * along / F::of(d.real_width.into());
        for (out, ((&v, &g), &w)) in dx.iter_mut().zip(x.iter().zip(dy).zip(weight.iter())) {
            *out = inverse * (w * g - along * v);
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, assert_gradient, dot, matrix, run};

    const DIMS: Dims = Dims { tokens: 8, width: 8, real_width: 5, eps: 0.01 };

    #[test]
    fn rows_are_divided_by_their_root_mean_square() {
        let (x, weight) = (matrix(1, [3, 5], [8, 8]), matrix(2, [1, 5], [1, 8]));
        let out = run(&RMS_NORM, &DIMS, &[&x, &weight], &[64]).remove(0);
        for (x, out) in x.chunks_exact(8).zip(out.chunks_exact(8)) {
            let root = (dot(x, x) / 5.0 + f64::from(0.01f32)).sqrt();
            let wanted: Vec<f64> = x.iter().zip(&weight).map(|(v, w)| w * v / root).collect();
            assert_close("out", out, &wanted, 1e-12);
        }
    }

    #[test]
    fn gradient_is_that_of_differences() {
        let (x, weight) = (matrix(1, [3, 5], [8, 8]), matrix(2, [1, 5], [1, 8]));
        let dy = matrix(3, [3, 5], [8, 8]);
        let dx = run(&RMS_NORM_BACKWARD, &DIMS, &[&x, &weight, &dy], &[64]).remove(0);
        assert_gradient("dx", &x, &dx, |x| dot(&dy, &run(&RMS_NORM, &DIMS, &[x, &weight], &[64])[0]));
    }
}
