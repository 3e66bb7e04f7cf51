//! Causal self-attention with grouped heads (Vaswani et al., arXiv 1706.03762; grouped: Ainslie et al., arXiv 2305.13245),
//! computed as FlashAttention does (Dao et al., arXiv 2205.14135): the scores of a sequence are never stored; going back they
//! are computed anew from q, k and each query's log-sum-exp.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::{view, view_mut};
use crate::graph::{Bound, Constants, Form, Real, Step, Target, dims, kernel, wgsl};

dims!(
    /// q, out and their gradients `[tokens, q_width]`: `heads` heads side by side, each of `head_dim` columns; k, v and
    /// their gradients `[tokens, kv_width]`: likewise `kv_heads`, each shared by `heads / kv_heads` heads of q; lse and delta
    /// `[tokens, heads_width]`.
    Dims {
        tokens: u32,
        /// Tokens that are not padding.
        real_tokens: u32,
        /// Tokens of a sequence; a token sees its own sequence up to itself.
        sequence: u32,
        heads: u32,
        kv_heads: u32,
        /// Even, and 128 at most.
        head_dim: u32,
        q_width: u32,
        kv_width: u32,
        heads_width: u32,
        /// What scores are multiplied by: 1/√head_dim.
        scale: f32,
    }
);

kernel!(
    /// `out = softmax(scale · q kᵀ) v` over the keys up to each query, and `lse = log Σ exp(scale · q kᵀ)`.
    pub static ATTENTION: Dims = "attention", "forward";
    bindings: [q: Read, k: Read, v: Read, out: Write, lse: Write],
    workgroups: |d, target| d.workgroups(d.heads, target),
    constants: |d, target| d.constants(target),
    form: |d, target| d.quads(target, "forward_quads", d.heads),
    twin: forward,
);
kernel!(
    /// The gradient of q, and `delta = Σ d_out ∘ out` of each query and head, which the keys' gradient needs too.
    pub static ATTENTION_BACKWARD_QUERY: Dims = "attention", "query";
    bindings: [q: Read, k: Read, v: Read, out: Read, d_out: Read, lse: Read, dq: Write, delta: Write],
    workgroups: |d, target| d.workgroups(d.heads, target),
    constants: |d, target| d.constants(target),
    form: |d, target| d.quads(target, "query_quads", d.heads),
    twin: backward_query,
);
kernel!(
    /// The gradients of k and v, each from all heads that share them.
    pub static ATTENTION_BACKWARD_KEY: Dims = "attention", "key_value";
    bindings: [q: Read, k: Read, v: Read, d_out: Read, lse: Read, delta: Read, dk: Write, dv: Write],
    workgroups: |d, target| d.workgroups(d.kv_heads, target),
    constants: |d, target| d.constants(target),
    form: |d, target| d.quads(target, "key_value_quads", d.kv_heads),
    twin: backward_key,
);

/// Queries that the twin does at a time: it need not look at keys behind the last of them.
const BLOCK: usize = 32;

/// Queries of one sequence and one head, and the keys they may see.
struct Block {
    /// The first query, and how many.
    query: usize,
    queries: usize,
    /// The sequence's first token, and how many from there on the last query sees.
    key: usize,
    keys: usize,
    head: usize,
    /// First column of the head in q, and in k.
    q_column: usize,
    kv_column: usize,
}

impl Dims {
    /// A workgroup for as many tokens of a sequence as it has invocations, and each head.
    fn workgroups(&self, heads: u32, target: Target) -> u32 {
        self.tokens.div_ceil(self.sequence) * heads * self.sequence.div_ceil(target.workgroup())
    }

    /// The form for quads, of which each does 16 tokens; for heads that are few enough registers.
    fn quads(&self, target: Target, entry: &'static str, heads: u32) -> Option<Form> {
        let fits = self.head_dim.is_multiple_of(8) && self.head_dim <= 32;
        (target == Target::Quads && fits).then(|| Form {
            entry,
            quads: Some(wgsl!("attention_quads")),
            workgroups: self.tokens.div_ceil(self.sequence) * heads * self.sequence.div_ceil(16),
            constants: vec![("HEAD", self.head_dim.into()), ("EIGHTS", (self.head_dim / 8).into())],
        })
    }

    fn constants(&self, target: Target) -> Constants {
        vec![target.size(), ("HEAD", self.head_dim.into())]
    }

