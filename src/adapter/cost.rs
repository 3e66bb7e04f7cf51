//! What an adapter costs: bytes beside the frozen weights, and multiply-adds per token. By formula from shapes; knows
//! nothing of how fast anything runs.
//!
//! Counted are products of matrices; softmax, GELU and additions are not. `I` inputs, `O` outputs, `R` rank, `N` experts
//! (`k` of them kept), `H` and `S` the gate network's width and the tokens that share a gate:
//!
//! | | down, from x | inner | up, to y |
//! |---|---|---|---|
//! | lora | `R·I` | | `R·O` |
//! | molora | `N·I` router, `k·R·I` | | `k·R·O` |
//! | mora | | `r̂·r̂` | |
//! | mor1e | `N·I`, `H·I/S` | `(H·H + N·H)/S` | `N·O` |
//! | its prototype gate, in place of H's | `N·I/S` router, `N·I/S` prototypes | | |
//! | its shared vectors, in place of N's | `p·I` | `N` | `N/p·O` |
//!
//! Forward is all three and the layer's own `I·O`. Backward is as much again for the gradients of weights, inner and up
//! once more for what they hand back, and down with `I·O` where a layer below is trained too; prototypes have no gradient.
//! Full fine-tuning is the layer's own product alone, its weight's gradient, and its input's.

use super::count::{count, fixed, hidden_width, mora_side, vectors};
use crate::config::{Form, Gate, Lane, Method, Weights};

/// Of one lane, over all its adapted layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Trainable parameters.
    pub parameters: usize,
    /// AdamW's two moments in f32, in bytes.
    pub optimizer: usize,
    /// The adapter in bytes, f32 or quantised: what must be kept for each task.
    pub stored: usize,
    /// Multiply-adds per token of a training step, the adapted layers' own included.
    pub training: usize,
    /// Multiply-adds per token of an answer, base and adapter apart.
    pub apart: usize,
    /// The same with the change merged into the weight; `None` where no merge is exact.
    pub merged: Option<usize>,
}

/// Multiply-adds per token of an adapter's products.
struct Products {
    down: usize,
    inner: usize,
    up: usize,
    /// Of `down`, those whose weights are not trained.
    fixed: usize,
}

/// Cost of a lane on a network of these layers' `(inputs, outputs)`, tokens coming in sequences of `sequence`.
pub fn cost(lane: &Lane, layers: &[(usize, usize)], sequence: usize) -> Cost {
    let mut total = Cost { merged: Some(0), ..Cost::default() };
    let adapted = layers.iter().enumerate().filter(|&(l, _)| lane.adapts(l));
    for (index, (l, &(inputs, outputs))) in adapted.enumerate() {
        let method = &lane.method_at(l);
        let layer = inputs * outputs;
        // The lowest adapted layer's input needs no gradient.
        let below = usize::from(index > 0);
        let parameters = count(method, inputs, outputs);
        total.parameters += parameters;
        total.optimizer += 8 * parameters;
        total.stored += stored(method, lane.options.weights, inputs, outputs);
        match products(method, inputs, outputs, sequence) {
            None => {
                total.apart += layer;
                total.training += (2 + below) * layer;
            }
            Some(Products { down, inner, up, fixed }) => {
                let forward = down + inner + up;
                total.apart += layer + forward;
                total.training += layer + 2 * forward - fixed + inner + up + below * (layer + down);
            }
        }
        let exact = !matches!(method, Method::Molora { .. } | Method::Mor1e { .. });
        total.merged = total.merged.filter(|_| exact).map(|merged| merged + layer);
    }
    total
}

/// Bytes of a layer's parameters, and of what it keeps beside them, as its forward pass reads them: f32 each, but quantised
/// factors as [`quantised`] has it.
fn stored(method: &Method, weights: Weights, inputs: usize, outputs: usize) -> usize {
    let all = 4 * (count(method, inputs, outputs) + fixed(method, inputs));
    let (experts, rank) = match *method {
        Method::Lora { rank, .. } => (1, rank),
        Method::Molora { experts, rank, .. } => (experts, rank),
        _ => return all,
    };
    // Whole bytes for each matrix.
    let saved = |entries: usize| 4 * entries - libm::ceil(quantised(entries, weights)) as usize;
    all - experts * (saved(rank * inputs) + saved(rank * outputs))
}

/// Bytes of a matrix of so many entries: f32 each; or one bit each, or log₂ 3 of them, and an f32 for the scale.
pub fn quantised(entries: usize, weights: Weights) -> f64 {
    match weights {
        Weights::Float => 4.0 * entries as f64,
        Weights::Ternary => libm::log2(3.0) * entries as f64 / 8.0 + 4.0,
        Weights::Binary => entries as f64 / 8.0 + 4.0,
    }
}

