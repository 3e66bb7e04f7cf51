//! The sum of two paths: a residual connection forward, and the gradients of a value that is read twice backward. Its own
//! gradient needs no kernel: it is that of the sum, on both sides.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// a, b and out have `elements` values in rows of `width`, both multiples of 4.
    Dims {
        elements: u32,
        width: u32,
        /// 1: a, or b, is the pool of all batches.
        a_batched: u32,
        b_batched: u32,
    }
);

kernel!(
    /// `out = a + b`.
    pub static ADD: Dims = "add", "forward";
    bindings: [a: Read, b: Read, out: Write],
    workgroups: |d, _| (d.elements / 4).div_ceil(64),
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (left, right, mut out) = (b.read("a"), b.read("b"), b.write("out"));
    let from = |batched: u32| (batched * step.x_row * d.width) as usize;
    let both = left[from(d.a_batched)..].iter().zip(&right[from(d.b_batched)..]);
    out.iter_mut().zip(both).take(d.elements as usize).for_each(|(out, (&a, &b))| *out = a + b);
}
