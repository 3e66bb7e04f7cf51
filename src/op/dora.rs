//! DoRA (arXiv 2402.09353): a weight whose direction is `W0 + s B A` and whose rows have trained lengths, as a change of
//! W0. The direction's length is a constant to the gradient, as in the paper.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// w0, delta, v, dv `[outputs, inputs]`; in params lora_A `[slots, inputs]` from `a` on, lora_B `[slots, outputs]`
    /// from `b` on, the magnitudes `[outputs]` from `m` on.
    Dims {
        inputs: u32,
        outputs: u32,
        real_outputs: u32,
        rank: u32,
        a: u32,
        b: u32,
        m: u32,
        scale: f32,
    }
);

kernel!(
    /// From the factors and the magnitudes to the change of W0.
    pub static DORA_FORWARD: Dims = "dora", "forward";
    bindings: [params: Read, v: Write, w0: Read, delta: Write],
    workgroups: |d, _| d.real_outputs,
    twin: forward,
);
kernel!(
    /// Gradients of magnitudes, of the direction and of lora_B.
    pub static DORA_BACKWARD: Dims = "dora", "backward";
    bindings: [params: Read, v: Write, d_delta: Read, dv: Write, grads: Write],
    workgroups: |d, _| d.real_outputs,
    twin: backward,
);
kernel!(
    /// The gradient of lora_A.
    pub static DORA_DOWN: Dims = "dora", "down_backward";
    bindings: [params: Read, dv: Read, grads: Write],
    workgroups: |d, _| (d.rank * d.inputs).div_ceil(SIZE),
    twin: down_backward,
);

const SIZE: u32 = 64;

impl Dims {
    fn sizes(&self) -> (usize, usize, usize) {
        (self.inputs as usize, self.outputs as usize, self.rank as usize)
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut v, w0, mut delta) = (b.read("params"), b.write("v"), b.read("w0"), b.write("delta"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for o in 0..d.real_outputs as usize {
        let row = o * inputs..(o + 1) * inputs;
        for i in 0..inputs {
            let at = |k: usize| params[d.b as usize + k * outputs + o] * params[d.a as usize + k * inputs + i];
            v[row.start + i] = w0[row.start + i] + scale * (0..rank).map(at).sum::<F>();
        }
        let share = ratio(params[d.m as usize + o], square(&v[row.clone()]));
        for i in row {
            delta[i] = share * v[i] - w0[i];
        }
    }
}

fn square<F: Real>(row: &[F]) -> F {
    row.iter().map(|&x| x * x).sum()
}

/// Magnitude over length; a row of zeros has no direction.
fn ratio<F: Real>(magnitude: F, square: F) -> F {
    if square == F::zero() { F::zero() } else { magnitude / square.sqrt() }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, v, d_delta, mut dv, mut grads) =
        (b.read("params"), b.read("v"), b.read("d_delta"), b.write("dv"), b.write("grads"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for o in 0..d.real_outputs as usize {
        let row = o * inputs..(o + 1) * inputs;
        let (own, change) = (&v[row.clone()], &d_delta[row.clone()]);
        let square = square(own);
        let along: F = own.iter().zip(change).map(|(&x, &y)| x * y).sum();
        grads[d.m as usize + o] = ratio(along, square);
        let share = ratio(params[d.m as usize + o], square);
        for i in row {
            dv[i] = share * d_delta[i];
        }
        for k in 0..rank {
            let a = &params[d.a as usize + k * inputs..][..inputs];
            let sum: F = change.iter().zip(a).map(|(&x, &y)| x * y).sum();
            grads[d.b as usize + k * outputs + o] = scale * share * sum;
        }
    }
}

fn down_backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, dv, mut grads) = (b.read("params"), b.read("dv"), b.write("grads"));
    let ((inputs, outputs, rank), scale) = (d.sizes(), F::of(f64::from(d.scale)));
    for k in 0..rank {
        for i in 0..inputs {
            let at = |o: usize| params[d.b as usize + k * outputs + o] * dv[o * inputs + i];
            grads[d.a as usize + k * inputs + i] = scale * (0..d.real_outputs as usize).map(at).sum::<F>();
        }
    }
}
