//! Rank-1 experts that share their vectors (MoR1E's flex form): `gated = s Gᵀ down`, G a token's gate as `p × q`, down what
//! p vectors read of it, gated what q vectors are to write; and back to down and G.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// down, d_down `[tokens, read_slots]`, gated, d_gated `[tokens, write_slots]`, g `[rows, logits]`, a row for every
    /// `gate_tokens` tokens, dg `[tokens, logits]`, balance `[logits]`. Gate `i·writers + j` joins reader i to writer j.
    Dims {
        tokens: u32,
        real_tokens: u32,
        /// p.
        readers: u32,
        /// q.
        writers: u32,
        /// Padded p.
        read_slots: u32,
        /// Padded q.
        write_slots: u32,
        /// Padded p·q.
        logits: u32,
        gate_tokens: u32,
        scale: f32,
    }
);

kernel!(
    /// `gated = s Gᵀ down`.
    pub static FLEX_FORWARD: Dims = "flex", "forward";
    bindings: [down: Read, g: Read, gated: Write],
    workgroups: |d, _| d.tokens.div_ceil(SIZE),
    twin: forward,
);
kernel!(
    /// Back to down and G.
    pub static FLEX_BACKWARD: Dims = "flex", "backward";
    bindings: [down: Read, g: Read, balance: Read, d_gated: Read, d_down: Write, dg: Write],
    workgroups: |d, _| d.tokens.div_ceil(SIZE),
    twin: backward,
);

const SIZE: u32 = 64;

impl Dims {
    /// p, q, and where a token's rows begin in down, gated, g and dg.
    fn at(&self, t: usize) -> (usize, usize, [usize; 4]) {
        let (down, gated, logits) = (self.read_slots as usize, self.write_slots as usize, self.logits as usize);
        let gate = t / self.gate_tokens as usize;
        (self.readers as usize, self.writers as usize, [t * down, t * gated, gate * logits, t * logits])
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (down, g, mut gated) = (b.read("down"), b.read("g"), b.write("gated"));
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let (p, q, [from, to, gate, _]) = d.at(t);
        for j in 0..q {
            gated[to + j] = scale * (0..p).map(|i| g[gate + i * q + j] * down[from + i]).sum::<F>();
        }
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (down, g, balance, d_gated, mut d_down, mut dg) =
        (b.read("down"), b.read("g"), b.read("balance"), b.read("d_gated"), b.write("d_down"), b.write("dg"));
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let (p, q, [from, to, gate, out]) = d.at(t);
        for i in 0..p {
            d_down[from + i] = scale * (0..q).map(|j| g[gate + i * q + j] * d_gated[to + j]).sum::<F>();
            for j in 0..q {
                let e = i * q + j;
                let shared = if t < d.real_tokens as usize { balance[e] } else { F::zero() };
                dg[out + e] = scale * down[from + i] * d_gated[to + j] + shared;
            }
        }
    }
}
