//! The gradient of `coefficient · Σ_{i<j} cos²(vᵢ, vⱼ)`, added to that of v: the directions that rank-1 experts read should
//! differ, for where two are alike one of them is idle.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// In params and grads v `[experts, inputs]` from `v` on; at most 64 experts.
    Dims {
        experts: u32,
        inputs: u32,
        v: u32,
        coefficient: f32,
    }
);

kernel!(
    /// Adds the term's gradient to v's.
    pub static ORTHOGONAL: Dims = "orthogonal", "backward";
    bindings: [params: Read, grads: Write],
    workgroups: |d, _| d.experts,
    twin: backward,
);

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut grads) = (b.read("params"), b.write("grads"));
    let (n, inputs, v) = (d.experts as usize, d.inputs as usize, d.v as usize);
    let row = |e: usize| &params[v + e * inputs..v + (e + 1) * inputs];
    let dot = |x: &[F], y: &[F]| x.iter().zip(y).map(|(&x, &y)| x * y).sum::<F>();
    let two = F::of(2.0 * f64::from(d.coefficient));
    for e in 0..n {
        let square = dot(row(e), row(e));
        for j in (0..n).filter(|&j| j != e) {
            let (along, both) = (dot(row(e), row(j)), square * dot(row(j), row(j)));
            if both > F::zero() {
                for i in 0..inputs {
                    let slope = along / both * (row(j)[i] - along / square * row(e)[i]);
                    grads[v + e * inputs + i] += two * slope;
                }
            }
        }
    }
}
