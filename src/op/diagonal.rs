//! AdaLoRA's factors (arXiv 2303.10512), `P Λ Q`: rows of Q times their singular value, and P as it is. Backward: from the
//! factors' gradients to those of P, Q and Λ, with the term that keeps P and Q near orthogonal.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// factors and their gradients, d_factors: Λ Q `[slots, inputs]`, then P `[slots, outputs]`; in params and grads Q from
    /// `a` on, P from `b` on, Λ's diagonal `[slots]` from `values` on.
    Dims {
        rank: u32,
        /// Padded `rank`.
        slots: u32,
        inputs: u32,
        outputs: u32,
        a: u32,
        b: u32,
        values: u32,
        /// Coefficient of `‖P Pᵀ − I‖² + ‖Q Qᵀ − I‖²`.
        orthogonal: f32,
    }
);

kernel!(
    /// From P, Λ and Q to the factors that the layer reads.
    pub static DIAGONAL_FORWARD: Dims = "diagonal", "forward";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| (d.slots * (d.inputs + d.outputs)).div_ceil(64),
    twin: forward,
);
kernel!(
    /// From the factors' gradients to those of P, Λ and Q.
    pub static DIAGONAL_BACKWARD: Dims = "diagonal", "backward";
    bindings: [params: Read, d_factors: Read, grads: Write],
    workgroups: |d, _| 2 * d.rank,
    twin: backward,
);

impl Dims {
    /// Where Q lies and where P: in params, in the factors, and how wide a row is.
    fn halves(&self) -> [[usize; 3]; 2] {
        let (inputs, outputs) = (self.inputs as usize, self.outputs as usize);
        [[self.a as usize, 0, inputs], [self.b as usize, self.slots as usize * inputs, outputs]]
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let [[a, _, width], [up, from, outputs]] = d.halves();
    for k in 0..d.slots as usize {
        let value = params[d.values as usize + k];
        for i in k * width..(k + 1) * width {
            factors[i] = value * params[a + i];
        }
    }
    let len = d.slots as usize * outputs;
    factors[from..from + len].copy_from_slice(&params[up..up + len]);
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, d_factors, mut grads) = (b.read("params"), b.read("d_factors"), b.write("grads"));
    let (rank, four) = (d.rank as usize, F::of(4.0 * f64::from(d.orthogonal)));
    for (up, [rows, from, width]) in [false, true].into_iter().zip(d.halves()) {
        let row = |k: usize| &params[rows + k * width..rows + (k + 1) * width];
        let dot = |x: &[F], y: &[F]| x.iter().zip(y).map(|(&x, &y)| x * y).sum::<F>();
        for k in 0..rank {
            let value = params[d.values as usize + k];
            let own = &d_factors[from + k * width..from + (k + 1) * width];
            if !up {
                grads[d.values as usize + k] = dot(own, row(k));
            }
            let gram: Vec<F> =
                (0..rank).map(|j| four * (dot(row(k), row(j)) - if j == k { F::one() } else { F::zero() })).collect();
            for i in 0..width {
                let sum: F = (0..rank).map(|j| gram[j] * params[rows + j * width + i]).sum();
                grads[rows + k * width + i] = sum + if up { own[i] } else { value * own[i] };
            }
        }
    }
}
