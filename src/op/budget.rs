//! AdaLoRA's budget (arXiv 2303.10512): how much each singular direction matters, and which of all layers' directions are
//! kept. Importance of a parameter is an average of `|w · ∂w|` times an average of its deviation; a direction's is its
//! singular value's with the means of its two vectors'. The budget falls as `b_T + (b₀ − b_T)(1 − τ)³`.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// params and grads hold lora_A `[rank, inputs]` from `a` on, lora_B `[rank, outputs]` from `b` on, lora_E `[rank]`
    /// from `e` on; state `[2, elements]`; scores `[layers, 512]`.
    Dims {
        rank: u32,
        inputs: u32,
        outputs: u32,
        real_inputs: u32,
        real_outputs: u32,
        a: u32,
        b: u32,
        e: u32,
        elements: u32,
        /// Place of this layer among the lane's adapted ones, and how many they are.
        layer: u32,
        layers: u32,
        /// Directions kept in all layers together, at first and at last.
        first_budget: u32,
        last_budget: u32,
        /// Steps between which the budget falls, and every how many directions are dropped meanwhile; then in every step.
        begin: u32,
        end: u32,
        interval: u32,
    }
);

kernel!(
    /// Averages of how much each parameter matters.
    pub static IMPORTANCE: Dims = "budget", "importance";
    bindings: [params: Read, grads: Read, state: Write],
    workgroups: |d, _| (d.rank * (d.inputs + d.outputs + 1)).div_ceil(SIZE),
    twin: importance,
);
kernel!(
    /// Importance of each of the layer's directions.
    pub static SCORE: Dims = "budget", "score";
    bindings: [scores: Write, state: Read],
    workgroups: |d, _| d.rank.div_ceil(SIZE),
    twin: score,
);
kernel!(
    /// Singular values of directions beyond the budget become zero.
    pub static ALLOCATE: Dims = "budget", "allocate";
    bindings: [scores: Write, params: Write],
    workgroups: |d, _| d.rank.div_ceil(SIZE),
    twin: allocate,
);

/// Entries of a layer in `scores`: the largest rank there is.
pub const WIDTH: usize = 512;
const SIZE: u32 = 64;
const BETA: f64 = 0.85;

impl Dims {
    /// Directions kept in all layers after step `index`; in f32, as the shader has it.
    pub fn budget(&self, index: u32) -> u32 {
        let through = (index.saturating_sub(self.begin) as f32 / (self.end - self.begin) as f32).min(1.0);
        let left = 1.0 - through;
        self.last_budget + ((self.first_budget - self.last_budget) as f32 * left * left * left) as u32
    }
}

fn importance<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, grads, mut state) = (b.read("params"), b.read("grads"), b.write("state"));
    let (rank, elements) = (d.rank as usize, d.elements as usize);
    let (beta, rest) = (F::of(BETA), F::one() - F::of(BETA));
    for (from, width) in [(d.a, d.inputs as usize), (d.b, d.outputs as usize), (d.e, 1)] {
        for at in from as usize..from as usize + rank * width {
            let now = (params[at] * grads[at]).abs();
            let mean = beta * state[at] + rest * now;
            state[at] = mean;
            state[elements + at] = beta * state[elements + at] + rest * (now - mean).abs();
        }
    }
}

fn score<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (mut scores, state) = (b.write("scores"), b.read("state"));
    let one = |at: usize| state[at] * state[d.elements as usize + at];
    let mean = |from: u32, k: usize, width: u32, real: u32| {
        let from = from as usize + k * width as usize;
        (from..from + real as usize).map(one).sum::<F>() / F::of(f64::from(real))
    };
    for k in 0..d.rank as usize {
        scores[d.layer as usize * WIDTH + k] =
            one(d.e as usize + k) + mean(d.a, k, d.inputs, d.real_inputs) + mean(d.b, k, d.outputs, d.real_outputs);
    }
}

fn allocate<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    if step.index < d.begin || (step.index < d.end && !step.index.is_multiple_of(d.interval)) {
        return;
    }
    let (scores, mut params) = (b.read("scores"), b.write("params"));
    let budget = d.budget(step.index) as usize;
    let all = || (0..d.layers as usize).flat_map(|l| (0..d.rank as usize).map(move |j| l * WIDTH + j));
    for k in 0..d.rank as usize {
        let own = d.layer as usize * WIDTH + k;
        let ahead = |&other: &usize| scores[other] > scores[own] || (scores[other] == scores[own] && other < own);
        if all().filter(ahead).count() >= budget {
            params[d.e as usize + k] = F::zero();
        }
    }
}
