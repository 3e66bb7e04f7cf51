//! MoRA's factors (arXiv 2405.12130): a square matrix M behind a fold of the input, in which inputs that agree modulo its
//! side are added, and the same fold's tiling of the output. Backward: from the factors' gradients to M's.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// factors: M behind the fold `[slots, inputs]`, then the tiling `[slots, outputs]`; d_factors: their gradients; in params
    /// and grads M `[side, slots]` from `matrix` on.
    Dims {
        side: u32,
        /// Padded `side`.
        slots: u32,
        inputs: u32,
        outputs: u32,
        real_inputs: u32,
        real_outputs: u32,
        matrix: u32,
    }
);

kernel!(
    /// From M to the factors that the layer reads.
    pub static TILE_FORWARD: Dims = "tile", "forward";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| (d.slots * (d.inputs + d.outputs)).div_ceil(64),
    twin: forward,
);
kernel!(
    /// From the factors' gradients to M's.
    pub static TILE_BACKWARD: Dims = "tile", "backward";
    bindings: [d_factors: Read, grads: Write],
    workgroups: |d, _| (d.side * d.side).div_ceil(64),
    twin: backward,
);

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let (side, slots, inputs, outputs) = (d.side as usize, d.slots as usize, d.inputs as usize, d.outputs as usize);
    for p in 0..side {
        for i in 0..d.real_inputs as usize {
            factors[p * inputs + i] = params[d.matrix as usize + p * slots + i % side];
        }
        for o in (p..d.real_outputs as usize).step_by(side) {
            factors[slots * inputs + p * outputs + o] = F::one();
        }
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (d_factors, mut grads) = (b.read("d_factors"), b.write("grads"));
    let (side, inputs) = (d.side as usize, d.inputs as usize);
    for p in 0..side {
        for q in 0..side {
            let sum = (q..d.real_inputs as usize).step_by(side).map(|i| d_factors[p * inputs + i]).sum();
            grads[d.matrix as usize + p * d.slots as usize + q] = sum;
        }
    }
}
