//! MoR1E's intuition gate: `q → Linear → GELU → LayerNorm → Linear → Linear → softmax`, q a sequence's mean input
//! (pooled) or a token's own. One row of work per gate.
//!
//! Source: methods.md's reading of arXiv 2404.08985 ("pooled", the default of popular write-ups).

use ndarray::{Array2, ArrayViewMut1};

use super::{adamw, gelu, times_transposed, view, view_mut};
use crate::graph::{Bound, Real, Step, dims, kernel};

/// PyTorch's LayerNorm default.
pub const LAYER_NORM_EPS: f64 = 1e-5;

dims!(
    /// x `[pool, inputs]`, q `[rows, inputs]`, activations `[rows, 4 hidden + 8]` = a | x̂ | n | c | 1/σ,
    /// g `[rows, logits]`, dg `[tokens, logits]`, d_activations `[rows, logits + 3 hidden]` = dz | dc | dn | da,
    /// dq `[rows, inputs]`; w1 `[hidden, inputs]`, w2 `[hidden, hidden]`, gate.w `[logits, hidden]`, the vectors
    /// `[hidden]` and `[logits]`, all in `params` at their offsets.
    Dims {
        /// Padded rows, each with a workgroup of its own.
        rows: u32,
        real_rows: u32,
        /// Tokens a gate is shared by: the sequence length (pooled) or 1.
        gate_tokens: u32,
        inputs: u32,
        hidden: u32,
        real_hidden: u32,
        logits: u32,
        experts: u32,
        x_batched: u32,
        w1: u32,
        b1: u32,
        ln_weight: u32,
        ln_bias: u32,
        w2: u32,
        b2: u32,
        gate_w: u32,
        gate_b: u32,
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
adamw::updates!(Dims);

kernel!(
    /// From x to the gates.
    pub static INTUITION_FORWARD: Dims = "intuition", "forward";
    bindings: [x: Read, params: Read, q: Write, activations: Write, g: Write],
    workgroups: |d, _| d.rows,
    constants: |_, target| vec![target.size()],
    twin: forward,
);
kernel!(
    /// From the gates' gradient to that of everything in between, and of q.
    pub static INTUITION_BACKWARD: Dims = "intuition", "backward";
    bindings: [params: Read, activations: Read, g: Read, dg: Read, d_activations: Write, dq: Write],
    workgroups: |d, _| d.rows,
    constants: |_, target| vec![target.size()],
    twin: backward,
);
kernel!(
    /// Gradients of the five vectors.
    pub static INTUITION_SUMS: Dims = "intuition", "sums";
    bindings: [activations: Read, d_activations: Read, grads: Write],
    workgroups: |d, _| d.vectors().div_ceil(32),
    update: INTUITION_STEP of Dims::vectors,
    twin: sums,
);
kernel!(
    /// [`INTUITION_SUMS`] and AdamW.
    pub static INTUITION_STEP: Dims = "intuition", "step";
    bindings: [activations: Read, d_activations: Read, grads: Write, params: Write, moments: Write],
    workgroups: |d, _| d.vectors().div_ceil(32),
    twin: step,
);

impl Dims {
    /// Width of a row of `activations`.
    pub fn activations(&self) -> usize {
        4 * self.hidden as usize + 8
    }
    /// Width of a row of `d_activations`.
    pub fn d_activations(&self) -> usize {
        (self.logits + 3 * self.hidden) as usize
    }
    /// Elements of the five vectors, each with an invocation of its own.
    pub fn vectors(&self) -> u32 {
        self.logits + 4 * self.hidden
    }
}

/// Adds the first columns of rows of this width, times `scale`.
fn add_rows<F: Real>(rows: &[F], width: usize, scale: F, mut to: ArrayViewMut1<'_, F>) {
    for row in rows.chunks_exact(width) {
        to.iter_mut().zip(row).for_each(|(to, &v)| *to += scale * v);
    }
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, params, mut q, mut activations, mut g) =
        (b.read("x"), b.read("params"), b.write("q"), b.write("activations"), b.write("g"));
    let (rows, i, h, n) = (d.real_rows as usize, d.inputs as usize, d.hidden as usize, d.experts as usize);
    let (real_h, tokens) = (d.real_hidden as usize, d.gate_tokens as usize);
    let matrix = |offset: u32, rows: usize, width: usize| view(&params, offset as usize, rows, width, width);
    let affine = |x: &Array2<F>, weight: u32, bias: u32, outputs: usize| {
        let mut y = Array2::zeros((rows, outputs)) + matrix(bias, 1, outputs);
        let weight = matrix(weight, outputs, x.ncols());
        times_transposed(F::one(), &x.view(), &weight, F::one(), &mut y.view_mut());
        y
    };
    let first = (d.x_batched * step.x_row) as usize;
    let mut mean = Array2::zeros((rows, i));
    let (own, share) = (x[first * i..].chunks_exact(tokens * i), F::one() / F::of(tokens as f64));
    mean.rows_mut().into_iter().zip(own).for_each(|(mean, own)| add_rows(own, i, share, mean));
    let a = affine(&mean, d.w1, d.b1, h);
    let size = F::of(real_h as f64);
    let (mut normal, mut inverses) = (Array2::zeros((rows, h)), Array2::zeros((rows, 1)));
    for (r, inverse) in inverses.iter_mut().enumerate() {
        let mut e: Vec<F> = a.row(r).iter().take(real_h).copied().collect();
        gelu::values(&mut e);
        let mean = e.iter().copied().sum::<F>() / size;
        let variance = e.iter().map(|&v| (v - mean) * (v - mean)).sum::<F>() / size;
        *inverse = F::one() / (variance + F::of(LAYER_NORM_EPS)).sqrt();
        normal.row_mut(r).iter_mut().zip(e).for_each(|(to, e)| *to = (e - mean) * *inverse);
    }
    let scaled = &normal * &matrix(d.ln_weight, 1, h) + matrix(d.ln_bias, 1, h);
    let c = affine(&scaled, d.w2, d.b2, h);
    let z = affine(&c, d.gate_w, d.gate_b, n);
    for (z, g) in z.rows().into_iter().zip(g.chunks_exact_mut(d.logits as usize)) {
        g[..n].copy_from_slice(&super::gate::softmax_top_k(&z.to_vec(), 0, false));
    }
    view_mut(&mut q, 0, rows, i, i).assign(&mean);
    let (kept, wide) = ([a, normal, scaled, c, inverses], d.activations());
    for (column, values) in kept.iter().enumerate() {
        view_mut(&mut activations, column * h, rows, values.ncols(), wide).assign(values);
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, activations, g, dg, mut d_activations, mut dq) =
        (b.read("params"), b.read("activations"), b.read("g"), b.read("dg"), b.write("d_activations"), b.write("dq"));
    let (rows, i, h, n) = (d.real_rows as usize, d.inputs as usize, d.hidden as usize, d.experts as usize);
    let (logits, real_h, tokens) = (d.logits as usize, d.real_hidden as usize, d.gate_tokens as usize);
    let back = |dy: &Array2<F>, weight: u32, inputs: usize| {
        dy.dot(&view(&params, weight as usize, dy.ncols(), inputs, inputs))
    };
    let mut dz = Array2::zeros((rows, n));
    for (r, mut dz) in dz.rows_mut().into_iter().enumerate() {
        add_rows(&dg[r * tokens * logits..][..tokens * logits], logits, F::one(), dz.view_mut());
        let gate = &g[r * logits..][..n];
        let mean = gate.iter().zip(&dz).map(|(&p, &z)| p * z).sum::<F>();
        dz.iter_mut().zip(gate).for_each(|(z, &p)| *z = p * (*z - mean));
    }
    let dc = back(&dz, d.gate_w, h);
    let dn = back(&dc, d.w2, h);
    let (size, weight) = (F::of(real_h as f64), &params[d.ln_weight as usize..][..real_h]);
    let mut da = Array2::zeros((rows, h));
    for (r, mut da) in da.rows_mut().into_iter().enumerate() {
        let row = &activations[r * d.activations()..][..d.activations()];
        let (pre, normal, inverse) = (&row[..real_h], &row[h..h + real_h], row[4 * h]);
        let mut slopes = pre.to_vec();
        gelu::derivatives(&mut slopes);
        let scaled: Vec<F> = dn.row(r).iter().zip(weight).map(|(&d, &w)| d * w).collect();
        let mean = scaled.iter().copied().sum::<F>() / size;
        let along = F::dot(&scaled, normal) / size;
        for (j, da) in da.iter_mut().enumerate().take(real_h) {
            *da = inverse * (scaled[j] - mean - normal[j] * along) * slopes[j];
        }
    }
    view_mut(&mut dq, 0, rows, i, i).assign(&back(&da, d.w1, i));
    let wide = d.d_activations();
    for (column, values) in [(0, dz), (logits, dc), (logits + h, dn), (logits + 2 * h, da)] {
        view_mut(&mut d_activations, column, rows, values.ncols(), wide).assign(&values);
    }
}

/// Gradients of the five vectors: sums of d_activations over rows (LayerNorm's weight: of dn ∘ x̂).
fn sums<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (activations, d_activations, mut grads) = (b.read("activations"), b.read("d_activations"), b.write("grads"));
    let (h, logits) = (d.hidden as usize, d.logits as usize);
    let rows = 0..d.real_rows as usize;
    let column = |c: usize| rows.clone().map(|r| d_activations[r * d.d_activations() + c]).sum::<F>();
    for e in 0..logits {
        grads[d.gate_b as usize + e] = column(e);
    }
    for j in 0..h {
        grads[d.b2 as usize + j] = column(logits + j);
        grads[d.ln_bias as usize + j] = column(logits + h + j);
        grads[d.b1 as usize + j] = column(logits + 2 * h + j);
        grads[d.ln_weight as usize + j] = rows
            .clone()
            .map(|r| d_activations[r * d.d_activations() + logits + h + j] * activations[r * d.activations() + h + j])
            .sum();
    }
}

/// [`sums`] and AdamW.
fn step<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    sums(step, d, b);
    let (grads, mut params, mut moments) = (b.read("grads"), b.write("params"), b.write("moments"));
    let vectors =
        [(d.gate_b, d.logits), (d.b2, d.hidden), (d.ln_bias, d.hidden), (d.b1, d.hidden), (d.ln_weight, d.hidden)];
    for (at, len) in vectors {
        d.update().apply(step, at as usize..(at + len) as usize, &mut params, &grads, &mut moments);
    }
}
