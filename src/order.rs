//! Lists in order, and what is found in them. One compiled sort for all: the standard library's is compiled anew for each kind
//! of list at five kilobytes, its map for each kind of entry at as many. Knows nothing of what is put in order.

use std::borrow::Borrow;
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

/// What has one key, together; in order of the keys, and of equal ones as it was.
pub fn grouped<K: Ord, V>(list: Vec<(K, V)>) -> Vec<(K, Vec<V>)> {
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in sorted(list, |(a, _), (b, _)| a.cmp(b)) {
        match groups.last_mut() {
            Some((last, values)) if *last == key => values.push(value),
            _ => groups.push((key, vec![value])),
        }
    }
    groups
}

/// What stands at the places, one after another; none is taken twice.
pub fn taken<T>(list: Vec<T>, places: &[usize]) -> Vec<T> {
    let mut list: Vec<Option<T>> = list.into_iter().map(Some).collect();
    places.iter().filter_map(|&at| list[at].take()).collect()
}

/// Values by key, in order of the keys. A list, so that it is meant for few.
#[derive(Clone, Debug, PartialEq)]
pub struct Few<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Few<K, V> {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(held, _)| held.borrow().cmp(key))
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &mut self.0[at].1)
    }

    pub fn has<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Gives the key this value. Whatever it had is returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.0.iter()
    }

    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> Default for Few<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Few<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut all = Self::new();
        for (key, value) in entries {
            all.insert(key, value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_stay_as_they_are() {
        assert_eq!(falling(&[1.0, f32::NAN, 3.0, 1.0]), [1, 2, 0, 3]);
        let by_length = |a: &&str, b: &&str| a.len().cmp(&b.len());
        assert_eq!(sorted(vec!["bb", "b", "aa", "a"], by_length), ["b", "a", "bb", "aa"]);
        assert_eq!(grouped(vec![(2, 'c'), (1, 'b'), (2, 'a')]), [(1, vec!['b']), (2, vec!['c', 'a'])]);
        assert_eq!(distinct(vec![3, 1, 3, 2, 1]), [1, 2, 3]);
    }

    #[test]
    fn few_are_found_by_their_keys() {
        let mut few: Few<&str, u8> = [("b", 1), ("a", 2), ("b", 3)].into_iter().collect();
        assert_eq!((few.get("a"), few.get("b"), few.get("c")), (Some(&2), Some(&3), None));
        assert_eq!((few.insert("c", 4), few.insert("a", 5)), (None, Some(2)));
        assert!(few.values().eq(&[5, 3, 4]), "{few:?}");
    }
}
