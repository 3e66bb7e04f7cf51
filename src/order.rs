//! Order among numbers: sorting of short lists, in one place, as the standard library's sort is compiled, and downloaded,
//! anew for every type and comparison; and limits. Sorting is by insertion, so quadratic: for hundreds of values, not for
//! thousands.

/// Indices of `0..count` such that nobody is `ahead` of who comes before it; equals keep their order.
pub fn order(count: usize, ahead: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(count);
    for index in 0..count {
        let at = order.iter().rposition(|&before| !ahead(index, before)).map_or(0, |last| last + 1);
        order.insert(at, index);
    }
    order
}

/// The values, largest first; NaN before all numbers.
pub fn descending(values: &[f64]) -> Vec<f64> {
    order(values.len(), &|a, b| values[a].total_cmp(&values[b]).is_gt()).into_iter().map(|i| values[i]).collect()
}

/// The value, or the end of `low..=high` that it is beyond; NaN stays. Unlike `clamp` without a message that prints the
/// ends, which would bring the printing of numbers to the first download.
pub fn within<T: PartialOrd>(value: T, low: T, high: T) -> T {
    match () {
        () if value < low => low,
        () if value > high => high,
        () => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn agrees_with_the_standard_library() {
        let mut rng = Rng::new(3, 1);
        for count in [0, 1, 2, 7, 100] {
            // Few different values, so that there are equals.
            let values: Vec<f64> = (0..count).map(|_| rng.below(10) as f64).collect();
            let mut expected: Vec<usize> = (0..count).collect();
            expected.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            assert_eq!(order(count, &|a, b| values[a] < values[b]), expected);
            let mut largest_first = values.clone();
            largest_first.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(descending(&values), largest_first);
        }
    }

    #[test]
    fn values_are_kept_within_limits() {
        for (value, kept) in [(-1.0, 0.5), (0.7, 0.7), (3.0, 2.0), (f64::INFINITY, 2.0)] {
            assert_eq!(within(value, 0.5, 2.0), kept);
        }
        assert!(within(f64::NAN, 0.5, 2.0).is_nan());
    }
}
