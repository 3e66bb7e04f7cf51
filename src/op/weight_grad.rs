//! Gradients of weights, `out = leftᵀ right` summed over token rows; two products in one dispatch, because the
//! two factors of an adapter want theirs at the same moment. With AdamW in the same dispatch where a lane's parameters
//! are all of this kind.

use ndarray::linalg::general_mat_mul;

use super::{adamw, parts_per_turn, view, view_mut};
use crate::graph::{Bound, Form, Real, Step, Target, dims, kernel, wgsl};

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
        extra_rate0: f32,
        /// From here on those of [`Update`](crate::graph::Update), for `step`.
        elements: u32,
        loss_at: u32,
        tiles: u32,
        beta1: f32,
        beta2: f32,
        one_minus_beta1: f32,
        one_minus_beta2: f32,
        eps: f32,
        loss_scale: f32,
    }
);

kernel!(
    /// One or two gradients.
    pub static WEIGHT_GRAD: Dims = "weight_grad", "backward";
    bindings: [left0: Read, right0: Read, left1: Read, right1: Read, grads: Write],
    workgroups: |d, target| d.products().div_ceil(target.workgroup()),
    constants: |_, target| vec![target.size()],
    update: WEIGHT_STEP of Dims::elements,
    twin: backward,
);
kernel!(
    /// [`WEIGHT_GRAD`] and AdamW.
    pub static WEIGHT_STEP: Dims = "weight_grad", "step";
    bindings: [
        left0: Read,
        right0: Read,
        left1: Read,
        right1: Read,
        grads: Write,
        params: Write,
        moments: Write,
        losses: Write,
    ],
    workgroups: |d, target| d.products().div_ceil(target.workgroup()) + 1,
    constants: |_, target| vec![target.size()],
    form: |d, target| (target == Target::Quads && d.both()).then(|| d.quads()),
    twin: step,
);

impl Dims {
    pub fn products(&self) -> u32 {
        self.m0 / 8 * (self.n0 / 8) + self.m1 / 8 * (self.n1 / 8)
    }

    /// Whether the form for quads does this: two products, each of a thin matrix.
    fn both(&self) -> bool {
        self.m0 > 0 && self.m1 > 0
    }

    /// A quad's tiles are some groups of eight rows × 16 columns, as many groups as are done at a time.
    fn quads(&self) -> Form {
        let groups = |m: u32| parts_per_turn(m / 8, 5);
        let tiles = |m: u32, n: u32| (m / 8).div_ceil(groups(m)) * n.div_ceil(16);
        Form {
            entry: "step_quads",
            quads: Some(wgsl!("weight_quads")),
            workgroups: tiles(self.m0, self.n0) + tiles(self.m1, self.n1) + 1,
            constants: vec![("ROWS0", groups(self.m0).into()), ("ROWS1", groups(self.m1).into())],
        }
    }

    /// Weights whose gradients are computed here, padding included.
    pub fn elements(&self) -> u32 {
        self.m0 * self.n0 + self.m1 * self.n1
    }
}
adamw::updates!(Dims);

fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    backward(step, d, b);
    let update = d.update();
    let (grads, mut params, mut moments) = (b.read("grads"), b.write("params"), b.write("moments"));
    let faster = 1.0 + d.extra_rate0;
    let faster = Step { rate: faster * step.rate, decay: 1.0 - faster * (1.0 - step.decay), ..*step };
    for (m, n, out, step) in [(d.m0, d.n0, d.out0, &faster), (d.m1, d.n1, d.out1, step)] {
        let range = out as usize..(out + m * n) as usize;
        update.apply(step, range, &mut params, &grads, &mut moments);
    }
    if d.tiles > 0 {
        update.gather(step, &mut b.write("losses"));
    }
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let rows = d.rows as usize;
    let mut grads = b.write("grads");
    let mut product = |left: &str, right: &str, [m, n, ls, lo, rs, ro, batched, out]: [u32; 8]| {
        if m == 0 {
            return;
        }
        let (m, n, ls, lo, rs, ro) = (m as usize, n as usize, ls as usize, lo as usize, rs as usize, ro as usize);
        let (l, r) = (b.read(left), b.read(right));
        let l = view(&l, lo, rows, m, ls);
        let r = view(&r, ro + (batched * step.x_row) as usize * rs, rows, n, rs);
        general_mat_mul(F::one(), &l.t(), &r, F::zero(), &mut view_mut(&mut grads, out as usize, m, n, n));
    };
    product(
        "left0",
        "right0",
        [d.m0, d.n0, d.left_stride0, d.left_offset0, d.right_stride0, d.right_offset0, d.right_batched0, d.out0],
    );
    product(
        "left1",
        "right1",
        [d.m1, d.n1, d.left_stride1, d.left_offset1, d.right_stride1, d.right_offset1, d.right_batched1, d.out1],
    );
}