    fn each_block(&self, mut f: impl FnMut(&Block)) {
        let (heads, group) = (self.heads as usize, (self.heads / self.kv_heads) as usize);
        let (real, sequence, width) = (self.real_tokens as usize, self.sequence as usize, self.head_dim as usize);
        for key in (0..real).step_by(sequence) {
            let end = real.min(key + sequence);
            for head in 0..heads {
                for query in (key..end).step_by(BLOCK) {
                    let queries = BLOCK.min(end - query);
                    let keys = query + queries - key;
                    let (q_column, kv_column) = (head * width, head / group * width);
                    f(&Block { query, queries, key, keys, head, q_column, kv_column });
                }
            }
        }
    }

    /// A block's queries in a buffer of q's shape, `[queries, head_dim]`.
    fn of_queries<'a, F>(&self, data: &'a [F], b: &Block) -> ArrayView2<'a, F> {
        let width = self.q_width as usize;
        view(data, b.query * width + b.q_column, b.queries, self.head_dim as usize, width)
    }

    fn of_queries_mut<'a, F>(&self, data: &'a mut [F], b: &Block) -> ArrayViewMut2<'a, F> {
        let width = self.q_width as usize;
        view_mut(data, b.query * width + b.q_column, b.queries, self.head_dim as usize, width)
    }

    /// A block's keys in a buffer of k's shape, `[keys, head_dim]`.
    fn of_keys<'a, F>(&self, data: &'a [F], b: &Block) -> ArrayView2<'a, F> {
        let width = self.kv_width as usize;
        view(data, b.key * width + b.kv_column, b.keys, self.head_dim as usize, width)
    }

    fn of_keys_mut<'a, F>(&self, data: &'a mut [F], b: &Block) -> ArrayViewMut2<'a, F> {
        let width = self.kv_width as usize;
        view_mut(data, b.key * width + b.kv_column, b.keys, self.head_dim as usize, width)
    }

    fn scratch<F: Real>(&self) -> Vec<F> {
        vec![F::zero(); BLOCK.min(self.sequence as usize) * self.sequence as usize]
    }
}

impl Block {
    /// Where in the block's rows of scores the first key is that the query must not see.
    fn seen(&self, query: usize) -> usize {
        self.query - self.key + query + 1
    }
}

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (q, k, v, mut out, mut lse) = (b.read("q"), b.read("k"), b.read("v"), b.write("out"), b.write("lse"));
    out.fill(F::zero());
    lse.fill(F::zero());
    let mut scratch = d.scratch();
    d.each_block(|block| {
        let (n, keys) = (block.keys, d.of_keys(&k, block));
        let mut scores = view_mut(&mut scratch, 0, block.queries, n, n);
        general_mat_mul(F::of(d.scale.into()), &d.of_queries(&q, block), &keys.t(), F::zero(), &mut scores);
        for (i, row) in scratch.chunks_exact_mut(n).take(block.queries).enumerate() {
            let (seen, unseen) = row.split_at_mut(block.seen(i));
            let top = seen.iter().copied().fold(F::neg_infinity(), F::max);
            seen.iter_mut().for_each(|score| *score = *score - top);
            F::powers_of_e(seen);
            let sum: F = seen.iter().copied().sum();
            let share = F::one() / sum;
            seen.iter_mut().for_each(|weight| *weight = *weight * share);
            unseen.fill(F::zero());
            lse[(block.query + i) * d.heads_width as usize + block.head] = top + sum.ln();
        }
        let weights = view(&scratch, 0, block.queries, n, n);
        general_mat_mul(F::one(), &weights, &d.of_keys(&v, block), F::zero(), &mut d.of_queries_mut(&mut out, block));
    });
}

/// What going back begins with: `weights = softmax(scale · q kᵀ)` anew, and `d_scores`, the gradient of `q kᵀ`.
struct Again<'a, F> {
    q: &'a [F],
    k: &'a [F],
    v: &'a [F],
    d_out: &'a [F],
    lse: &'a [F],
    delta: &'a [F],
}

