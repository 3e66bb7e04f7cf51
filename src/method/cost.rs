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
//! Full fine-tuning is the layer's own product alone, its weight's gradient, and its input's; so is a head trained whole.

use super::count::{count, frozen};
use super::description::{Change, Products, Widths};
use super::lane::Lane;
use super::modifier::quantised;
use crate::args::{SavedModule, Settings};
use crate::task::network::LinearSite;

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

/// Cost of a lane on a network of these linear layers, tokens coming in sequences of `sequence`. `tables`: what it may train whole,
/// with its parameters.
pub fn cost(lane: &Lane, sites: &[LinearSite], tables: &[(SavedModule, usize)], sequence: usize) -> Cost {
    let mut total = Cost { merged: Some(0), ..Cost::default() };
    let adapted = || sites.iter().filter(|site| lane.adapts(site));
    let lowest = adapted().map(LinearSite::place).min();
    for site in adapted() {
        let &LinearSite { inputs, outputs, layer, .. } = site;
        let settings = &lane.settings_at(layer);
        let widths = Widths { inputs, outputs };
        let own = inputs * outputs;
        // What the lowest adapted layers read needs no gradient, unless it comes from an embedding that is trained.
        let below = usize::from(Some(site.place()) > lowest || lane.saves(SavedModule::Embedding));
        let parameters = count(lane.method, settings, widths);
        total.parameters += parameters;
        total.optimizer += 8 * parameters;
        total.stored += stored(lane, settings, widths);
        match (lane.method.products)(settings, widths, sequence) {
            Products::InTheWeight => {
                total.apart += own;
                total.training += (2 + below) * own;
            }
            Products::Apart { down, inner, up, untrained } => {
                let forward = down + inner + up;
                total.apart += own + forward;
                total.training += own + 2 * forward - untrained + inner + up + below * (own + down);
            }
        }
        let exact = lane.method.extras.gate.is_none();
        total.merged = total.merged.filter(|_| exact).map(|merged| merged + own);
    }
    for &(module, own) in tables.iter().filter(|(module, _)| lane.saves(*module)) {
        total.parameters += own;
        total.optimizer += 8 * own;
        total.stored += 4 * own;
        // Rows of an embedding are looked up, not multiplied.
        if module == SavedModule::Head {
            let below = usize::from(lowest.is_some() || lane.saves(SavedModule::Embedding));
            total.training += (2 + below) * own;
            total.apart += own;
            total.merged = total.merged.map(|merged| merged + own);
        }
    }
    total
}

