//! Values along an axis of a weight: shrunk to the pixels there are, the largest of them, and both in words. Knows nothing
//! of pixels beyond their number.

use crate::lang::tr;
use crate::order::falling;
use crate::peft::view::{Direction, Norms};
use crate::view::format::{count, list, percent, three};
use crate::view::table::Table;

/// Entries that a table lists, and a sentence names.
const LISTED: usize = 16;
const NAMED: usize = 3;

/// What the entries of a stretch span together with 0: lowest and highest; entries that are not finite count as 0.
pub fn stretches(values: &[f64], most: usize) -> Vec<(f64, f64)> {
    let of = values.len();
    let parts = most.min(of);
    let mut out = vec![(0.0f64, 0.0f64); parts];
    for (at, &value) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        let (low, high) = &mut out[stretch(at, parts, of)];
        (*low, *high) = (low.min(value), high.max(value));
    }
    out
}

/// Which of the stretches an entry is in. In 64 bits: the product may not fit in a browser's 32.
fn stretch(at: usize, parts: usize, of: usize) -> usize {
    (at as u64 * parts as u64 / of.max(1) as u64) as usize
}

/// The largest entry, by magnitude, of those that a share of the axis's length falls on.
pub fn under(values: &[f64], share: f64, most: usize) -> Option<usize> {
    let of = values.len();
    let parts = most.min(of);
    let part = (share * parts as f64) as usize;
    let mine = (0..of).filter(|&at| stretch(at, parts, of) == part);
    mine.max_by(|&a, &b| values[a].abs().total_cmp(&values[b].abs()).then(b.cmp(&a)))
}

/// Places of the largest entries by magnitude, the largest first.
pub fn largest(values: &[f64], most: usize) -> Vec<usize> {
    let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    falling(&sizes).into_iter().filter(|&at| sizes[at].is_finite()).take(most).collect()
}

/// The fewest entries that hold half of the squared length.
pub fn half(values: &[f64]) -> usize {
    let total: f64 = values.iter().filter(|v| v.is_finite()).map(|v| v * v).sum();
    let mut held = 0.0;
    let squares = largest(values, values.len()).into_iter().map(|at| values[at] * values[at]);
    squares
        .take_while(|square| {
            let more = held < 0.5 * total;
            held += square;
            more
        })
        .count()
}

/// An entry pointed at: "row 12: 0.420, 3.10 % of ‖ΔW‖²".
pub fn told(axis: &str, at: usize, values: &[f64], of: &str) -> String {
    let total: f64 = values.iter().map(|v| v * v).sum();
    let value = values.get(at).copied().unwrap_or(0.0);
    let share = if total > 0.0 { tr!(", {} of {of}", percent(value * value / total), of) } else { String::new() };
    format!("{axis} {}: {}{share}", count(at), three(value))
}

/// Whether a few rows or columns carry a weight: "Half of ‖ΔW‖² lies in 3 of 64 rows (the largest: 12, 7 and 3)."
pub fn concentration(weight: &str, norms: &Norms) -> String {
    let axis = |name: &str, values: &[f64]| {
        let first: Vec<String> = largest(values, NAMED).iter().map(|&at| count(at)).collect();
        tr!("in {} of {} {name} (the largest: {})", count(half(values)), count(values.len()), list(&first), name)
    };
    if norms.rows.iter().all(|&v| v == 0.0) {
        return tr!("{weight} is zero.", weight);
    }
    tr!("Half of ‖{weight}‖² lies {}, and half {}.", axis("rows", &norms.rows), axis("columns", &norms.columns), weight)
}

/// How many entries a direction is about.
pub fn spread(at: usize, direction: &Direction, total: f64) -> String {
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let axis =
        |name: &str, values: &[f32]| tr!("{} of {} {name}", count(half(&wide(values))), count(values.len()), name);
    let share = if total > 0.0 { direction.singular * direction.singular / total } else { 0.0 };
    tr!(
        "Direction {} has σ = {}, {} of ‖ΔW‖². Half of its squared length is in {} and {}.",
        at + 1,
        three(direction.singular),
        percent(share),
        axis("rows", &direction.rows),
        axis("columns", &direction.columns)
    )
}

/// The largest entries along both axes.
pub fn as_table(caption: String, rows: &[f64], columns: &[f64]) -> Table {
    let (by_row, by_column) = (largest(rows, LISTED), largest(columns, LISTED));
    let cells = |order: &[usize], values: &[f64], at: usize| match order.get(at) {
        Some(&entry) => [count(entry), three(values[entry])],
        None => Default::default(),
    };
    let line = |at: usize| {
        let place = std::iter::once((at + 1).to_string());
        place.chain(cells(&by_row, rows, at)).chain(cells(&by_column, columns, at)).collect()
    };
    Table {
        caption,
        head: ["", "row", "value", "column", "value"].map(String::from).to_vec(),
        rows: (0..by_row.len().max(by_column.len())).map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_hold_every_extreme() {
        let values: Vec<f64> = (0..1000).map(|i| if i == 437 { -5.0 } else { f64::from(i) / 1000.0 }).collect();
        let shrunk = stretches(&values, 100);
        assert_eq!((shrunk.len(), shrunk[43].0, shrunk[99].1), (100, -5.0, 0.999));
        assert!(shrunk.iter().all(|&(low, high)| low <= 0.0 && high >= 0.0));
        assert_eq!(under(&values, 0.4301, 100), Some(437));
        assert_eq!(stretches(&[1.0, -2.0], 100), [(0.0, 1.0), (-2.0, 0.0)]);
        assert_eq!((under(&[1.0, -2.0], 0.9, 100), under(&[], 0.5, 10)), (Some(1), None));
        assert_eq!(stretches(&[f64::NAN, 3.0], 1), [(0.0, 3.0)]);
    }

    #[test]
    fn half_is_the_fewest_that_hold_it() {
        assert_eq!(half(&[3.0, 0.0, -4.0, 0.0]), 1, "16 of 25");
        assert_eq!(half(&[1.0; 10]), 5);
        assert_eq!((half(&[]), half(&[0.0; 3])), (0, 0));
        assert_eq!(largest(&[1.0, f64::NAN, -3.0, 2.0], 2), [2, 3]);
    }

    #[test]
    fn sentences_are_true_of_the_numbers() {
        let norms = Norms { rows: vec![0.0, 4.0, 3.0], columns: vec![5.0, 0.0] };
        let said = concentration("ΔW", &norms);
        assert_eq!(
            said,
            "Half of ‖ΔW‖² lies in 1 of 3 rows (the largest: 1, 2 and 0), and half in 1 of 2 columns (the largest: 0 and 1)."
        );
        assert_eq!(concentration("W0", &Norms::default()), "W0 is zero.");
        assert_eq!(told("row", 1, &norms.rows, "‖ΔW‖²"), "row 1: 4.00, 64.0 % of ‖ΔW‖²");
        let direction = Direction { singular: 2.0, rows: vec![0.6, -0.8], columns: vec![1.0, 0.0, 0.0] };
        let said = spread(0, &direction, 5.0);
        assert!(said.starts_with("Direction 1 has σ = 2.00, 80.0 % of ‖ΔW‖²."), "{said}");
        assert!(said.ends_with("in 1 of 2 rows and 1 of 3 columns."), "{said}");
        let table = as_table("x".into(), &norms.rows, &norms.columns);
        assert_eq!(
            (table.rows.len(), table.rows[2].clone()),
            (3, vec!["3".into(), "0".into(), "0".into(), String::new(), String::new()])
        );
    }
}