impl<F: Real> Again<'_, F> {
    /// Of a block, both `[queries, keys]`.
    fn compute(&self, d: &Dims, block: &Block, weights: &mut [F], d_scores: &mut [F]) {
        let (scale, n) = (F::of(d.scale.into()), block.keys);
        let (keys, values) = (d.of_keys(self.k, block), d.of_keys(self.v, block));
        let (queries, d_out) = (d.of_queries(self.q, block), d.of_queries(self.d_out, block));
        general_mat_mul(scale, &queries, &keys.t(), F::zero(), &mut view_mut(weights, 0, block.queries, n, n));
        general_mat_mul(F::one(), &d_out, &values.t(), F::zero(), &mut view_mut(d_scores, 0, block.queries, n, n));
        let rows = weights.chunks_exact_mut(n).zip(d_scores.chunks_exact_mut(n));
        for (i, (weights, d_scores)) in rows.take(block.queries).enumerate() {
            let of_head = (block.query + i) * d.heads_width as usize + block.head;
            let (lse, delta) = (self.lse[of_head], self.delta[of_head]);
            let seen = block.seen(i);
            weights[..seen].iter_mut().for_each(|score| *score = *score - lse);
            F::powers_of_e(&mut weights[..seen]);
            for (d_score, &weight) in d_scores.iter_mut().zip(&weights[..seen]) {
                *d_score = scale * weight * (*d_score - delta);
            }
            weights[seen..].fill(F::zero());
            d_scores[seen..].fill(F::zero());
        }
    }
}

fn backward_query<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (q, k, v, out, d_out, lse) =
        (b.read("q"), b.read("k"), b.read("v"), b.read("out"), b.read("d_out"), b.read("lse"));
    let (mut dq, mut delta) = (b.write("dq"), b.write("delta"));
    dq.fill(F::zero());
    delta.fill(F::zero());
    d.each_block(|block| {
        let (out, d_out) = (d.of_queries(&out, block), d.of_queries(&d_out, block));
        for (i, (out, d_out)) in out.rows().into_iter().zip(d_out.rows()).enumerate() {
            let along = out.iter().zip(d_out).map(|(&o, &g)| o * g).sum();
            delta[(block.query + i) * d.heads_width as usize + block.head] = along;
        }
    });
    let again = Again { q: &q, k: &k, v: &v, d_out: &d_out, lse: &lse, delta: &delta };
    let (mut weights, mut d_scores) = (d.scratch(), d.scratch());
    d.each_block(|block| {
        again.compute(d, block, &mut weights, &mut d_scores);
        let d_scores = view(&d_scores, 0, block.queries, block.keys, block.keys);
        let mut dq = d.of_queries_mut(&mut dq, block);
        general_mat_mul(F::one(), &d_scores, &d.of_keys(&k, block), F::zero(), &mut dq);
    });
}

