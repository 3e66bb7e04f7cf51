//! Mean squared error over all elements together with its gradient, for an output that no linear layer ends in; where one
//! does, `layer_forward` ends in the same.

use super::{Access, Bound, Read, Real, Step, Write, dims};

dims!(
    /// y and dy `[tokens, outputs]`, target `[pool, outputs]`, losses: one partial sum per tile of 8 × 8 from `loss_at` on.
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

pub const BINDINGS: &[(&str, Access)] = &[("y", Read), ("target", Read), ("dy", Write), ("losses", Write)];

impl Dims {
    pub fn tiles(&self) -> u32 {
        self.tokens / 8 * (self.outputs / 8)
    }

    pub fn workgroups(&self) -> u32 {
        self.tiles().div_ceil(32)
    }
}

pub fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (y, target, mut dy, mut losses) = (b.read(0), b.read(1), b.write(2), b.write(3));
    let elements = (d.tokens * d.outputs) as usize;
    dy[..elements].copy_from_slice(&y[..elements]);
    compare(step, d, &mut dy, &target, &mut losses);
}

/// Puts the gradient in the place of the output.
pub fn compare<F: Real>(step: &Step, d: &Dims, out: &mut [F], target: &[F], losses: &mut [F]) {
    let (t, o, row) = (d.tokens as usize, d.outputs as usize, step.x_row as usize);
    let loss = &mut losses[d.loss_at as usize..][..d.tiles() as usize];
    let target = &target[row * o..(row + t) * o];
    let scale = F::of(f64::from(d.grad_scale));
    let (real_t, real_o) = (d.real_tokens as usize, d.real_outputs as usize);
    loss.fill(F::zero());
    let columns = o / 8;
    for r in 0..t {
        for c in 0..o {
            let at = r * o + c;
            let diff = if r < real_t && c < real_o { out[at] - target[at] } else { F::zero() };
            out[at] = scale * diff;
            loss[r / 8 * columns + c / 8] += diff * diff;
        }
    }
}
