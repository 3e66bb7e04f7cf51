//! Factors of few values, one scale and signs for each matrix of each expert: {−1, 1} about the mean (BitNet, arXiv
//! 2310.11453), or {−1, 0, 1} (arXiv 2402.17764). Gradients pass straight through, so there is no way back.

use crate::graph::{Bound, Real, Step, Target, dims, kernel};

dims!(
    /// factors: lora_A `[slots, inputs]` and the router `[router, inputs]`, which is copied, then lora_B `[slots, outputs]`;
    /// in params lora_A and the router from `a` on, lora_B from `b` on.
    Dims {
        rank: u32,
        experts: u32,
        /// Padded `experts · rank`.
        slots: u32,
        /// Padded rows of a router behind lora_A.
        router: u32,
        inputs: u32,
        outputs: u32,
        real_inputs: u32,
        real_outputs: u32,
        a: u32,
        b: u32,
        /// 1: to {−1, 0, 1}; 0: to {−1, 1}.
        ternary: u32,
    }
);

kernel!(
    /// From the factors that are trained to those that the layer reads.
    pub static QUANTISE: Dims = "quantise", "forward";
    bindings: [params: Read, factors: Write],
    workgroups: Dims::matrices,
    twin: forward,
);

impl Dims {
    /// Both matrices of every expert, and the router.
    fn matrices(&self, _: Target) -> u32 {
        2 * self.experts + u32::from(self.router > 0)
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let (rank, slots, router, inputs) = (d.rank as usize, d.slots as usize, d.router as usize, d.inputs as usize);
    let down = (d.a as usize, 0, inputs, d.real_inputs as usize);
    let up = (d.b as usize, (slots + router) * inputs, d.outputs as usize, d.real_outputs as usize);
    for (at, to, width, real) in [down, up] {
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
    let from = slots * inputs;
    factors[from..from + router * inputs].copy_from_slice(&params[d.a as usize + from..][..router * inputs]);
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
