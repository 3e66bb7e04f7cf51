//! Projection of token rows onto the rows of a matrix, `out = scale · x wᵀ`: down onto lora_A, and back, the output's
//! gradient onto lora_B. Mixtures have their projections in `gate`, together with what follows them.

use super::{times_transposed, view, view_mut};
use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// x `[tokens, inner]`, w `[outputs, inner]`, out `[tokens, outputs]`.
    Dims {
        tokens: u32,
        inner: u32,
        outputs: u32,
        /// 1: x is the pool of all batches, and this step's begins at `step.x_row`.
        x_batched: u32,
        /// First element of the matrix in `w`.
        w_offset: u32,
        scale: f32,
    }
);

kernel!(
    /// `out = scale · x wᵀ`.
    pub static PROJECT: Dims = "project", "forward";
    bindings: [x: Read, w: Read, out: Write],
    workgroups: |d, target| (d.tokens / 8 * (d.outputs / 4)).div_ceil(target.workgroup()),
    constants: |_, target| vec![target.size()],
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (t, k, m) = (d.tokens as usize, d.inner as usize, d.outputs as usize);
    let (x, w, mut out) = (b.read("x"), b.read("w"), b.write("out"));
    let row = (d.x_batched * step.x_row) as usize;
    let x = view(&x, row * k, t, k, k);
    let w = view(&w, d.w_offset as usize, m, k, k);
    times_transposed(F::of(f64::from(d.scale)), &x, &w, F::zero(), &mut view_mut(&mut out, 0, t, m, m));
}
