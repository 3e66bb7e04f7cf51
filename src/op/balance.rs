//! Load balance: what the balance term of the loss adds to the gradient of every token's gate.
//!
//! `entropy`: `Σ p̄ᵢ log(p̄ᵢ + 1e-12)`, p̄ the mean gate. `switch`: `N Σ fᵢ P̄ᵢ`, fᵢ the share of tokens whose top
//! expert is i, through which no gradient flows (Fedus et al., arXiv 2101.03961).

use crate::graph::{Bound, Real, Step, dims, kernel};
use crate::tensor::argmax;

dims!(
    /// g `[rows, logits]`, balance `[logits]`: the derivative of the weighted term by one token's gate.
    Dims {
        /// Rows of g that are not padding.
        rows: u32,
        /// Tokens of the batch, over which the mean is taken.
        tokens: u32,
        experts: u32,
        logits: u32,
        /// 1 entropy, 2 switch.
        kind: u32,
        coefficient: f32,
    }
);

kernel!(
    /// The balance term.
    pub static BALANCE: Dims = "balance", "forward";
    bindings: [g: Read, balance: Write],
    workgroups: |_, _| 1,
    twin: forward,
);

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (g, mut balance) = (b.read("g"), b.write("balance"));
    let (rows, n, logits) = (d.rows as usize, d.experts as usize, d.logits as usize);
    let coefficient = F::of(f64::from(d.coefficient)) / F::of(f64::from(d.tokens));
    let gates = || (0..rows).map(|r| &g[r * logits..r * logits + n]);
    for (e, out) in balance.iter_mut().enumerate().take(n) {
        *out = coefficient
            * if d.kind == 1 {
                let mean = gates().map(|gate| gate[e]).sum::<F>() / F::of(rows as f64);
                let safe = mean + F::of(1e-12);
                safe.ln() + mean / safe
            } else {
                let top = gates().filter(|gate| argmax(*gate) == e).count();
                F::of((n * top) as f64 / rows as f64)
            };
    }
}
