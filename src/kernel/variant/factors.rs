//! Low-rank factors made of what a lane really trains, and the way back. Forward: `quantise` (one scale and signs per
//! matrix, gradients passing straight through), `truncate` (DyLoRA's first directions), `diagonal` (AdaLoRA's P Λ Q) and
//! `tile` (MoRA's square matrix between folds). Backward, of the last two: from the factors' gradients to the parameters'.

use crate::kernel::gate::pcg;
use crate::kernel::{Bound, Real, Step, Target, dims, kernel};

dims!(
    /// factors and dfactors: lora_A and the router `[slots + router, inputs]`, then lora_B `[slots, outputs]`; in params
    /// likewise from `a` and from `b` on, and from `extra` on lora_E `[slots]` or mora_M `[side, stride]`.
    Dims {
        rank: u32,
        experts: u32,
        /// Padded `experts · rank`, or `side`.
        slots: u32,
        /// Padded rows of a router behind lora_A.
        router: u32,
        inputs: u32,
        outputs: u32,
        real_inputs: u32,
        real_outputs: u32,
        a: u32,
        b: u32,
        extra: u32,
        /// MoRA's r̂.
        side: u32,
        stride: u32,
        /// 1: quantised to {−1, 0, 1}; 0: to {−1, 1}.
        ternary: u32,
        /// 1: `truncate` draws how many directions this step has; 0: it has all.
        sampled: u32,
        /// Coefficient of AdaLoRA's `‖P Pᵀ − I‖² + ‖Q Qᵀ − I‖²`.
        orthogonal: f32,
    }
);

kernel!(
    /// One scale and signs for each matrix.
    pub static QUANTISE: Dims = "factors", "quantise";
    bindings: [params: Read, factors: Write],
    workgroups: Dims::matrices,
    twin: quantise,
);
kernel!(
    /// DyLoRA's first directions, as many as the step draws.
    pub static TRUNCATE: Dims = "factors", "truncate";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| d.elements().div_ceil(SIZE),
    at_rest: |d| Dims { sampled: 0, ..d },
    twin: truncate,
);
kernel!(
    /// AdaLoRA's P Λ Q.
    pub static DIAGONAL: Dims = "factors", "diagonal";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| d.elements().div_ceil(SIZE),
    twin: diagonal,
);
kernel!(
    /// MoRA's square matrix between folds.
    pub static TILE: Dims = "factors", "tile";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| d.elements().div_ceil(SIZE),
    twin: tile,
);
kernel!(
    /// [`DIAGONAL`] backward.
    pub static DIAGONAL_BACKWARD: Dims = "factors", "diagonal_backward";
    bindings: [params: Read, factors: Write, grads: Write],
    workgroups: |d, _| 2 * d.rank,
    twin: diagonal_backward,
);
kernel!(
    /// [`TILE`] backward.
    pub static TILE_BACKWARD: Dims = "factors", "tile_backward";
    bindings: [params: Read, factors: Write, grads: Write],
    workgroups: |d, _| (d.side * d.side).div_ceil(SIZE),
    twin: tile_backward,
);

const SIZE: u32 = 64;

impl Dims {
    fn elements(&self) -> u32 {
        self.slots * (self.inputs + self.outputs)
    }
    /// Both matrices of every expert, and the router.
    fn matrices(&self, _: Target) -> u32 {
        2 * self.experts + u32::from(self.router > 0)
    }
    /// Directions that DyLoRA trains in this step: 1 to `rank`, drawn from the step's number.
    fn kept(&self, step: &Step) -> usize {
        match self.sampled {
            1 => 1 + (pcg(step.index) % self.rank) as usize,
            _ => self.rank as usize,
        }
    }
    /// Where lora_A lies and where lora_B: offset in params, offset in factors, width, real width.
    fn halves(&self) -> [[usize; 4]; 2] {
        let from = (self.slots + self.router) * self.inputs;
        [
            [self.a, 0, self.inputs, self.real_inputs].map(|v| v as usize),
            [self.b, from, self.outputs, self.real_outputs].map(|v| v as usize),
        ]
    }
}

