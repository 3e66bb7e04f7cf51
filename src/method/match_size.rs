//! Bringing lanes to one number of trainable parameters, so that methods are compared at equal size. Arithmetic
//! on shapes; knows nothing of trained values.

use super::count::count;
use super::description::Widths;
use super::lane::Lane;
use crate::args::Kind;
use crate::args::limits::Whole;
use crate::task::network::LinearSite;

/// Trainable parameters of a lane over the linear layers it adapts, of all these.
pub fn lane_count(lane: &Lane, sites: &[LinearSite]) -> usize {
    let widths = |site: &LinearSite| Widths { inputs: site.inputs, outputs: site.outputs };
    let adapted = sites.iter().filter(|site| lane.adapts(site));
    adapted.map(|site| count(lane.method, &lane.settings_at(site.layer), widths(site))).sum()
}

/// Each lane at the size nearest to `target`, the smaller of two equally near: by what its slider moves, or, where even the
/// least of that is too much, by fewer experts. A lane without a size stays. `sites` are all linear layers.
pub fn match_parameters(lanes: &[Lane], sites: &[LinearSite], target: usize) -> Vec<Lane> {
    lanes
        .iter()
        .map(|lane| {
            sizes(lane)
                .into_iter()
                .min_by_key(|candidate| {
                    let count = lane_count(candidate, sites);
                    (count.abs_diff(target), count)
                })
                .unwrap_or_else(|| lane.clone())
        })
        .collect()
}

/// The sizes in which a lane can be had, all else as it is.
fn sizes(lane: &Lane) -> Vec<Lane> {
    let Some(size) = &lane.method.extras.size else { return vec![lane.clone()] };
    let range = |key: &str| {
        let kind = lane.described().iter().find(|setting| setting.key == key).map(|setting| setting.kind);
        match kind {
            Some(Kind::Whole(range)) => range,
            _ => Whole { min: 1, max: 0 },
        }
    };
    let least = range(size.key).min;
    let mut all: Vec<Lane> =
        range(size.key).all().map(|n| lane.resized(n)).filter(|lane| lane.broken_limit(usize::MAX).is_none()).collect();
    // A mixture of ranks may also have fewer experts, of the least rank.
    if size.key != "experts"
        && let Some(experts) = lane.settings.maybe_whole("experts")
    {
        let fewer = |n: usize| lane.resized(least).with("experts", n).with_bounds();
        all.extend((range("experts").min..experts).map(fewer));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{FULL, LORA, METHODS, MOLORA, MOR1E};

    const SQUARE: &[(usize, usize)] = &[(64, 64)];

    fn lanes() -> Vec<Lane> {
        [&FULL, &LORA, &MOLORA, &MOR1E].map(Lane::from).to_vec()
    }

    fn counts(lanes: &[Lane], layers: &[(usize, usize)]) -> Vec<usize> {
        lanes.iter().map(|lane| lane_count(lane, &LinearSite::plain(layers))).collect()
    }

    #[test]
    fn nearest_size_is_chosen() {
        let matched = match_parameters(&lanes(), &LinearSite::plain(SQUARE), 2304);
        // 4 · 4 · 128 + 256 = 2,304 exactly; 18 · 128; 12 · 128 + 608 + 12 · 9 = 2,252 is nearer than 13's 2,389.
        assert_eq!(counts(&matched, SQUARE), [4096, 2304, 2304, 2252]);
        assert_eq!(matched[0], lanes()[0]);
        assert_eq!(
            match_parameters(&matched, &LinearSite::plain(SQUARE), 2304),
            matched,
            "matching twice changes nothing"
        );
    }

    #[test]
    fn no_neighbour_is_nearer() {
        let layers = &[(64, 64), (64, 64), (64, 10)];
        for target in [1, 500, 3333, 10_000, 100_000] {
            let all: Vec<Lane> = METHODS.iter().map(|&method| method.into()).collect();
            for lane in match_parameters(&all, &LinearSite::plain(layers), target) {
                let distance = lane_count(&lane, &LinearSite::plain(layers)).abs_diff(target);
                let Some((key, size)) = lane.size() else { continue };
                let described = lane.described();
                let own = described.iter().find(|setting| setting.key == key).map(|setting| setting.kind);
                let Some(Kind::Whole(range)) = own else { panic!("{key} is no whole number") };
                for neighbour in [size + 1, size - 1] {
                    let other = lane.resized(neighbour.clamp(range.min, range.max));
                    assert!(lane_count(&other, &LinearSite::plain(layers)).abs_diff(target) >= distance, "{lane:?}");
                }
            }
        }
    }

    #[test]
    fn experts_go_only_where_rank_one_is_too_much() {
        let lane = Lane::from(&MOLORA).with("experts", 8).with("top_k", 4);
        let matched = |target| {
            let lane = match_parameters(std::slice::from_ref(&lane), &LinearSite::plain(SQUARE), target).remove(0);
            ["experts", "rank", "top_k"].map(|key| lane.settings.whole(key))
        };
        // Rank 1 on eight experts holds 8 · 128 + 512 = 1,536.
        assert_eq!(matched(1536), [8, 1, 4]);
        // Two experts: 2 · 128 + 128 = 384.
        assert_eq!(matched(400), [2, 1, 2]);
    }

    #[test]
    fn only_adapted_layers_count() {
        let lane = Lane::from(&LORA).on(vec![2]);
        let layers = &[(64, 64), (64, 64), (64, 10)];
        assert_eq!(lane_count(&lane, &LinearSite::plain(layers)), 8 * 74);
        let matched = match_parameters(&[lane], &LinearSite::plain(layers), 740);
        assert_eq!(matched[0], Lane::from(&LORA).with("rank", 10).on(vec![2]));
    }
}