/// Bytes of a layer's parameters, and of what it keeps beside them, as its forward pass reads them: f32 each, but quantised
/// factors as `quantised` has it.
fn stored(lane: &Lane, settings: &Settings, widths: Widths) -> usize {
    let all = 4 * (count(lane.method, settings, widths) + frozen(lane.method, settings, widths));
    let Change::Product(product) = (lane.method.change)(settings, widths) else { return all };
    if !quantised::is_on(settings) {
        return all;
    }
    let saved = |entries: usize| 4 * entries - quantised::stored(entries, settings);
    all - product.experts * (saved(product.rank * widths.inputs) + saved(product.rank * widths.outputs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Named;
    use crate::method::{LORA, MOLORA, MOR1E};

    #[test]
    fn a_lora_by_hand() {
        let lane = Lane::from(&LORA).with("rank", 8);
        let one = cost(&lane, &LinearSite::plain(&[(64, 32)]), &[], 4);
        let (down, up, layer) = (8 * 64, 8 * 32, 64 * 32);
        assert_eq!(one.parameters, 768);
        assert_eq!((one.optimizer, one.stored), (8 * 768, 4 * 768));
        assert_eq!(one.apart, layer + down + up);
        assert_eq!(one.merged, Some(layer));
        // Forward; both gradients of weights; back through B.
        assert_eq!(one.training, layer + 2 * (down + up) + up);
        let two = cost(&lane, &LinearSite::plain(&[(64, 32), (32, 64)]), &[], 4);
        assert_eq!(two.training - one.training, 2 * layer + 2 * (down + up) + down + down / 2);
    }

    #[test]
    fn tables_trained_whole() {
        let sites = LinearSite::plain(&[(64, 32)]);
        let tables = [(SavedModule::Embedding, 640), (SavedModule::Head, 320)];
        let lane = Lane::from(&LORA).with("rank", 8);
        let plain = cost(&lane, &sites, &tables, 4);
        let both = cost(&Lane { modules_to_save: SavedModule::ALL.to_vec(), ..lane.clone() }, &sites, &tables, 4);
        assert_eq!(both.parameters - plain.parameters, 960);
        assert_eq!((both.optimizer - plain.optimizer, both.stored - plain.stored), (8 * 960, 4 * 960));
        // The head's three products, and what now goes back through the layer to the embedding.
        assert_eq!(both.training - plain.training, 3 * 320 + 64 * 32 + 8 * 64);
        assert_eq!(both.apart - plain.apart, 320);
        let head = cost(&Lane { modules_to_save: vec![SavedModule::Head], ..lane }, &sites, &tables, 4);
        assert_eq!(head.training - plain.training, 3 * 320);
    }

    #[test]
    fn every_layer_costs_its_own_and_bits_are_bits() {
        let layers = [(64, 64), (64, 64), (64, 10)];
        let lane = Lane::from(&MOLORA).with("experts_per_layer", vec![8, 2, 4]).on(vec![0, 2]);
        let by_hand = |n: usize, i: usize, o: usize| n * 2 * (i + o) + n * i;
        assert_eq!(
            cost(&lane, &LinearSite::plain(&layers), &[], 8).parameters,
            by_hand(8, 64, 64) + by_hand(4, 64, 10)
        );
        let lane = lane.with("weights", "binary");
        // Two matrices an expert, a bit an entry and a scale; the router in f32.
        let bytes = |n: usize, i: usize, o: usize| n * (2 * i / 8 + (2 * o).div_ceil(8) + 8) + 4 * n * i;
        assert_eq!(cost(&lane, &LinearSite::plain(&layers), &[], 8).stored, bytes(8, 64, 64) + bytes(4, 64, 10));
        let lane = lane.with("weights", "ternary");
        // 128 and 20 entries at log₂ 3 bits: 25.4 and 4.0 bytes.
        let bytes = |n: usize, i: usize, up: usize| n * (26 + up + 8) + 4 * n * i;
        assert_eq!(cost(&lane, &LinearSite::plain(&layers), &[], 8).stored, bytes(8, 64, 26) + bytes(4, 64, 4));
    }

    #[test]
    fn experts_left_out_cost_nothing() {
        let lane = Lane::from(&MOLORA);
        let soft = cost(&lane, &LinearSite::plain(&[(64, 64)]), &[], 8);
        assert_eq!(soft.merged, None);
        let (n, r) = (lane.settings.whole("experts"), lane.settings.whole("rank"));
        let sparse = cost(&lane.with("top_k", 1), &LinearSite::plain(&[(64, 64)]), &[], 8);
        assert_eq!(soft.apart - sparse.apart, (n - 1) * r * 128);
        assert_eq!(sparse.parameters, soft.parameters);
    }

    #[test]
    fn prototypes_are_kept_and_not_trained() {
        let lane = Lane::from(&MOR1E).with("gate", "prototype").with("flex", 2);
        // Eight experts of two vectors that read and four that write, on 64 inputs and 32 outputs.
        let one = cost(&lane, &LinearSite::plain(&[(64, 32)]), &[], 8);
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
        let lane = Lane::from(&MOR1E);
        let n = lane.settings.whole("experts");
        let pooled = cost(&lane, &LinearSite::plain(&[(64, 64)]), &[], 8);
        let token = cost(&lane.with("gate", "token"), &LinearSite::plain(&[(64, 64)]), &[], 8);
        // H = 8.
        let network = 8 * 64 + 8 * 8 + n * 8;
        assert_eq!(token.apart - 64 * 64, n * 128 + network);
        assert_eq!(token.apart - pooled.apart, network - network / 8);
    }
}
