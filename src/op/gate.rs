//! Gates of a mixture, softmax routing with top-k, with the projections on either side of them in the same dispatch:
//! down onto lora_A and the router before, the output's gradient onto lora_B after.
//!
//! Without renormalisation (MoLoRA, arXiv 2309.05444) the kept gates stay as softmax made them; with it
//! (Mixtral, MixLoRA) they sum to one again. A MoR1E layer's gates come from its intuition network (`given`).

use super::random::pcg;
use super::{parts_per_turn, times_transposed, view, view_mut};
use crate::graph::{Bound, Form, Real, Step, Target, dims, kernel, wgsl};

dims!(
    /// down `[tokens, slots + logits]` holds A x and, unless the gates are given, the router's logits; g `[rows, logits]`;
    /// gated `[tokens, slots]` is `scale · g ∘ A x`; x `[tokens, inner]`, w `[columns, inner]`. Backward x is the output's
    /// gradient, d_down is as down, dg `[tokens, logits]`, balance `[logits]`. Slot p belongs to expert p / rank.
    Dims {
        tokens: u32,
        real_tokens: u32,
        experts: u32,
        rank: u32,
        /// Padded `experts · rank`.
        slots: u32,
        /// Padded `experts`.
        logits: u32,
        /// Gates kept per token; 0 keeps all.
        top_k: u32,
        renormalize: u32,
        /// 1: g is the intuition network's, one row for every `gate_tokens` tokens.
        given: u32,
        gate_tokens: u32,
        scale: f32,
        /// Width of x.
        inner: u32,
        /// 1: x is the pool of all batches, and this step's begins at `step.x_row`.
        x_batched: u32,
        /// First element of the projection's matrix in `w`.
        w_offset: u32,
        /// 1 / temperature, which the router's logits are multiplied by.
        inverse_temperature: f32,
        /// Standard deviation of the noise then added to them.
        noise: f32,
    }
);

kernel!(
    /// Projection down, gates, and the gated projection.
    pub static GATE_FORWARD: Dims = "gate", "forward";
    bindings: [down: Write, g: Write, gated: Write, x: Read, w: Read],
    workgroups: |d, _| d.tokens.div_ceil(32),
    form: |d, target| {
        let columns = d.slots + if d.given == 1 { 0 } else { d.experts };
        d.form(target, ["forward_alone", "forward_quads"], columns)
    },
    at_rest: |d| Dims { noise: 0.0, ..d },
    twin: forward,
);
kernel!(
    /// The output's gradient taken back to the projection and the gates.
    pub static GATE_BACKWARD: Dims = "gate", "backward";
    bindings: [down: Write, g: Write, balance: Read, x: Read, w: Read, d_down: Write, dg: Write],
    workgroups: |d, _| d.tokens.div_ceil(32),
    form: |d, target| d.form(target, ["backward_alone", "backward_quads"], d.slots),
    twin: backward,
);

