//! MoR1E's intuition gate: `q → Linear → GELU → LayerNorm → Linear → Linear → softmax`, q a sequence's mean input
//! (pooled) or a token's own. One row of work per gate.
//!
//! Source: methods.md's reading of arXiv 2404.08985 ("pooled", the default of popular write-ups).

use super::{adamw, gelu};
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

fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).map(|(&x, &y)| x * y).sum()
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, params, mut q, mut activations, mut g) =
        (b.read("x"), b.read("params"), b.write("q"), b.write("activations"), b.write("g"));
    let (i, h, n, logits) = (d.inputs as usize, d.hidden as usize, d.experts as usize, d.logits as usize);
    let (real_h, s) = (d.real_hidden as usize, d.gate_tokens as usize);
    let at = |offset: u32, row: usize, width: usize| &params[offset as usize + row * width..][..width];
    let first = (d.x_batched * step.x_row) as usize;
    for r in 0..d.real_rows as usize {
        let q = &mut q[r * i..(r + 1) * i];
        for (c, out) in q.iter_mut().enumerate() {
            *out = (0..s).map(|t| x[(first + r * s + t) * i + c]).sum::<F>() / F::of(s as f64);
        }
        let row = &mut activations[r * d.activations()..(r + 1) * d.activations()];
        for (j, a) in row[..real_h].iter_mut().enumerate() {
            *a = dot(q, at(d.w1, j, i)) + at(d.b1, 0, h)[j];
        }
        let size = F::of(real_h as f64);
        let e: Vec<F> = row[..real_h].iter().map(|&a| gelu::value(a)).collect();
        let mean = e.iter().copied().sum::<F>() / size;
        let variance = e.iter().map(|&v| (v - mean) * (v - mean)).sum::<F>() / size;
        let inverse = F::one() / (variance + F::of(LAYER_NORM_EPS)).sqrt();
        row[4 * h] = inverse;
        for j in 0..real_h {
            row[h + j] = (e[j] - mean) * inverse;
            row[2 * h + j] = row[h + j] * at(d.ln_weight, 0, h)[j] + at(d.ln_bias, 0, h)[j];
        }
        for j in 0..real_h {
            row[3 * h + j] = dot(&row[2 * h..3 * h], at(d.w2, j, h)) + at(d.b2, 0, h)[j];
        }
        let z: Vec<F> =
            (0..n).map(|e| dot(&row[3 * h..4 * h], at(d.gate_w, e, h)) + at(d.gate_b, 0, logits)[e]).collect();
        g[r * logits..r * logits + n].copy_from_slice(&super::gate::softmax_top_k(&z, 0, false));
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, activations, g, dg, mut d_activations, mut dq) =
        (b.read("params"), b.read("activations"), b.read("g"), b.read("dg"), b.write("d_activations"), b.write("dq"));
    let (i, h, n, logits) = (d.inputs as usize, d.hidden as usize, d.experts as usize, d.logits as usize);
    let (real_h, s) = (d.real_hidden as usize, d.gate_tokens as usize);
    let size = F::of(real_h as f64);
    for r in 0..d.real_rows as usize {
        let row = &activations[r * d.activations()..(r + 1) * d.activations()];
        let gate = &g[r * logits..r * logits + n];
        let out = &mut d_activations[r * d.d_activations()..(r + 1) * d.d_activations()];
        let (dz, rest) = out.split_at_mut(logits);
        let (dc, rest) = rest.split_at_mut(h);
        let (dn, da) = rest.split_at_mut(h);
        for (e, z) in dz.iter_mut().enumerate().take(n) {
            *z = (0..s).map(|t| dg[(r * s + t) * logits + e]).sum();
        }
        let mean = dot(gate, &dz[..n]);
        dz.iter_mut().zip(gate).for_each(|(z, &p)| *z = p * (*z - mean));
        for j in 0..real_h {
            dc[j] = (0..n).map(|e| dz[e] * params[d.gate_w as usize + e * h + j]).sum();
        }
        for j in 0..real_h {
            dn[j] = (0..real_h).map(|k| dc[k] * params[d.w2 as usize + k * h + j]).sum();
        }
        let scaled: Vec<F> = (0..real_h).map(|j| dn[j] * params[d.ln_weight as usize + j]).collect();
        let mean = scaled.iter().copied().sum::<F>() / size;
        let along = dot(&scaled, &row[h..h + real_h]) / size;
        for j in 0..real_h {
            let de = row[4 * h] * (scaled[j] - mean - row[h + j] * along);
            da[j] = de * gelu::derivative(row[j]);
        }
        for (c, out) in dq[r * i..(r + 1) * i].iter_mut().enumerate() {
            *out = (0..real_h).map(|j| da[j] * params[d.w1 as usize + j * i + c]).sum();
        }
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
