//! Rank-1 experts that share their vectors (MoR1E's flex form): `hg = s Gᵀ h`, G a token's gate as `p × q`, h what p
//! vectors read of it, hg what q vectors are to write; and back to h and G.

use super::{Bound, Real, Step, dims, kernel};

dims!(
    /// h, dh `[tokens, read_slots]`, hg, dhg `[tokens, write_slots]`, g `[rows, logits]`, a row for every `gate_tokens`
    /// tokens, dg `[tokens, logits]`, bal `[logits]`. Gate `i·writers + j` joins reader i to writer j.
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
    /// `hg = s Gᵀ h`.
    pub static FLEX_FORWARD: Dims = "flex", "forward";
    bindings: [h: Read, g: Read, hg: Write],
    workgroups: |d, _| d.tokens.div_ceil(SIZE),
    twin: forward,
);
kernel!(
    /// Back to h and G.
    pub static FLEX_BACKWARD: Dims = "flex", "backward";
    bindings: [h: Read, g: Read, bal: Read, dhg: Read, dh: Write, dg: Write],
    workgroups: |d, _| d.tokens.div_ceil(SIZE),
    twin: backward,
);

const SIZE: u32 = 64;

impl Dims {
    /// p, q, and where a token's rows begin in h, hg, g and dg.
    fn at(&self, t: usize) -> (usize, usize, [usize; 4]) {
        let (h, hg, logits) = (self.read_slots as usize, self.write_slots as usize, self.logits as usize);
        let gate = t / self.gate_tokens as usize;
        (self.readers as usize, self.writers as usize, [t * h, t * hg, gate * logits, t * logits])
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (h, g, mut hg) = (b.read("h"), b.read("g"), b.write("hg"));
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let (p, q, [from, to, gate, _]) = d.at(t);
        for j in 0..q {
            hg[to + j] = scale * (0..p).map(|i| g[gate + i * q + j] * h[from + i]).sum::<F>();
        }
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (h, g, bal, dhg, mut dh, mut dg) =
        (b.read("h"), b.read("g"), b.read("bal"), b.read("dhg"), b.write("dh"), b.write("dg"));
    let scale = F::of(f64::from(d.scale));
    for t in 0..d.tokens as usize {
        let (p, q, [from, to, gate, out]) = d.at(t);
        for i in 0..p {
            dh[from + i] = scale * (0..q).map(|j| g[gate + i * q + j] * dhg[to + j]).sum::<F>();
            for j in 0..q {
                let e = i * q + j;
                let balance = if t < d.real_tokens as usize { bal[e] } else { F::zero() };
                dg[out + e] = scale * h[from + i] * dhg[to + j] + balance;
            }
        }
    }
}