impl Dims {
    /// Each workgroup has its tokens: with a barrier, 32; else 8 for every invocation, of four; or 16 for a quad, each of
    /// whose four invocations takes some rows of the projection's matrix at a time.
    fn form(&self, target: Target, [alone, in_quads]: [&'static str; 2], columns: u32) -> Option<Form> {
        let form = |entry, tokens: u32| Form {
            entry,
            quads: None,
            workgroups: self.tokens.div_ceil(tokens),
            constants: vec![],
        };
        match target {
            Target::Gpu => None,
            Target::Software => Some(form(alone, 32)),
            Target::Quads => Some(Form {
                quads: Some(wgsl!("gate_quads")),
                constants: vec![("ROWS", rows(columns).into())],
                ..form(in_quads, 16)
            }),
        }
    }

    fn width(&self) -> usize {
        (self.slots + if self.given == 1 { 0 } else { self.logits }) as usize
    }
}

/// Of every four columns one: two to ten at a time.
fn rows(columns: u32) -> u32 {
    parts_per_turn(columns.div_ceil(4), 10).max(2)
}

/// The gate of one token from its logits: softmax, then the `top_k` largest (ties: the lower index), then
/// rescaled to sum one if `renormalize`.
pub fn softmax_top_k<F: Real>(logits: &[F], top_k: usize, renormalize: bool) -> Vec<F> {
    let mut gate = vec![F::zero(); logits.len()];
    route(logits, top_k, renormalize, &mut gate);
    gate
}

/// The same in place, for every token of a step.
fn route<F: Real>(logits: &[F], top_k: usize, renormalize: bool, gate: &mut [F]) {
    let max = logits.iter().copied().fold(F::neg_infinity(), F::max);
    gate.iter_mut().zip(logits).for_each(|(gate, &z)| *gate = z - max);
    F::powers_of_e(&mut gate[..logits.len()]);
    let mut sum = F::zero();
    for (i, gate) in gate.iter_mut().enumerate().take(logits.len()) {
        let kept = is_kept(logits, i, top_k);
        sum += if kept || !renormalize { *gate } else { F::zero() };
        *gate = if kept { *gate } else { F::zero() };
    }
    gate.iter_mut().for_each(|gate| *gate = *gate / sum);
}

fn is_kept<F: Real>(logits: &[F], i: usize, top_k: usize) -> bool {
    let ahead = |&(j, &z): &(usize, &F)| z > logits[i] || (z == logits[i] && j < i);
    top_k == 0 || logits.iter().enumerate().filter(ahead).count() < top_k
}

/// Noise of a step for one token's expert: the sum of the four bytes of a hash, with mean 0 and variance 1; near enough to
/// normal, and the same on every machine.
fn noise(step: u32, token: u32, expert: u32) -> f64 {
    let hash = pcg(pcg(pcg(step) ^ token) ^ expert);
    let sum: u32 = hash.to_le_bytes().into_iter().map(u32::from).sum();
    (f64::from(sum) - 510.0) / 147.801_668_9
}

/// The first `columns` columns of `out [tokens, width]` become x's projections onto as many rows of w.
fn project<F: Real>(step: &Step, d: &Dims, columns: usize, x: &[F], w: &[F], out: &mut [F]) {
    let (t, k) = (d.tokens as usize, d.inner as usize);
    let x = view(x, (d.x_batched * step.x_row) as usize * k, t, k, k);
    let w = view(w, d.w_offset as usize, columns, k, k);
    times_transposed(F::one(), &x, &w, F::zero(), &mut view_mut(out, 0, t, columns, d.width()));
}

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (mut down, mut g, mut gated) = (b.write("down"), b.write("g"), b.write("gated"));
    project(step, d, d.width(), &b.read("x"), &b.read("w"), &mut down);
    let (n, rank, slots, logits, width) =
        (d.experts as usize, d.rank as usize, d.slots as usize, d.logits as usize, d.width());
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let row = &mut down[t * width..(t + 1) * width];
        let gate_at = t / d.gate_tokens as usize * logits;
        if d.given == 0 {
            if d.inverse_temperature != 1.0 || d.noise > 0.0 {
                for (e, z) in row[slots..slots + n].iter_mut().enumerate() {
                    let off = f64::from(d.noise) * noise(step.index, t as u32, e as u32);
                    *z = F::of(f64::from(d.inverse_temperature)) * *z + F::of(off);
                }
            }
            route(&row[slots..slots + n], d.top_k as usize, d.renormalize == 1, &mut g[gate_at..gate_at + n]);
        }
        let out = gated[t * slots..].chunks_exact_mut(rank).zip(row.chunks_exact(rank));
        for ((out, row), &gate) in out.zip(&g[gate_at..gate_at + n]) {
            out.iter_mut().zip(row).for_each(|(o, &h)| *o = scale * gate * h);
        }
    }
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (down, g, balance, mut d_down, mut dg) =
        (b.read("down"), b.read("g"), b.read("balance"), b.write("d_down"), b.write("dg"));
    project(step, d, d.slots as usize, &b.read("x"), &b.read("w"), &mut d_down);
    let (n, rank, slots, logits, width) =
        (d.experts as usize, d.rank as usize, d.slots as usize, d.logits as usize, d.width());
    let (scale, inverse_temperature) = (F::of(f64::from(d.scale)), F::of(f64::from(d.inverse_temperature)));
    let (mut gate_grad, mut p) = (vec![F::zero(); n], vec![F::zero(); n]);
    for t in 0..d.tokens as usize {
        let row = &down[t * width..(t + 1) * width];
        // The gradient of gated, from which that of h is made in place.
        let out = &mut d_down[t * width..(t + 1) * width];
        let gate = &g[t / d.gate_tokens as usize * logits..][..n];
        let real = t < d.real_tokens as usize;
        for (e, grad) in gate_grad.iter_mut().enumerate() {
            let carried: F = (e * rank..(e + 1) * rank).map(|p| out[p] * row[p]).sum();
            *grad = scale * carried + if real { balance[e] } else { F::zero() };
        }
        for (out, &gate) in out.chunks_exact_mut(rank).zip(gate) {
            out.iter_mut().for_each(|d| *d = scale * gate * *d);
        }
        dg[t * logits..t * logits + n].copy_from_slice(&gate_grad);
        if d.given == 0 {
            let z = &row[slots..slots + n];
            let (k, renormalize) = (d.top_k as usize, d.renormalize == 1);
            // Renormalised gates are the softmax over the kept ones alone; otherwise the dropped gates still
            // take part in the normaliser.
            if renormalize || k == 0 {
                p.copy_from_slice(gate)
            } else {
                route(z, 0, false, &mut p)
            };
            let dp = |e: usize| {
                if is_kept(z, e, k) { gate_grad[e] } else { F::zero() }
            };
            let mean: F = (0..n).map(|e| p[e] * dp(e)).sum();
            for e in 0..n {
                out[slots + e] = if real { inverse_temperature * p[e] * (dp(e) - mean) } else { F::zero() };
            }
        }
    }
}
