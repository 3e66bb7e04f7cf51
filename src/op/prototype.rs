//! MoR1E's gate as the paper's own code has it: `gᵢ = N·ω·softmax(W_r q)ᵢ + 4(1−ω)·⟨cᵢ, e⟩` with `ω = σ(100 w)`, q a
//! sequence's mean input, `e = q/‖q‖` and fixed prototypes c. One row of work per sequence.
//!
//! The second part is the paper's intuition: how alike this input is to what was seen of the task. Gates are not
//! normalised and may be negative. The router reads the same mean as the intuition; methods.md gives it no other input.
//! Source: methods.md's reading of arXiv 2404.08985 and of the code published as T-REX.

use super::PAD;
use super::gate::softmax_top_k;
use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// x `[pool, inputs]`, q `[rows, inputs]`, activations `[rows, 2 logits + 16]` = softmax | ⟨c, e⟩ | 1 and seven zeros |
    /// 1/‖q‖, ω and six zeros, g `[rows, logits]`, dg `[tokens, logits]`, d_activations `[rows, logits + 8]` = dz | dw and
    /// seven zeros, dq `[rows, inputs]`; W_r and c `[logits, inputs]` and w, in `params` at their offsets.
    Dims {
        /// Padded rows, each with a workgroup of its own.
        rows: u32,
        real_rows: u32,
        /// Tokens a gate is shared by: the sequence length.
        gate_tokens: u32,
        inputs: u32,
        logits: u32,
        experts: u32,
        x_batched: u32,
        router: u32,
        mix: u32,
        prototypes: u32,
    }
);

kernel!(
    /// From x to the gates.
    pub static PROTOTYPE_FORWARD: Dims = "prototype", "forward";
    bindings: [x: Read, params: Read, q: Write, activations: Write, g: Write],
    workgroups: |d, _| d.rows,
    twin: forward,
);
kernel!(
    /// From the gates' gradient to that of router, mix and q.
    pub static PROTOTYPE_BACKWARD: Dims = "prototype", "backward";
    bindings: [params: Read, q: Read, activations: Read, dg: Read, d_activations: Write, dq: Write],
    workgroups: |d, _| d.rows,
    twin: backward,
);

/// What w is multiplied by before its sigmoid.
const STEEP: f64 = 100.0;
/// Beyond this a sigmoid is 0 or 1 in f32, and the exponential near its limit.
const FLAT: f64 = 80.0;
/// What the likeness to a prototype is multiplied by.
pub const LIKENESS: f64 = 4.0;

impl Dims {
    /// Width of a row of `activations`.
    pub fn activations(&self) -> usize {
        self.one() + 2 * PAD
    }
    /// Where in it the constant 1 is, whose weight w is.
    pub fn one(&self) -> usize {
        2 * self.logits as usize
    }
    /// Where in it ω is.
    pub fn share(&self) -> usize {
        self.one() + PAD + 1
    }
    /// Width of a row of `d_activations`.
    pub fn d_activations(&self) -> usize {
        self.logits as usize + PAD
    }
}

fn dot<F: Real>(a: &[F], b: &[F]) -> F {
    a.iter().zip(b).map(|(&x, &y)| x * y).sum()
}

/// ω.
fn share<F: Real>(w: F) -> F {
    let z = (F::of(STEEP) * w).min(F::of(FLAT)).max(F::of(-FLAT));
    F::one() / (F::one() + (-z).exp())
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (x, params, mut q, mut activations, mut g) =
        (b.read("x"), b.read("params"), b.write("q"), b.write("activations"), b.write("g"));
    let (i, n, logits, s) = (d.inputs as usize, d.experts as usize, d.logits as usize, d.gate_tokens as usize);
    let first = (d.x_batched * step.x_row) as usize;
    let row = |offset: u32, e: usize| &params[offset as usize + e * i..][..i];
    let omega = share(params[d.mix as usize]);
    let (routed, liked) = (F::of(n as f64) * omega, F::of(LIKENESS) * (F::one() - omega));
    for r in 0..d.real_rows as usize {
        let q = &mut q[r * i..(r + 1) * i];
        for (c, out) in q.iter_mut().enumerate() {
            *out = (0..s).map(|t| x[(first + r * s + t) * i + c]).sum::<F>() / F::of(s as f64);
        }
        let square = dot(q, q);
        let inverse = if square > F::zero() { F::one() / square.sqrt() } else { F::zero() };
        let z: Vec<F> = (0..n).map(|e| dot(q, row(d.router, e))).collect();
        let soft = softmax_top_k(&z, 0, false);
        let activations = &mut activations[r * d.activations()..(r + 1) * d.activations()];
        for e in 0..n {
            let like = inverse * dot(q, row(d.prototypes, e));
            (activations[e], activations[logits + e]) = (soft[e], like);
            g[r * logits + e] = routed * soft[e] + liked * like;
        }
        activations[d.one()] = F::one();
        (activations[d.share() - 1], activations[d.share()]) = (inverse, omega);
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (params, q, activations, dg, mut d_activations, mut dq) =
        (b.read("params"), b.read("q"), b.read("activations"), b.read("dg"), b.write("d_activations"), b.write("dq"));
    let (i, n, logits, s) = (d.inputs as usize, d.experts as usize, d.logits as usize, d.gate_tokens as usize);
    let (count, four) = (F::of(n as f64), F::of(LIKENESS));
    for r in 0..d.real_rows as usize {
        let activations = &activations[r * d.activations()..(r + 1) * d.activations()];
        let (soft, like) = (&activations[..n], &activations[logits..logits + n]);
        let (inverse, omega) = (activations[d.share() - 1], activations[d.share()]);
        let slope: Vec<F> = (0..n).map(|e| (0..s).map(|t| dg[(r * s + t) * logits + e]).sum()).collect();
        let (mean, along) = (dot(soft, &slope), dot(like, &slope));
        let out = &mut d_activations[r * d.d_activations()..(r + 1) * d.d_activations()];
        for e in 0..n {
            out[e] = count * omega * soft[e] * (slope[e] - mean);
        }
        out[logits] = F::of(STEEP) * omega * (F::one() - omega) * (count * mean - four * along);
        let liked = four * (F::one() - omega) * inverse;
        for c in 0..i {
            let at = |offset: u32, e: usize| params[offset as usize + e * i + c];
            let router: F = (0..n).map(|e| out[e] * at(d.router, e)).sum();
            let likeness: F = (0..n).map(|e| slope[e] * at(d.prototypes, e)).sum();
            dq[r * i + c] = router + liked * (likeness - along * inverse * q[r * i + c]);
        }
    }
}
