//! An embedding: each token's row of a table.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// ids `[tokens, ids_width]`, or the pool; table `[vocabulary, width]`, out `[tokens, width]`.
    Dims {
        tokens: u32,
        /// Tokens that are not padding.
        real_tokens: u32,
        /// Width of a row of ids; the id is the first of its row.
        ids_width: u32,
        /// 1: ids is the pool of all batches.
        ids_batched: u32,
        width: u32,
    }
);

kernel!(
    /// `out = table[ids]`.
    pub static EMBEDDING: Dims = "embedding", "forward";
    bindings: [ids: Read, table: Read, out: Write],
    workgroups: |d, _| (d.tokens * d.width / 4).div_ceil(64),
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (ids, table, mut out) = (b.read("ids"), b.read("table"), b.write("out"));
    let (real, width) = (d.real_tokens as usize, d.width as usize);
    let first = (d.ids_batched * step.x_row) as usize;
    for (t, out) in out.chunks_exact_mut(width).take(d.tokens as usize).enumerate() {
        if t < real {
            let row = ids[(first + t) * d.ids_width as usize].f64() as usize;
            out.copy_from_slice(&table[row * width..][..width]);
        } else {
            out.fill(F::zero());
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{matrix, run};

    #[test]
    fn rows_are_those_of_the_table() {
        let table = matrix(1, [5, 6], [5, 8]);
        // The step's batch begins at row 2 of the pool.
        let ids: Vec<f64> = [4, 4, 3, 0, 4].iter().flat_map(|&id| [f64::from(id), 9.0]).collect();
        for (ids_batched, wanted) in [(0, [4, 4, 3]), (1, [3, 0, 4])] {
            let d = Dims { tokens: 8, real_tokens: 3, ids_width: 2, ids_batched, width: 8 };
            let out = run(&EMBEDDING, &d, &[&ids, &table], &[64]).remove(0);
            for (out, id) in out.chunks_exact(8).zip(wanted) {
                assert_eq!(out, &table[id * 8..][..8]);
            }
            assert!(out[24..].iter().all(|&v| v == 0.0));
        }
    }
}
