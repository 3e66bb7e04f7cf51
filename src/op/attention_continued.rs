//! Causal attention of tokens with which a sequence goes on: the keys and values before them lie in a cache, which takes in
//! theirs. There is no way back.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// q and out `[tokens, q_width]`, k and v `[tokens, kv_width]`, heads side by side as in `attention`; keys and values
    /// `[positions, kv_width]`. The tokens' positions begin where the step does.
    Dims {
        tokens: u32,
        heads: u32,
        kv_heads: u32,
        /// 128 at most.
        head_dim: u32,
        q_width: u32,
        kv_width: u32,
        /// What scores are multiplied by: 1/√head_dim.
        scale: f32,
    }
);

kernel!(
    /// `out = softmax(scale · q keysᵀ) values` over the positions up to each token's own.
    pub static ATTENTION_CONTINUED: Dims = "attention_continued", "forward";
    bindings: [q: Read, k: Read, v: Read, keys: Write, values: Write, out: Write],
    workgroups: |d, _| (d.tokens * d.heads).div_ceil(32),
    twin: forward,
);

fn forward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (q, k, v) = (b.read("q"), b.read("k"), b.read("v"));
    let (mut keys, mut values, mut out) = (b.write("keys"), b.write("values"), b.write("out"));
    let (tokens, first, head) = (d.tokens as usize, step.x_row as usize, d.head_dim as usize);
    let (width, row, scale) = (d.kv_width as usize, d.q_width as usize, F::of(d.scale.into()));
    for (cache, new) in [(&mut keys, &k), (&mut values, &v)] {
        cache[first * width..][..tokens * width].copy_from_slice(&new[..tokens * width]);
    }
    out[..tokens * row].fill(F::zero());
    for (t, h) in (0..tokens).flat_map(|t| (0..d.heads as usize).map(move |h| (t, h))) {
        let shared = h / (d.heads / d.kv_heads) as usize * head;
        let seen = first + t + 1;
        let query = &q[t * row + h * head..][..head];
        let at = |position: usize| position * width + shared..position * width + shared + head;
        let mut weights: Vec<F> = (0..seen).map(|position| scale * F::dot(query, &keys[at(position)])).collect();
        let top = weights.iter().copied().fold(F::neg_infinity(), F::max);
        weights.iter_mut().for_each(|weight| *weight = *weight - top);
        F::powers_of_e(&mut weights);
        let share = F::one() / weights.iter().copied().sum();
        let out = &mut out[t * row + h * head..][..head];
        for (position, &weight) in weights.iter().enumerate() {
            out.iter_mut().zip(&values[at(position)]).for_each(|(out, &value)| *out += share * weight * value);
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::attention::{self, ATTENTION};
    use crate::op::testing::{assert_close, matrix, run};

    /// Two positions are in the cache, as `run` begins at the third.
    #[test]
    fn a_sequence_that_goes_on_attends_as_the_whole() {
        let (q, k, v) = (matrix(1, [10, 12], [16, 16]), matrix(2, [10, 6], [16, 8]), matrix(3, [10, 6], [16, 8]));
        let whole = attention::Dims {
            tokens: 16,
            real_tokens: 10,
            sequence: 10,
            heads: 4,
            kv_heads: 2,
            head_dim: 3,
            q_width: 16,
            kv_width: 8,
            heads_width: 8,
            scale: 0.5,
        };
        let wanted = run(&ATTENTION, &whole, &[&q, &k, &v], &[256, 128]).remove(0);
        let cache = |of: &[f64]| [&of[..16], &[7.0; 112]].concat();
        let d = Dims { tokens: 8, heads: 4, kv_heads: 2, head_dim: 3, q_width: 16, kv_width: 8, scale: 0.5 };
        let given = [&q[32..160], &k[16..80], &v[16..80], &cache(&k), &cache(&v)];
        let out = run(&ATTENTION_CONTINUED, &d, &given, &[128]).remove(0);
        assert_close("out", &out, &wanted[32..160], 1e-12);
    }
}
