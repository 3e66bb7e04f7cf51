//! Gradients of weights, `out = leftᵀ right` summed over token rows; two products in one dispatch, because the
//! two factors of an adapter want theirs at the same moment. With AdamW in the same dispatch where a lane's parameters
//! are all of this kind.

use ndarray::linalg::general_mat_mul;

use super::{Access, Bound, Read, Real, Step, Write, adamw, at_a_time, dims, view, view_mut};

dims!(
    /// For each product: left `[rows, m]` from column `left_offset` of rows `left_stride` wide, right `[rows, n]`
    /// likewise; out `[m, n]` at `out` in `grads`. `m` of 0 leaves the product out.
    Dims {
        rows: u32,
        m0: u32,
        n0: u32,
        left_stride0: u32,
        left_offset0: u32,
        right_stride0: u32,
        right_offset0: u32,
        right_batched0: u32,
        out0: u32,
        m1: u32,
        n1: u32,
        left_stride1: u32,
        left_offset1: u32,
        right_stride1: u32,
        right_offset1: u32,
        right_batched1: u32,
        out1: u32,
        /// By how much the first product's weights learn faster than the others: 0 not at all, 15 sixteen times (LoRA+).
        boost0: f32,
        /// From here on those of [`adamw::Update`], for `step`.
        elements: u32,
        loss_at: u32,
        tiles: u32,
        beta1: f32,
        beta2: f32,
        rest1: f32,
        rest2: f32,
        eps: f32,
        loss_scale: f32,
    }
);

pub const BINDINGS: &[(&str, Access)] =
    &[("left0", Read), ("right0", Read), ("left1", Read), ("right1", Read), ("grads", Write)];
pub const STEP: &[(&str, Access)] = &[
    ("left0", Read),
    ("right0", Read),
    ("left1", Read),
    ("right1", Read),
    ("grads", Write),
    ("params", Write),
    ("moments", Write),
    ("losses", Write),
];

impl Dims {
    pub fn products(&self) -> u32 {
        self.m0 / 8 * (self.n0 / 8) + self.m1 / 8 * (self.n1 / 8)
    }

    /// Whether the kernel for quads does this: two products, each of a thin matrix.
    pub fn quads(&self) -> bool {
        self.m0 > 0 && self.m1 > 0
    }

    /// For quads, groups of eight rows of the first product's `out` that are done at a time.
    pub fn rows0(&self) -> u32 {
        at_a_time(self.m0 / 8, 5)
    }

    /// As [`Dims::rows0`], of the second product.
    pub fn rows1(&self) -> u32 {
        at_a_time(self.m1 / 8, 5)
    }

    /// A quad's tiles, of that many rows × 16 columns.
    pub fn quad_tiles(&self) -> u32 {
        let tiles = |m: u32, rows: u32, n: u32| (m / 8).div_ceil(rows) * n.div_ceil(16);
        tiles(self.m0, self.rows0(), self.n0) + tiles(self.m1, self.rows1(), self.n1)
    }

    /// Weights whose gradients are computed here, padding included.
    pub fn elements(&self) -> u32 {
        self.m0 * self.n0 + self.m1 * self.n1
    }
}
adamw::updates!(Dims);

pub fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    backward(step, d, b);
    let update = d.update();
    let (grads, mut params, mut moments) = (b.read(4), b.write(5), b.write(6));
    let faster = 1.0 + d.boost0;
    let faster = Step { rate: faster * step.rate, keep: 1.0 - faster * (1.0 - step.keep), ..*step };
    for (m, n, out, step) in [(d.m0, d.n0, d.out0, &faster), (d.m1, d.n1, d.out1, step)] {
        let range = out as usize..(out + m * n) as usize;
        update.apply(step, range, &mut params, &grads, &mut moments);
    }
    if d.tiles > 0 {
        update.gather(step, &mut b.write(7));
    }
}

pub fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let rows = d.rows as usize;
    let mut grads = b.write(4);
    let mut product = |left: usize, [m, n, ls, lo, rs, ro, batched, out]: [u32; 8]| {
        if m == 0 {
            return;
        }
        let (m, n, ls, lo, rs, ro) = (m as usize, n as usize, ls as usize, lo as usize, rs as usize, ro as usize);
        let (l, r) = (b.read(left), b.read(left + 1));
        let l = view(&l, lo, rows, m, ls);
        let r = view(&r, ro + (batched * step.x_row) as usize * rs, rows, n, rs);
        general_mat_mul(F::one(), &l.t(), &r, F::zero(), &mut view_mut(&mut grads, out as usize, m, n, n));
    };
    product(
        0,
        [d.m0, d.n0, d.left_stride0, d.left_offset0, d.right_stride0, d.right_offset0, d.right_batched0, d.out0],
    );
    product(
        2,
        [d.m1, d.n1, d.left_stride1, d.left_offset1, d.right_stride1, d.right_offset1, d.right_batched1, d.out1],
    );
}
