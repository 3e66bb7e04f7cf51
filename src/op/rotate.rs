//! Rotary position embedding (Su et al., arXiv 2104.09864) as Hugging Face's transformers has it for Llama: column i of a
//! head's first half is paired with column i of its second.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// x and out `[tokens, width]`: `heads` heads side by side, each of `head_dim` columns; table `[positions, table_width]`:
    /// a position's `head_dim / 2` cosines, then as many sines.
    Dims {
        tokens: u32,
        width: u32,
        heads: u32,
        /// Even.
        head_dim: u32,
        /// Tokens of a sequence.
        sequence: u32,
        table_width: u32,
        /// 1: the sequence goes on, from the position that the step begins at.
        continued: u32,
        /// 1, or −1 to turn back, which is how the gradient goes.
        direction: f32,
    }
);

kernel!(
    /// `(a, b) → (a cos − b sin, b cos + a sin)` of each pair, by the angles of the token's position.
    pub static ROTATE: Dims = "rotate", "forward";
    bindings: [x: Read, table: Read, out: Write],
    workgroups: |d, _| (d.tokens * d.width / 4).div_ceil(64),
    constants: |d, _| vec![("FOURS", d.head_dim.is_multiple_of(8).into())],
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, table, mut out) = (b.read("x"), b.read("table"), b.write("out"));
    let (width, head, sequence) = (d.width as usize, d.head_dim as usize, d.sequence as usize);
    let (half, used) = (head / 2, d.heads as usize * head);
    let (direction, first) = (F::of(d.direction.into()), (d.continued * step.x_row) as usize);
    for (t, (x, out)) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)).take(d.tokens as usize).enumerate() {
        let angles = &table[(t % sequence + first) * d.table_width as usize..][..head];
        let (cos, sin) = angles.split_at(half);
        for (x, out) in x[..used].chunks_exact(head).zip(out[..used].chunks_exact_mut(head)) {
            for i in 0..half {
                let (a, b, sin) = (x[i], x[i + half], direction * sin[i]);
                (out[i], out[i + half]) = (a * cos[i] - b * sin, b * cos[i] + a * sin);
            }
        }
        out[used..].fill(F::zero());
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, dot, matrix, run};

    const DIMS: Dims =
        Dims { tokens: 8, width: 16, heads: 2, head_dim: 6, sequence: 3, table_width: 8, continued: 1, direction: 1.0 };

    /// Five positions' angles, of which the step begins at the third, cosines before sines.
    fn table() -> Vec<f64> {
        let mut table = vec![0.0; 5 * 8];
        for (position, row) in table.chunks_exact_mut(8).enumerate() {
            for i in 0..3 {
                let angle = position as f64 * 10f64.powf(-(i as f64) / 3.0);
                (row[i], row[i + 3]) = (angle.cos(), angle.sin());
            }
        }
        table
    }

    #[test]
    fn pairs_are_turned_by_their_angle() {
        let x = matrix(1, [6, 12], [8, 16]);
        let out = run(&ROTATE, &DIMS, &[&x, &table()], &[128]).remove(0);
        let mut wanted = vec![0.0; 128];
        for t in 0..6 {
            for (head, i) in (0..2).flat_map(|head| (0..3).map(move |i| (head, i))) {
                let angle = (t % 3 + 2) as f64 * 10f64.powf(-(i as f64) / 3.0);
                let at = t * 16 + head * 6 + i;
                wanted[at] = x[at] * angle.cos() - x[at + 3] * angle.sin();
                wanted[at + 3] = x[at + 3] * angle.cos() + x[at] * angle.sin();
            }
        }
        assert_close("out", &out, &wanted, 1e-12);
    }

    #[test]
    fn turning_back_undoes_it_and_is_the_gradient() {
        let (x, dy) = (matrix(1, [6, 12], [8, 16]), matrix(2, [6, 12], [8, 16]));
        let turn = |x: &[f64], direction| run(&ROTATE, &Dims { direction, ..DIMS }, &[x, &table()], &[128]).remove(0);
        assert_close("x", &turn(&turn(&x, 1.0), -1.0), &x, 1e-12);
        assert!((dot(&dy, &turn(&x, 1.0)) - dot(&turn(&dy, -1.0), &x)).abs() < 1e-12);
    }
}
