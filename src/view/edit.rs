//! Small changes to a configuration that several controls make. Pure.

/// Lanes the page has room and colours for.
pub const LANES: usize = 4;

/// Ways of sharing out experts or ranks over the layers of a network (MoLA, arXiv 2402.08562).
pub const PATTERNS: [&str; 5] = ["uniform", "hourglass", "triangle", "inverted", "diamond"];

/// Sizes by layer of this pattern, at least 1 each, whose total is `layers · mean` as nearly as that allows. Over four
/// layers of 5 on average: 5555, 8228, 2468, 8642, 2882.
pub fn sizes(pattern: &str, layers: usize, mean: usize) -> Vec<usize> {
    let last = layers.max(2) as f64 - 1.0;
    let outer = layers.div_ceil(4);
    let share = |layer: usize| {
        let height = layer as f64 / last;
        let at_an_end = layer < outer || layer + outer >= layers;
        match (pattern, at_an_end) {
            ("hourglass", true) | ("diamond", false) => 1.6,
            ("hourglass" | "diamond", _) => 0.4,
            ("triangle", _) => 0.4 + 1.2 * height,
            ("inverted", _) => 1.6 - 1.2 * height,
            _ => 1.0,
        }
    };
    let total: f64 = (0..layers).map(share).sum();
    let scale = (layers * mean) as f64 / total;
    (0..layers).map(|layer| ((share(layer) * scale).round() as usize).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_mola_s() {
        let of = |pattern| sizes(pattern, 4, 5);
        assert_eq!(of("uniform"), [5, 5, 5, 5]);
        assert_eq!(of("hourglass"), [8, 2, 2, 8]);
        assert_eq!(of("triangle"), [2, 4, 6, 8]);
        assert_eq!(of("inverted"), [8, 6, 4, 2]);
        assert_eq!(of("diamond"), [2, 8, 8, 2]);
        for pattern in PATTERNS {
            for layers in 2..=8 {
                let all = sizes(pattern, layers, 4);
                assert!(all.iter().sum::<usize>().abs_diff(4 * layers) <= layers / 2, "{pattern} {all:?}");
                assert!(all.iter().all(|&n| n >= 1));
            }
        }
    }
}