fn backward_key<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (q, k, v, d_out, lse, delta) =
        (b.read("q"), b.read("k"), b.read("v"), b.read("d_out"), b.read("lse"), b.read("delta"));
    let (mut dk, mut dv) = (b.write("dk"), b.write("dv"));
    dk.fill(F::zero());
    dv.fill(F::zero());
    let again = Again { q: &q, k: &k, v: &v, d_out: &d_out, lse: &lse, delta: &delta };
    let (mut weights, mut d_scores) = (d.scratch(), d.scratch());
    d.each_block(|block| {
        again.compute(d, block, &mut weights, &mut d_scores);
        let weights = view(&weights, 0, block.queries, block.keys, block.keys);
        let d_scores = view(&d_scores, 0, block.queries, block.keys, block.keys);
        let (mut dk, mut dv) = (d.of_keys_mut(&mut dk, block), d.of_keys_mut(&mut dv, block));
        general_mat_mul(F::one(), &d_scores.t(), &d.of_queries(&q, block), F::one(), &mut dk);
        general_mat_mul(F::one(), &weights.t(), &d.of_queries(&d_out, block), F::one(), &mut dv);
    });
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, assert_gradient, dot, matrix, run};

    /// Two sequences of five in sixteen rows, four heads in two groups.
    const DIMS: Dims = Dims {
        tokens: 16,
        real_tokens: 10,
        sequence: 5,
        heads: 4,
        kv_heads: 2,
        head_dim: 6,
        q_width: 32,
        kv_width: 16,
        heads_width: 8,
        scale: 0.5,
    };
    const OF_Q: usize = 16 * 32;
    const OF_KV: usize = 16 * 16;
    const OF_HEADS: usize = 16 * 8;

    fn given(seed: u64) -> [Vec<f64>; 3] {
        let kv = |seed| matrix(seed, [10, 12], [16, 16]);
        [matrix(seed, [10, 24], [16, 32]), kv(seed + 1), kv(seed + 2)]
    }

    fn attend([q, k, v]: [&[f64]; 3]) -> [Vec<f64>; 2] {
        let made = run(&ATTENTION, &DIMS, &[q, k, v], &[OF_Q, OF_HEADS]);
        made.try_into().unwrap_or_else(|_| unreachable!("it writes two buffers"))
    }

    /// As softmax is defined, one query at a time.
    fn plainly(d: &Dims, q: &[f64], k: &[f64], v: &[f64]) -> [Vec<f64>; 2] {
        let at = |n: u32| n as usize;
        let (q_width, kv_width, n) = (at(d.q_width), at(d.kv_width), at(d.head_dim));
        let (mut out, mut lse) = (vec![0.0; at(d.tokens) * q_width], vec![0.0; at(d.tokens) * at(d.heads_width)]);
        for (t, h) in (0..at(d.real_tokens)).flat_map(|t| (0..at(d.heads)).map(move |h| (t, h))) {
            let (from, of_kv) = (t * q_width + h * n, h / at(d.heads / d.kv_heads) * n);
            let keys: Vec<usize> = (t / at(d.sequence) * at(d.sequence)..=t).map(|s| s * kv_width + of_kv).collect();
            let weight = |&s: &usize| (f64::from(d.scale) * dot(&q[from..][..n], &k[s..][..n])).exp();
            let sum: f64 = keys.iter().map(weight).sum();
            for c in 0..n {
                out[from + c] = keys.iter().map(|s| weight(s) / sum * v[s + c]).sum();
            }
            lse[t * at(d.heads_width) + h] = sum.ln();
        }
        [out, lse]
    }

    #[test]
    fn outputs_are_those_of_the_definition() {
        let [q, k, v] = given(1);
        let wanted = plainly(&DIMS, &q, &k, &v);
        let made = attend([&q, &k, &v]);
        assert_close("out", &made[0], &wanted[0], 1e-12);
        assert_close("lse", &made[1], &wanted[1], 1e-12);
    }

    #[test]
    fn sequences_longer_than_a_block_are_no_different() {
        let d = Dims { tokens: 136, real_tokens: 134, sequence: 67, ..DIMS };
        let q = matrix(1, [134, 24], [136, 32]);
        let [k, v] = [2, 3].map(|seed| matrix(seed, [134, 12], [136, 16]));
        let made = run(&ATTENTION, &d, &[&q, &k, &v], &[136 * 32, 136 * 8]);
        let wanted = plainly(&d, &q, &k, &v);
        assert_close("out", &made[0], &wanted[0], 1e-12);
        assert_close("lse", &made[1], &wanted[1], 1e-12);
    }

    #[test]
    fn nothing_comes_from_later_tokens_or_another_sequence() {
        let ([q, k, v], [_, other_k, other_v]) = (given(1), given(5));
        let before = attend([&q, &k, &v]);
        for changed in 0..10 {
            let (mut k, mut v) = (k.clone(), v.clone());
            let row = changed * 16..changed * 16 + 16;
            k[row.clone()].copy_from_slice(&other_k[row.clone()]);
            v[row.clone()].copy_from_slice(&other_v[row]);
            let after = attend([&q, &k, &v]);
            for t in 0..10 {
                let same = before[0][t * 32..][..32] == after[0][t * 32..][..32];
                let sees = t >= changed && t / 5 == changed / 5;
                assert_eq!(same, !sees, "output {t} after a change of {changed}");
            }
        }
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let ([q, k, v], d_out) = (given(1), matrix(9, [10, 24], [16, 32]));
        let [out, lse] = attend([&q, &k, &v]);
        let made = run(&ATTENTION_BACKWARD_QUERY, &DIMS, &[&q, &k, &v, &out, &d_out, &lse], &[OF_Q, OF_HEADS]);
        let (dq, delta) = (&made[0], &made[1]);
        let made = run(&ATTENTION_BACKWARD_KEY, &DIMS, &[&q, &k, &v, &d_out, &lse, delta], &[OF_KV, OF_KV]);
        let loss = |given: [&[f64]; 3]| dot(&d_out, &attend(given)[0]);
        assert_gradient("dq", &q, dq, |q| loss([q, &k, &v]));
        assert_gradient("dk", &k, &made[0], |k| loss([&q, k, &v]));
        assert_gradient("dv", &v, &made[1], |v| loss([&q, &k, v]));
    }
}
