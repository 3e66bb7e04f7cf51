//! Lists in order. One compiled sort for all of them: the standard library's is compiled anew for each kind of list, at five
//! kilobytes each. Knows nothing of what is put in order.

use std::cmp::Ordering;

/// The places `0..count` in order; of equals the first comes first.
pub fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}

/// Places of the values, that of the largest first.
pub fn falling<T: Copy + Into<f64>>(values: &[T]) -> Vec<usize> {
    places(values.len(), &|a, b| values[b].into().total_cmp(&values[a].into()))
}

/// The list in order; equals stay as they are.
pub fn sorted<T>(list: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let order = places(list.len(), &|a, b| compare(&list[a], &list[b]));
    taken(list, &order)
}

/// The list in order, nothing in it twice.
pub fn distinct<T: Ord>(list: Vec<T>) -> Vec<T> {
    let mut list = sorted(list, Ord::cmp);
    list.dedup();
    list
}

/// What stands at the places, one after another; none is taken twice.
pub fn taken<T>(list: Vec<T>, places: &[usize]) -> Vec<T> {
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    places.iter().filter_map(|&at| list[at].take()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_as_they_are() {
        assert_eq!(falling(&[1.0, f32::NAN, 3.0, 1.0]), [1, 2, 0, 3]);
        let by_length = |a: &&str, b: &&str| a.len().cmp(&b.len());
        assert_eq!(sorted(vec!["bb", "b", "aa", "a"], by_length), ["b", "a", "bb", "aa"]);
        assert_eq!(distinct(vec![3, 1, 3, 2, 1]), [1, 2, 3]);
    }
}