/// `None` for full fine-tuning, whose change lies in the weight.
fn products(method: &Method, inputs: usize, outputs: usize, sequence: usize) -> Option<Products> {
    Some(match *method {
        Method::Full => return None,
        Method::Lora { rank, .. } => Products { down: rank * inputs, inner: 0, up: rank * outputs, fixed: 0 },
        // The weight is formed once per step, whatever the tokens, and then applied.
        Method::Variant { form: Form::Dora, .. } => return None,
        // Folds are additions.
        Method::Variant { form: Form::Mora, rank, .. } => {
            Products { down: 0, inner: mora_side(rank, inputs, outputs).pow(2), up: 0, fixed: 0 }
        }
        Method::Variant { rank, .. } => Products { down: rank * inputs, inner: 0, up: rank * outputs, fixed: 0 },
        Method::Molora { experts, rank, top_k, .. } => {
            // Experts with a gate of 0 need not be computed.
            let kept = if top_k == 0 { experts } else { top_k.min(experts) };
            Products { down: (experts + kept * rank) * inputs, inner: 0, up: kept * rank * outputs, fixed: 0 }
        }
        Method::Mor1e { experts, gate, .. } => {
            let hidden = hidden_width(method, inputs);
            let shared = if gate == Gate::Token { 1 } else { sequence.max(1) };
            let (read, write) = vectors(method, experts);
            let fixed = fixed(method, inputs).div_ceil(shared);
            // A prototype gate's router is as large as its prototypes.
            let gate = (hidden * inputs).div_ceil(shared) + 2 * fixed;
            Products {
                down: read * inputs + gate,
                inner: ((hidden + experts) * hidden).div_ceil(shared)
                    + if method.readers().is_some() { experts } else { 0 },
                up: write * outputs,
                fixed,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lora_by_hand() {
        let method = Method::Lora { rank: 8, alpha: 16.0, rslora: false };
        let one = cost(&method.clone().into(), &[(64, 32)], 4);
        let (down, up, layer) = (8 * 64, 8 * 32, 64 * 32);
        assert_eq!(one.parameters, 768);
        assert_eq!((one.optimizer, one.stored), (8 * 768, 4 * 768));
        assert_eq!(one.apart, layer + down + up);
        assert_eq!(one.merged, Some(layer));
        // Forward; both gradients of weights; back through B.
        assert_eq!(one.training, layer + 2 * (down + up) + up);
        let two = cost(&method.clone().into(), &[(64, 32), (32, 64)], 4);
        assert_eq!(two.training - one.training, 2 * layer + 2 * (down + up) + down + down / 2);
    }

    #[test]
    fn every_layer_costs_its_own_and_bits_are_bits() {
        let layers = [(64, 64), (64, 64), (64, 10)];
        let mut lane = Lane::from(Method::molora());
        lane.options.experts_per_layer = Some(vec![8, 2, 4]);
        lane.layers = Some(vec![0, 2]);
        let by_hand = |n: usize, i: usize, o: usize| n * 2 * (i + o) + n * i;
        assert_eq!(cost(&lane, &layers, 8).parameters, by_hand(8, 64, 64) + by_hand(4, 64, 10));
        lane.options.weights = Weights::Binary;
        // Two matrices an expert, a bit an entry and a scale; the router in f32.
        let bytes = |n: usize, i: usize, o: usize| n * (2 * i / 8 + (2 * o).div_ceil(8) + 8) + 4 * n * i;
        assert_eq!(cost(&lane, &layers, 8).stored, bytes(8, 64, 64) + bytes(4, 64, 10));
        lane.options.weights = Weights::Ternary;
        // 128 and 20 entries at log₂ 3 bits: 25.4 and 4.0 bytes.
        let bytes = |n: usize, i: usize, up: usize| n * (26 + up + 8) + 4 * n * i;
        assert_eq!(cost(&lane, &layers, 8).stored, bytes(8, 64, 26) + bytes(4, 64, 4));
    }

    #[test]
    fn experts_left_out_cost_nothing() {
        let mut method = Method::molora();
        let soft = cost(&method.clone().into(), &[(64, 64)], 8);
        assert_eq!(soft.merged, None);
        let Method::Molora { top_k, experts, rank, .. } = &mut method else { unreachable!() };
        let (n, r) = (*experts, *rank);
        *top_k = 1;
        let sparse = cost(&method.clone().into(), &[(64, 64)], 8);
        assert_eq!(soft.apart - sparse.apart, (n - 1) * r * 128);
        assert_eq!(sparse.parameters, soft.parameters);
    }

    #[test]
    fn prototypes_are_kept_and_not_trained() {
        let mut method = Method::mor1e();
        let Method::Mor1e { gate, flex, .. } = &mut method else { unreachable!() };
        *gate = Gate::Prototype;
        *flex = Some(2);
        // Eight experts of two vectors that read and four that write, on 64 inputs and 32 outputs.
        let one = cost(&method.into(), &[(64, 32)], 8);
        let (vectors, router, prototypes, layer) = (2 * 64 + 4 * 32, 8 * 64, 8 * 64, 64 * 32);
        assert_eq!(one.parameters, vectors + router + 1);
        assert_eq!(one.optimizer, 8 * one.parameters);
        assert_eq!(one.stored, 4 * (one.parameters + prototypes));
        let forward = vectors + 8 + router / 8 + prototypes / 8;
        assert_eq!(one.apart, layer + forward);
        assert_eq!(one.training, layer + 2 * forward - prototypes / 8 + 8 + 4 * 32);
        assert_eq!(one.merged, None);
    }

    #[test]
    fn a_pooled_gate_is_shared_by_its_sequence() {
        let mut method = Method::mor1e();
        let pooled = cost(&method.clone().into(), &[(64, 64)], 8);
        let Method::Mor1e { gate, experts, .. } = &mut method else { unreachable!() };
        *gate = Gate::Token;
        let n = *experts;
        let token = cost(&method.clone().into(), &[(64, 64)], 8);
        // H = 8.
        let network = 8 * 64 + 8 * 8 + n * 8;
        assert_eq!(token.apart - 64 * 64, n * 128 + network);
        assert_eq!(token.apart - pooled.apart, network - network / 8);
    }
}
