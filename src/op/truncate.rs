//! The first directions of two factors, as DyLoRA (arXiv 2210.07558) trains them: as many as a step draws, the rest zero.

use super::random::pcg;
use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// factors: lora_A `[slots, inputs]`, then lora_B `[slots, outputs]`; in params the same from `a` and from `b` on.
    Dims {
        rank: u32,
        /// Padded `rank`.
        slots: u32,
        inputs: u32,
        outputs: u32,
        a: u32,
        b: u32,
        /// 1: how many directions there are is drawn anew in every step; 0: all.
        sampled: u32,
    }
);

kernel!(
    /// Directions beyond those of the step are zero in both factors, and so are their gradients.
    pub static TRUNCATE: Dims = "truncate", "forward";
    bindings: [params: Read, factors: Write],
    workgroups: |d, _| (d.slots * (d.inputs + d.outputs)).div_ceil(64),
    at_rest: |d| Dims { sampled: 0, ..d },
    twin: forward,
);

impl Dims {
    /// Directions that a step trains: 1 to `rank`, drawn from its number.
    fn kept(&self, step: &Step) -> usize {
        match self.sampled {
            1 => 1 + (pcg(step.index) % self.rank) as usize,
            _ => self.rank as usize,
        }
    }
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (params, mut factors) = (b.read("params"), b.write("factors"));
    let (slots, inputs, outputs) = (d.slots as usize, d.inputs as usize, d.outputs as usize);
    for (from, to, width) in [(d.a as usize, 0, inputs), (d.b as usize, slots * inputs, outputs)] {
        let (len, kept) = (slots * width, d.kept(step) * width);
        factors[to..to + kept].copy_from_slice(&params[from..from + kept]);
        factors[to + kept..to + len].fill(F::zero());
    }
}
