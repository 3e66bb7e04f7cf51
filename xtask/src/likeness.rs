//! An order of byte strings in which neighbours are alike, so that a compressor with a short memory finds in one what it
//! has just read in another. Knows nothing of what they are.

use std::collections::HashMap;

/// Bytes that two strings must have in common to be called alike in a place.
const RUN: usize = 6;
/// Runs that more strings have than this tell nothing of likeness.
const COMMON: usize = 200;
/// What the string before the last counts beside the last, and so on backwards.
const MEMORY: f64 = 0.7;
/// Added to a string's runs, so that a short one is not like everything.
const LEAST: f64 = 20.0;
/// Below this share of its runs, a string is not alike.
const ALIKE: f64 = 0.05;

/// Places of `strings`, each behind the one that it is most like among those that are left; where nothing is, `spare` says
/// which comes next.
pub fn chain(strings: &[&[u8]], spare: &[usize]) -> Vec<usize> {
    let runs = shared_runs(strings);
    let mut holders: Vec<Vec<usize>> = Vec::new();
    for (string, (_, runs)) in runs.iter().enumerate() {
        for &run in runs {
            holders.resize_with(holders.len().max(run + 1), Vec::new);
            holders[run].push(string);
        }
    }
    let mut likeness = vec![0.0; strings.len()];
    let mut weight = 1.0;
    let mut placed = vec![false; strings.len()];
    let mut order = Vec::with_capacity(strings.len());
    let mut spare = spare.iter().copied();
    while order.len() < strings.len() {
        let share = |at: usize| likeness[at] / (runs[at].0 as f64 + LEAST);
        let left = (0..strings.len()).filter(|&at| !placed[at]);
        let most = left.max_by(|&a, &b| share(a).total_cmp(&share(b)).then(b.cmp(&a)));
        let alike = most.filter(|&at| share(at) >= ALIKE * weight);
        let Some(next) = alike.or_else(|| spare.find(|&at| !placed[at])) else { break };
        order.push(next);
        placed[next] = true;
        // In place of making all that was counted smaller, what is counted next is larger.
        weight /= MEMORY;
        for &run in &runs[next].1 {
            holders[run].iter().for_each(|&other| likeness[other] += weight);
        }
        if weight > 1e100 {
            likeness.iter_mut().for_each(|likeness| *likeness /= weight);
            weight = 1.0;
        }
    }
    order
}

/// Of each string, how many different runs of bytes it has, and those of them that some others have too, by number.
fn shared_runs(strings: &[&[u8]]) -> Vec<(usize, Vec<usize>)> {
    let all: Vec<Vec<&[u8]>> = strings.iter().map(|string| runs_of(string)).collect();
    let mut count: HashMap<&[u8], usize> = HashMap::new();
    all.iter().flatten().for_each(|run| *count.entry(run).or_default() += 1);
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut shared = Vec::with_capacity(all.len());
    for runs in &all {
        let mut some = Vec::new();
        for &run in runs.iter().filter(|&run| (2..=COMMON).contains(&count[run])) {
            let next = numbers.len();
            some.push(*numbers.entry(run).or_insert(next));
        }
        shared.push((runs.len(), some));
    }
    shared
}

fn runs_of(string: &[u8]) -> Vec<&[u8]> {
    let mut runs: Vec<&[u8]> = string.windows(RUN).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_lies_together() {
        let strings: [&[u8]; 5] = [
            b"to be or not to be, that is the question",
            b"0123456789 0123456789 0123456789 0123456789",
            b"to be or not to be, that was the question",
            b"nothing of the kind",
            b"0123456789 0123456789 987654321 0123456789",
        ];
        assert_eq!(chain(&strings, &[0, 1, 2, 3, 4]), [0, 2, 1, 4, 3]);
    }
}
