//! Gates of a mixture: softmax routing with top-k, applied to the experts' down-projections.
//!
//! Without renormalisation (MoLoRA, arXiv 2309.05444) the kept gates stay as softmax made them; with it
//! (Mixtral, MixLoRA) they sum to one again. A MoR1E layer's gates come from its intuition network (`given`).

use super::{Access, Bound, Read, Real, Write, dims};

dims!(
    /// hz `[tokens, slots + logits]` holds A x and, unless the gates are given, the router's logits;
    /// g `[rows, logits]`, hg `[tokens, slots]`; backward: dhg `[tokens, slots]`, bal `[logits]`,
    /// dhz as hz, dg `[tokens, logits]`. Slot p belongs to expert p / rank.
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
    }
);

pub const FORWARD: &[(&str, Access)] = &[("hz", Read), ("g", Write), ("hg", Write)];
pub const BACKWARD: &[(&str, Access)] =
    &[("hz", Read), ("g", Read), ("dhg", Read), ("bal", Read), ("dhz", Write), ("dg", Write)];

impl Dims {
    pub fn workgroups(&self) -> u32 {
        self.tokens.div_ceil(32)
    }
    fn width(&self) -> usize {
        (self.slots + if self.given == 1 { 0 } else { self.logits }) as usize
    }
}

/// The gate of one token from its logits: softmax, then the `top_k` largest (ties: the lower index), then
/// rescaled to sum one if `renormalize`.
pub fn softmax_top_k<F: Real>(logits: &[F], top_k: usize, renormalize: bool) -> Vec<F> {
    let max = logits.iter().copied().fold(F::neg_infinity(), F::max);
    let mut gate: Vec<F> = logits.iter().map(|&z| (z - max).exp()).collect();
    let kept: Vec<bool> = (0..logits.len()).map(|i| is_kept(logits, i, top_k)).collect();
    let sum: F = gate.iter().zip(&kept).filter(|&(_, &k)| k || !renormalize).map(|(&g, _)| g).sum();
    gate.iter_mut().zip(&kept).for_each(|(g, &k)| *g = if k { *g / sum } else { F::zero() });
    gate
}

fn is_kept<F: Real>(logits: &[F], i: usize, top_k: usize) -> bool {
    let ahead = |&(j, &z): &(usize, &F)| z > logits[i] || (z == logits[i] && j < i);
    top_k == 0 || logits.iter().enumerate().filter(ahead).count() < top_k
}

pub fn forward<F: Real>(d: &Dims, b: &Bound<F>) {
    let (hz, mut g, mut hg) = (b.read(0), b.write(1), b.write(2));
    let (n, rank, slots, logits, width) =
        (d.experts as usize, d.rank as usize, d.slots as usize, d.logits as usize, d.width());
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let row = &hz[t * width..(t + 1) * width];
        let gate_at = t / d.gate_tokens as usize * logits;
        if d.given == 0 {
            let gate = softmax_top_k(&row[slots..slots + n], d.top_k as usize, d.renormalize == 1);
            g[gate_at..gate_at + n].copy_from_slice(&gate);
        }
        let out = &mut hg[t * slots..(t + 1) * slots];
        for (p, (o, &h)) in out.iter_mut().zip(row).enumerate().take(n * rank) {
            *o = scale * g[gate_at + p / rank] * h;
        }
    }
}

pub fn backward<F: Real>(d: &Dims, b: &Bound<F>) {
    let (hz, g, dhg, bal, mut dhz, mut dg) = (b.read(0), b.read(1), b.read(2), b.read(3), b.write(4), b.write(5));
    let (n, rank, slots, logits, width) =
        (d.experts as usize, d.rank as usize, d.slots as usize, d.logits as usize, d.width());
    let scale = F::of(f64::from(d.scale));
    let mut gate_grad = vec![F::zero(); n];
    for t in 0..d.tokens as usize {
        let row = &hz[t * width..(t + 1) * width];
        let dh = &dhg[t * slots..(t + 1) * slots];
        let gate = &g[t / d.gate_tokens as usize * logits..][..n];
        let real = t < d.real_tokens as usize;
        for (e, out) in gate_grad.iter_mut().enumerate() {
            let carried: F = (e * rank..(e + 1) * rank).map(|p| dh[p] * row[p]).sum();
            *out = scale * carried + if real { bal[e] } else { F::zero() };
        }
        let out = &mut dhz[t * width..(t + 1) * width];
        for p in 0..n * rank {
            out[p] = scale * gate[p / rank] * dh[p];
        }
        dg[t * logits..t * logits + n].copy_from_slice(&gate_grad);
        if d.given == 0 {
            let z = &row[slots..slots + n];
            let (k, renormalize) = (d.top_k as usize, d.renormalize == 1);
            // Renormalised gates are the softmax over the kept ones alone; otherwise the dropped gates still
            // take part in the normaliser.
            let p = if renormalize { gate.to_vec() } else { softmax_top_k(z, 0, false) };
            let dp = |e: usize| {
                if is_kept(z, e, k) { gate_grad[e] } else { F::zero() }
            };
            let mean: F = (0..n).map(|e| p[e] * dp(e)).sum();
            for e in 0..n {
                out[slots + e] = if real { p[e] * (dp(e) - mean) } else { F::zero() };
            }
        }
    }
}
