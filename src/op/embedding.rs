//! An embedding: each token's row of a table, which a lane may change, and the gradient of that change.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// ids `[tokens, ids_width]`, or the pool; w0, the table, and its change `[rows, width]`, out and dy `[tokens, width]`.
    Dims {
        tokens: u32,
        /// Tokens that are not padding.
        real_tokens: u32,
        /// Width of a row of ids; the id is the first of its row.
        ids_width: u32,
        /// 1: ids is the pool of all batches.
        ids_batched: u32,
        width: u32,
        rows: u32,
        /// 1: the change in `params`, from `offset` on, is added.
        trained: u32,
        offset: u32,
    }
);

kernel!(
    /// `out = w0[ids]`, of the table with its change.
    pub static EMBEDDING: Dims = "embedding", "forward";
    bindings: [ids: Read, w0: Read, params: Read, out: Write],
    workgroups: |d, _| (d.tokens * d.width / 4).div_ceil(64),
    twin: forward,
);
kernel!(
    /// Row by row of the table, the sum of `dy` over the tokens that name it.
    pub static EMBEDDING_BACKWARD: Dims = "embedding", "backward";
    bindings: [ids: Read, dy: Read, grads: Write],
    workgroups: |d, _| (d.rows * d.width / 8).div_ceil(64),
    twin: backward,
);

impl Dims {
    /// The row that each token of the batch names.
    fn tokens<'a, F: Real>(&self, step: &Step, ids: &'a [F]) -> impl Iterator<Item = usize> + 'a {
        let first = (self.ids_batched * step.x_row) as usize;
        let rows = ids.chunks_exact(self.ids_width as usize).skip(first).take(self.real_tokens as usize);
        rows.map(|row| row[0].f64() as usize)
    }
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (ids, table, params, mut out) = (b.read("ids"), b.read("w0"), b.read("params"), b.write("out"));
    let width = d.width as usize;
    out[..d.tokens as usize * width].fill(F::zero());
    for (out, row) in out.chunks_exact_mut(width).zip(d.tokens(step, &ids)) {
        out.copy_from_slice(&table[row * width..][..width]);
        if d.trained == 1 {
            let change = &params[d.offset as usize + row * width..][..width];
            out.iter_mut().zip(change).for_each(|(out, &change)| *out += change);
        }
    }
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (ids, dy, mut grads) = (b.read("ids"), b.read("dy"), b.write("grads"));
    let width = d.width as usize;
    let grads = &mut grads[d.offset as usize..][..d.rows as usize * width];
    grads.fill(F::zero());
    for (dy, row) in dy.chunks_exact(width).zip(d.tokens(step, &ids)) {
        grads[row * width..][..width].iter_mut().zip(dy).for_each(|(sum, &dy)| *sum += dy);
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_gradient, dot, matrix, run};

    /// The step's batch begins at row 2 of the pool.
    fn ids() -> Vec<f64> {
        [4, 4, 3, 0, 4].iter().flat_map(|&id| [f64::from(id), 9.0]).collect()
    }

    const DIMS: Dims =
        Dims { tokens: 8, real_tokens: 3, ids_width: 2, ids_batched: 0, width: 8, rows: 8, trained: 0, offset: 0 };

    #[test]
    fn rows_are_those_of_the_table() {
        let (table, change) = (matrix(1, [5, 6], [5, 8]), matrix(2, [5, 6], [8, 8]));
        let params = [vec![7.0; 8], change.clone()].concat();
        for (ids_batched, wanted) in [(0, [4, 4, 3]), (1, [3, 0, 4])] {
            for trained in [0, 1] {
                let d = Dims { ids_batched, trained, offset: 8, ..DIMS };
                let out = run(&EMBEDDING, &d, &[&ids(), &table, &params], &[64]).remove(0);
                for (out, id) in out.chunks_exact(8).zip(wanted) {
                    let row = table[id * 8..][..8].iter().zip(&change[id * 8..][..8]);
                    let expected: Vec<f64> = row.map(|(table, change)| table + f64::from(trained) * change).collect();
                    assert_eq!(out, expected);
                }
                assert!(out[24..].iter().all(|&v| v == 0.0));
            }
        }
    }

    #[test]
    fn tokens_of_one_row_add_up() {
        let (change, dy) = (matrix(2, [5, 6], [8, 8]), matrix(3, [3, 6], [8, 8]));
        for ids_batched in [0, 1] {
            let d = Dims { ids_batched, trained: 1, ..DIMS };
            let loss = |change: &[f64]| dot(&run(&EMBEDDING, &d, &[&ids(), &[0.0; 64], change], &[64])[0], &dy);
            let grads = run(&EMBEDDING_BACKWARD, &d, &[&ids(), &dy], &[64]).remove(0);
            assert_gradient("change", &change, &grads, loss);
        }
    }
}
