//! Low-rank factors by row: each sequence of a batch has an adapter of its own, whose factors are gathered from those of all
//! adapters by a number (Punica, arXiv 2310.18547; S-LoRA, arXiv 2311.03285). Only forward: what is gathered is not trained.

use ndarray::Axis;

use super::{times_transposed, view, view_mut};
use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// x `[tokens, inputs]`, or `[pool, inputs]`, y `[tokens, outputs]`, down `[tokens, slots]`, adapter `[sequences]`: the number of a sequence's
    /// adapter, or −1 for none. bank: from `a_offset` on lora_A `[adapters, slots, inputs]`, from `b_offset` on lora_B
    /// `[adapters, slots, outputs]`.
    Dims {
        tokens: u32,
        /// Tokens of a sequence.
        sequence: u32,
        inputs: u32,
        outputs: u32,
        /// Rank, as a multiple of 4.
        slots: u32,
        /// 1: x is the pool of all batches.
        x_batched: u32,
        a_offset: u32,
        b_offset: u32,
        scale: f32,
    }
);

kernel!(
    /// `down = scale · A x`, zero for sequences without an adapter.
    pub static GATHERED_DOWN: Dims = "gathered", "down_rows";
    bindings: [x: Read, adapter: Read, bank: Read, down: Write],
    workgroups: |d, _| (d.tokens * d.slots / 4).div_ceil(64),
    twin: down_rows,
);
kernel!(
    /// `y += B down`.
    pub static GATHERED_UP: Dims = "gathered", "up_rows";
    bindings: [down: Read, adapter: Read, bank: Read, y: Write],
    workgroups: |d, _| (d.tokens * d.outputs / 4).div_ceil(64),
    twin: up_rows,
);

/// Ranges of tokens, a sequence each, with their adapters; those that have none left out.
fn rows<'a, F: Real>(d: &'a Dims, adapter: &'a [F]) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
    let (tokens, sequence) = (d.tokens as usize, d.sequence as usize);
    let starts = (0..tokens).step_by(sequence).zip(adapter).filter(|(_, adapter)| **adapter >= F::zero());
    starts.map(move |(from, adapter)| (from, sequence.min(tokens - from), adapter.f64() as usize))
}

fn down_rows<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, adapter, bank, mut down) = (b.read("x"), b.read("adapter"), b.read("bank"), b.write("down"));
    let (inputs, slots) = (d.inputs as usize, d.slots as usize);
    let pool = (d.x_batched * step.x_row) as usize;
    down[..d.tokens as usize * slots].fill(F::zero());
    for (from, count, adapter) in rows(d, &adapter) {
        let a = view(&bank, d.a_offset as usize + adapter * slots * inputs, slots, inputs, inputs);
        let x = view(&x, (pool + from) * inputs, count, inputs, inputs);
        let mut down = view_mut(&mut down, from * slots, count, slots, slots);
        times_transposed(F::of(d.scale.into()), &x, &a, F::zero(), &mut down);
    }
}

fn up_rows<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (down, adapter, bank, mut y) = (b.read("down"), b.read("adapter"), b.read("bank"), b.write("y"));
    let (outputs, slots) = (d.outputs as usize, d.slots as usize);
    for (from, count, adapter) in rows(d, &adapter) {
        let up = view(&bank, d.b_offset as usize + adapter * slots * outputs, slots, outputs, outputs);
        let down = view(&down, from * slots, count, slots, slots);
        let mut y = view_mut(&mut y, from * outputs, count, outputs, outputs);
        for (down, mut y) in down.rows().into_iter().zip(y.axis_iter_mut(Axis(0))) {
            for (&share, up) in down.iter().zip(up.rows()) {
                y.scaled_add(share, &up);
            }
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, matrix, run};

    /// Three sequences of two tokens, and two tokens of padding, on two adapters of rank 3.
    const DIMS: Dims = Dims {
        tokens: 8,
        sequence: 2,
        inputs: 8,
        outputs: 16,
        slots: 8,
        x_batched: 0,
        a_offset: 16,
        b_offset: 160,
        scale: 0.5,
    };
    const ADAPTER: [f64; 4] = [1.0, -1.0, 0.0, -1.0];

    fn bank() -> Vec<f64> {
        let mut bank = vec![9.0; 16];
        for seed in 0..2 {
            bank.extend(matrix(seed, [3, 7], [8, 8]));
        }
        bank.extend([9.0; 16]);
        for seed in 2..4 {
            bank.extend(matrix(seed, [3, 13], [8, 16]));
        }
        bank
    }

    #[test]
    fn each_sequence_reads_its_own_adapter() {
        let (x, bank) = (matrix(5, [6, 7], [8, 8]), bank());
        let down = run(&GATHERED_DOWN, &DIMS, &[&x, &ADAPTER, &bank], &[64]).remove(0);
        let y = run(&GATHERED_UP, &DIMS, &[&down, &ADAPTER, &bank], &[128]).remove(0);
        for token in 0..8 {
            let adapter = ADAPTER[token / 2];
            let mut wanted = vec![7.0; 16];
            if adapter >= 0.0 {
                let (a, b) = (&bank[16 + 64 * adapter as usize..], &bank[160 + 128 * adapter as usize..]);
                for slot in 0..8 {
                    let inner: f64 = (0..8).map(|i| a[slot * 8 + i] * x[token * 8 + i]).sum();
                    wanted.iter_mut().enumerate().for_each(|(o, y)| *y += 0.5 * inner * b[slot * 16 + o]);
                }
            }
            assert_close("y", &y[token * 16..(token + 1) * 16], &wanted, 1e-12);
        }
    }
}
