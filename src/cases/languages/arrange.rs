//! In which order fifty languages stand along a matrix: as they are listed, by family or script, or so that those which serve
//! each other stand together; and whether families and scripts show in it. Pure.

use kodama::{Method, linkage};

use super::kinds::kind;
use super::measured::Measured;
use crate::lang::marked;
use crate::order::places;

/// What an order goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// What an adapter costs on the other's language: average linkage.
    Bits,
    /// How alike two changes of weight are: average linkage.
    Cosine,
    Family,
    Script,
    Listed,
}

impl By {
    pub const ALL: [(Self, &str); 5] = [
        (Self::Bits, marked!("clustered by bits")),
        (Self::Cosine, marked!("clustered by cosine")),
        (Self::Family, marked!("by family")),
        (Self::Script, marked!("by script")),
        (Self::Listed, marked!("as listed")),
    ];
}

/// The languages' numbers in that order.
pub fn order(measured: &Measured, by: By) -> Vec<usize> {
    let codes = &measured.codes;
    let named = |of: fn(&str) -> &str| places(codes.len(), &|a, b| of(&codes[a]).cmp(of(&codes[b])));
    match by {
        By::Listed => (0..codes.len()).collect(),
        By::Family => named(|code| kind(code).family),
        By::Script => named(|code| kind(code).script),
        // What two languages lose on average by having each other's adapter instead of their own.
        By::Bits => clustered(codes.len(), |i, j| {
            let bits = &measured.bits;
            (bits[i][j] - bits[j][j] + bits[j][i] - bits[i][i]) / 2.0
        }),
        By::Cosine => clustered(codes.len(), |i, j| 1.0 - measured.cosine[i][j]),
    }
}

/// The leaves of the tree that average linkage makes of these distances, from one side to the other.
fn clustered(count: usize, distance: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut pairs: Vec<f64> =
        (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))).map(|(i, j)| distance(i, j)).collect();
    let mut clusters: Vec<Vec<usize>> = (0..count).map(|leaf| vec![leaf]).collect();
    for step in linkage(&mut pairs, count, Method::Average).steps() {
        let (mut first, mut second) =
            (std::mem::take(&mut clusters[step.cluster1]), std::mem::take(&mut clusters[step.cluster2]));
        // Where two clusters meet, those that are nearest stand beside each other.
        let ends = |a: &[usize], b: &[usize]| match (a.last(), b.first()) {
            (Some(&i), Some(&j)) => distance(i.min(j), i.max(j)),
            _ => f64::INFINITY,
        };
        let turned = |list: &[usize]| list.iter().rev().copied().collect::<Vec<_>>();
        let mut best = (ends(&first, &second), first.clone(), second.clone());
        for (a, b) in
            [(turned(&first), second.clone()), (first.clone(), turned(&second)), (turned(&first), turned(&second))]
        {
            let gap = ends(&a, &b);
            if gap < best.0 {
                best = (gap, a, b);
            }
        }
        (first, second) = (best.1, best.2);
        first.append(&mut second);
        clusters.push(first);
    }
    clusters.pop().unwrap_or_default()
}

/// Of the pairs of neighbours in an order, those of one script, and those of one family; and how many there would be on
/// average if the order were left to chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbours {
    pub pairs: usize,
    pub scripts: usize,
    pub families: usize,
    pub scripts_by_chance: f64,
    pub families_by_chance: f64,
}

pub fn neighbours(codes: &[String], order: &[usize]) -> Neighbours {
    let alike = |of: fn(&str) -> &str| {
        let same = |i: usize, j: usize| usize::from(of(&codes[i]) == of(&codes[j]));
        let beside: usize = order.windows(2).map(|pair| same(pair[0], pair[1])).sum();
        let all: usize = (0..codes.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| same(i, j)).sum();
        // Each of n(n − 1)/2 pairs is one of n − 1 neighbours equally often: 2/n.
        (beside, 2.0 * all as f64 / codes.len().max(1) as f64)
    };
    let (scripts, scripts_by_chance) = alike(|code| kind(code).script);
    let (families, families_by_chance) = alike(|code| kind(code).family);
    Neighbours { pairs: order.len().saturating_sub(1), scripts, families, scripts_by_chance, families_by_chance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_stands_together() {
        // Two groups on a line, told in turn.
        let at = [0.0, 10.0, 1.0, 11.5, 2.5, 13.0];
        let order = clustered(6, |i, j| f64::abs(at[i] - at[j]));
        let mut line = order.clone();
        if line[0] % 2 == 1 {
            line.reverse();
        }
        assert_eq!(line.iter().map(|i| i % 2).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1], "{order:?}");
        let mut all = order;
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        assert!(clustered(0, |_, _| 0.0).is_empty());
        assert_eq!(clustered(1, |_, _| 0.0), [0]);
    }

    #[test]
    fn every_order_is_of_all_languages_and_families_show() {
        let text = include_bytes!("../../../www/data/lm/languages.json");
        let measured = Measured::read(text).unwrap();
        for (by, name) in By::ALL {
            let order = order(&measured, by);
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, (0..50).collect::<Vec<_>>(), "{name}");
            let found = neighbours(&measured.codes, &order);
            println!("{name}: {found:?}");
            assert_eq!(found.pairs, 49);
        }
        let by = |by| neighbours(&measured.codes, &order(&measured, by));
        // Fifty languages of 25 families and 16 scripts: as many neighbours of one kind as there can be.
        let kinds = |of: fn(&str) -> &str| crate::order::distinct(measured.codes.iter().map(|c| of(c)).collect()).len();
        assert_eq!(by(By::Family).families, 50 - kinds(|c| kind(c).family));
        assert_eq!(by(By::Script).scripts, 50 - kinds(|c| kind(c).script));
        // By chance 2/50 of all pairs.
        let listed = by(By::Listed);
        assert!(listed.families_by_chance > 0.0 && listed.families_by_chance < by(By::Bits).families as f64);
    }
}
