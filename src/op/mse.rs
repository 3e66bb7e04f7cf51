//! Mean squared error over all elements together with its gradient, for an output that no linear layer ends in; where one
//! does, `layer_forward` ends in the same.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// y and dy `[tokens, outputs]`, expected `[pool, outputs]`, losses: one partial sum per tile of 8 × 8 from `loss_at` on.
    Dims {
        tokens: u32,
        outputs: u32,
        real_tokens: u32,
        real_outputs: u32,
        loss_at: u32,
        /// 2 / (real_tokens · real_outputs).
        grad_scale: f32,
    }
);

kernel!(
    /// The loss of every tile, and the gradient of the output.
    pub static MSE: Dims = "mse", "backward";
    bindings: [y: Read, expected: Read, dy: Write, losses: Write],
    workgroups: |d, _| d.tiles().div_ceil(32),
    twin: backward,
);

impl Dims {
    pub fn tiles(&self) -> u32 {
        self.tokens / 8 * (self.outputs / 8)
    }
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (y, expected, mut dy, mut losses) = (b.read("y"), b.read("expected"), b.write("dy"), b.write("losses"));
    let elements = (d.tokens * d.outputs) as usize;
    dy[..elements].copy_from_slice(&y[..elements]);
    compare(step, d, &mut dy, &expected, &mut losses);
}

/// Puts the gradient in the place of the output.
pub fn compare<F: Real>(step: &Step, d: &Dims, out: &mut [F], expected: &[F], losses: &mut [F]) {
    let (t, o, row) = (d.tokens as usize, d.outputs as usize, step.x_row as usize);
    let loss = &mut losses[d.loss_at as usize..][..d.tiles() as usize];
    let expected = &expected[row * o..(row + t) * o];
    let scale = F::of(f64::from(d.grad_scale));
    let (real_t, real_o) = (d.real_tokens as usize, d.real_outputs as usize);
    loss.fill(F::zero());
    let columns = o / 8;
    for r in 0..t {
        for c in 0..o {
            let at = r * o + c;
            let diff = if r < real_t && c < real_o { out[at] - expected[at] } else { F::zero() };
            out[at] = scale * diff;
            loss[r / 8 * columns + c / 8] += diff * diff;
        }
    }
}