fn truncate<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    for [at, to, width, _] in d.halves() {
        let (len, kept) = (d.slots as usize * width, d.kept(step) * width);
        factors[to..to + kept].copy_from_slice(&params[at..at + kept]);
        factors[to + kept..to + len].fill(F::zero());
    }
}

fn diagonal<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let [[a, _, width, _], [up, from, outputs, _]] = d.halves();
    for k in 0..d.slots as usize {
        let value = params[d.extra as usize + k];
        for i in k * width..(k + 1) * width {
            factors[i] = value * params[a + i];
        }
    }
    let len = d.slots as usize * outputs;
    factors[from..from + len].copy_from_slice(&params[up..up + len]);
}

fn tile<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let [[_, _, inputs, real_inputs], [_, from, outputs, real_outputs]] = d.halves();
    let (side, stride) = (d.side as usize, d.stride as usize);
    for p in 0..side {
        for i in 0..real_inputs {
            factors[p * inputs + i] = params[d.extra as usize + p * stride + i % side];
        }
        for o in (p..real_outputs).step_by(side) {
            factors[from + p * outputs + o] = F::one();
        }
    }
}

fn quantise<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let rank = d.rank as usize;
    for [at, to, width, real] in d.halves() {
        for expert in 0..d.experts as usize {
            let range = expert * rank * width..(expert + 1) * rank * width;
            let own = &params[at + range.start..at + range.end];
            let elements = F::of((rank * real) as f64);
            let mean = own.iter().copied().sum::<F>() / elements;
            let scale = own.iter().map(|w| w.abs()).sum::<F>() / elements;
            for (i, (&w, out)) in own.iter().zip(&mut factors[to + range.start..to + range.end]).enumerate() {
                *out = match i % width < real {
                    true => scale * if d.ternary == 1 { ternary(w, scale) } else { sign(w - mean) },
                    false => F::zero(),
                };
            }
        }
    }
    let from = d.slots as usize * d.inputs as usize;
    let router = (d.router * d.inputs) as usize;
    factors[from..from + router].copy_from_slice(&params[d.a as usize + from..][..router]);
}

/// 0 of 0, as WGSL and PyTorch have it.
fn sign<F: Real>(value: F) -> F {
    if value == F::zero() { value } else { value.signum() }
}

fn ternary<F: Real>(w: F, scale: F) -> F {
    // A half rounds to even, to 0.
    let half = F::of(0.5) * scale;
    if w.abs() <= half { F::zero() } else { w.signum() }
}

fn tile_backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (factors, mut grads) = (b.read("factors"), b.write("grads"));
    let (side, inputs) = (d.side as usize, d.inputs as usize);
    for p in 0..side {
        for q in 0..side {
            let sum = (q..d.real_inputs as usize).step_by(side).map(|i| factors[p * inputs + i]).sum();
            grads[d.extra as usize + p * d.stride as usize + q] = sum;
        }
    }
}

fn diagonal_backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, factors, mut grads) = (b.read("params"), b.read("factors"), b.write("grads"));
    let (rank, four) = (d.rank as usize, F::of(4.0 * f64::from(d.orthogonal)));
    for (up, [rows, from, width, _]) in [false, true].into_iter().zip(d.halves()) {
        let row = |k: usize| &params[rows + k * width..rows + (k + 1) * width];
        let dot = |x: &[F], y: &[F]| x.iter().zip(y).map(|(&x, &y)| x * y).sum::<F>();
        for k in 0..rank {
            let value = params[d.extra as usize + k];
            let own = &factors[from + k * width..from + (k + 1) * width];
            if !up {
                grads[d.extra as usize + k] = dot(own, row(k));
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
