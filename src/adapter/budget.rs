//! Bringing lanes to one number of trainable parameters, so that methods are compared at equal size. Arithmetic
//! on shapes; knows nothing of trained values.

use super::count::count;
use crate::config::{Lane, Method, limits};

/// Trainable parameters of a lane over the layers it adapts; `layers` are (inputs, outputs) of all layers.
pub fn lane_count(lane: &Lane, layers: &[(usize, usize)]) -> usize {
    layers
        .iter()
        .enumerate()
        .filter(|&(i, _)| lane.adapts(i))
        .map(|(i, &(inputs, outputs))| count(&lane.method_at(i), inputs, outputs))
        .sum()
}

/// Each lane at the size nearest to `target`, the smaller of two equally near: LoRA by its rank, MoR1E by its
/// experts, MoLoRA by its experts' rank, or, where even rank 1 is too much, by fewer experts. Full fine-tuning
/// has nothing to choose and stays. `layers` are (inputs, outputs) of all layers.
pub fn match_parameters(lanes: &[Lane], layers: &[(usize, usize)], target: usize) -> Vec<Lane> {
    lanes
        .iter()
        .map(|lane| {
            sizes(lane)
                .into_iter()
                .min_by_key(|candidate| {
                    let count = lane_count(candidate, layers);
                    (count.abs_diff(target), count)
                })
                .unwrap_or_else(|| lane.clone())
        })
        .collect()
}

/// The sizes in which a lane can be had, all else as it is.
fn sizes(lane: &Lane) -> Vec<Lane> {
    let every = |limit: limits::Whole| (limit.min..=limit.max).map(|size| lane.resized(size)).collect();
    match lane.method {
        Method::Full => vec![lane.clone()],
        Method::Lora { .. } | Method::Variant { .. } => every(limits::RANK),
        Method::Mor1e { .. } => every(limits::EXPERTS),
        Method::Molora { experts, .. } => {
            let layers = lane.options.experts_per_layer.as_deref().unwrap_or(&[]);
            let widest = layers.iter().copied().max().unwrap_or(experts);
            let ranks =
                (limits::RANK.min..=limits::RANK.max.min(limits::MIXTURE_RANK / widest)).map(|r| lane.resized(r));
            ranks.chain((limits::EXPERTS.min..experts).map(|n| fewer(lane, n))).collect()
        }
    }
}

/// A mixture of this many experts of the smallest rank.
fn fewer(lane: &Lane, count: usize) -> Lane {
    let mut lane = lane.resized(limits::RANK.min);
    if let Method::Molora { experts, top_k, .. } = &mut lane.method {
        *experts = count;
        *top_k = (*top_k).min(count);
    }
    lane
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &[(usize, usize)] = &[(64, 64)];

    fn lanes() -> Vec<Lane> {
        [Method::Full, Method::lora(), Method::molora(), Method::mor1e()].map(Lane::from).to_vec()
    }

    fn counts(lanes: &[Lane], layers: &[(usize, usize)]) -> Vec<usize> {
        lanes.iter().map(|lane| lane_count(lane, layers)).collect()
    }

    #[test]
    fn nearest_size_is_chosen() {
        let matched = match_parameters(&lanes(), SQUARE, 2304);
        // 4 · 4 · 128 + 256 = 2,304 exactly; 18 · 128; 12 · 128 + 608 + 12 · 9 = 2,252 is nearer than 13's 2,389.
        assert_eq!(counts(&matched, SQUARE), [4096, 2304, 2304, 2252]);
        assert_eq!(matched[0], lanes()[0]);
        assert_eq!(match_parameters(&matched, SQUARE, 2304), matched, "matching twice changes nothing");
    }

    #[test]
    fn no_neighbour_is_nearer() {
        let layers = &[(64, 64), (64, 64), (64, 10)];
        for target in [1, 500, 3333, 10_000, 100_000] {
            for lane in match_parameters(&lanes(), layers, target) {
                let distance = lane_count(&lane, layers).abs_diff(target);
                let (n, r) = match lane.method {
                    Method::Full => continue,
                    Method::Lora { rank, .. } | Method::Variant { rank, .. } => (1, rank),
                    Method::Molora { experts, rank, .. } => (experts, rank),
                    Method::Mor1e { experts, .. } => (experts, 1),
                };
                let (n_step, r_step) = match lane.method {
                    Method::Mor1e { .. } => (1, 0),
                    _ => (0, 1),
                };
                for (n, r) in
                    [(n + n_step, r + r_step), (n.saturating_sub(n_step).max(1), r.saturating_sub(r_step).max(1))]
                {
                    let mut other = lane.resized(if n_step == 1 { n.min(limits::EXPERTS.max) } else { r });
                    if let Method::Molora { experts, .. } = &mut other.method {
                        *experts = n;
                    }
                    assert!(lane_count(&other, layers).abs_diff(target) >= distance, "{lane:?}");
                }
            }
        }
    }

    #[test]
    fn experts_go_only_where_rank_one_is_too_much() {
        let method = Method::Molora {
            experts: 8,
            rank: 2,
            alpha: 4.0,
            top_k: 4,
            renormalize: false,
            balance: Default::default(),
        };
        let matched = |target| match_parameters(&[method.clone().into()], SQUARE, target)[0].clone();
        // Rank 1 on eight experts holds 8 · 128 + 512 = 1,536.
        assert!(matches!(matched(1536).method, Method::Molora { experts: 8, rank: 1, top_k: 4, .. }));
        // Two experts: 2 · 128 + 128 = 384.
        assert!(matches!(matched(400).method, Method::Molora { experts: 2, rank: 1, top_k: 2, .. }));
    }

    #[test]
    fn only_adapted_layers_count() {
        let lane = Lane { layers: Some(vec![2]), ..Method::lora().into() };
        let layers = &[(64, 64), (64, 64), (64, 10)];
        assert_eq!(lane_count(&lane, layers), 8 * 74);
        let matched = match_parameters(&[lane], layers, 740);
        assert!(matches!(matched[0].method, Method::Lora { rank: 10, .. }));
        assert_eq!(matched[0].layers, Some(vec![2]));
    }
}
