//! Geometry of charts: axes, ticks, paths, and labels that do not cover each other. Numbers in, numbers out; knows
//! no markup beyond the text of an SVG path.

use crate::decimal::tenths;
use crate::decimal::{round_above, round_below};

/// A logarithmic axis from `low` (bottom, at pixel `to`) to `high` (top, at pixel `from`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogAxis {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
}

impl LogAxis {
    /// An axis that holds all positive `values` with room to breathe, spanning at least half a decade.
    pub fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0f64);
        for value in values.filter(|v| v.is_finite() && *v > 0.0) {
            low = low.min(value);
            high = high.max(value);
        }
        if high <= 0.0 {
            (low, high) = (0.5, 1.0);
        }
        // Below float32's resolution of the losses there is nothing to read.
        let low = round_below(low.max(1e-9) * 0.9);
        let high = high.max(low) * 1.15;
        Self { low: low.min(high / 4.0), high, from, to }
    }

    /// Pixel of a value; what lies below the axis sits on its end.
    pub fn pixel(&self, value: f64) -> f64 {
        let part = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        self.to + (self.from - self.to) * part.min(1.0)
    }

    /// Values to mark: decades, and 2 and 5 between them where there is room.
    pub fn ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let parts: &[f64] = match decades {
            d if d <= 2.2 => &[1.0, 2.0, 5.0],
            d if d <= 4.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let first = self.low.log10().floor() as i32;
        let last = self.high.log10().ceil() as i32;
        (first..=last)
            .flat_map(|e| parts.iter().map(move |p| p * 10f64.powi(e)))
            .filter(|v| (self.low * 0.999..=self.high).contains(v))
            .collect()
    }
}

/// Values to mark on a linear axis from 0 to `top`: four or five, a whole number apart where they count something.
pub fn marks(top: f64, counts: bool) -> Vec<f64> {
    let apart = round_above(top / 5.0);
    let apart = if counts { apart.max(1.0) } else { apart };
    (0..).map(|k| f64::from(k) * apart).take_while(|&mark| mark <= top * (1.0 + 1e-9)).collect()
}

/// Last step shown: grows by doublings, so that the axis stands still most of the time.
pub fn step_limit(step: usize) -> usize {
    let mut limit = 250;
    while limit < step {
        limit *= 2;
    }
    limit
}

/// Where a key puts a cursor on entries 0 to `last`: the first one on `rest`, from there on by `stride`; `None` for a key that
/// moves nothing.
pub fn stepped(key: &str, cursor: Option<usize>, (rest, last): (usize, usize), stride: usize) -> Option<usize> {
    Some(match (key, cursor) {
        ("Home", _) => 0,
        ("End", _) => last,
        ("ArrowLeft" | "ArrowRight", None) => rest,
        ("ArrowLeft", Some(at)) => at.saturating_sub(stride),
        ("ArrowRight", Some(at)) => (at + stride).min(last),
        _ => return None,
    })
}

/// The same of a cursor on a grid, row and column; Home and End go along the row.
pub fn stepped_in(
    key: &str,
    cursor: Option<(usize, usize)>,
    (rest, last): ((usize, usize), (usize, usize)),
    stride: usize,
) -> Option<(usize, usize)> {
    let (row, column) = cursor.unwrap_or(rest);
    let across = match key {
        "ArrowUp" => "ArrowLeft",
        "ArrowDown" => "ArrowRight",
        _ => return Some((row, stepped(key, cursor.map(|_| column), (column, last.1), stride)?)),
    };
    Some((stepped(across, cursor.map(|_| row), (row, last.0), stride)?, column))
}

/// Path through points given in pixels, to a tenth of one.
pub fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for (x, y) in points {
        let command = if text.is_empty() { 'M' } else { 'L' };
        // Writing to a String cannot fail.
        let _ = write!(text, "{command}{} {}", tenths(x), tenths(y));
    }
    text
}

/// Moves labels that want to stand at `wanted` (pixels) apart to at least `gap`, within `low..=high`, each staying
/// as near to its place as the others allow. Order is kept.
pub fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // Runs of touching labels: (sum of wanted tops, first index, count); merged while they overlap.
    let mut runs: Vec<(f64, usize, usize)> = Vec::new();
    let top = |sum: f64, count: usize| {
        let height = (count - 1) as f64 * gap;
        (sum / count as f64).clamp(low, (high - height).max(low))
    };
    for (position, &index) in order.iter().enumerate() {
        let mut run = (wanted[index], position, 1);
        while let Some(&(sum, first, count)) = runs.last() {
            if top(sum, count) + count as f64 * gap <= top(run.0, run.2) {
                break;
            }
            runs.pop();
            run = (sum + run.0 - (run.2 * count) as f64 * gap, first, count + run.2);
        }
        runs.push(run);
    }
    let mut placed = vec![0.0; wanted.len()];
    for (sum, first, count) in runs {
        let start = top(sum, count);
        for k in 0..count {
            placed[order[first + k]] = start + k as f64 * gap;
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_apart_and_in_bounds() {
        let wanted = [50.0, 52.0, 51.0, 100.0, 198.0, 199.0];
        let placed = spread(&wanted, 16.0, 0.0, 200.0);
        let mut sorted = placed.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|w| w[1] - w[0] >= 16.0 - 1e-9), "{placed:?}");
        assert!(sorted[0] >= 0.0 && sorted[5] <= 200.0 + 1e-9, "{placed:?}");
        assert_eq!(placed[3], 100.0, "a free label stays");
        assert!(placed[0] < placed[2] && placed[2] < placed[1], "order is kept");
        assert!((placed[2] - 51.0).abs() < 1e-9, "a group stays centred: {placed:?}");
    }

    #[test]
    fn log_axis_maps_its_ends() {
        let axis = LogAxis::around([1.0, 0.067].into_iter(), 10.0, 210.0);
        assert!((axis.pixel(axis.low) - 210.0).abs() < 1e-9);
        assert!((axis.pixel(axis.high) - 10.0).abs() < 1e-9);
        assert!((axis.pixel(0.0) - 210.0).abs() < 1e-9, "zero sits on the end");
        assert!(axis.low <= 0.067 && axis.high > 1.0);
        assert!(axis.ticks().iter().any(|t| (t - 1.0).abs() < 1e-9));
        assert!(axis.ticks().len() <= 8, "{:?}", axis.ticks());
    }

    #[test]
    fn nothing_to_show_still_gives_an_axis() {
        let axis = LogAxis::around(std::iter::empty(), 0.0, 100.0);
        assert!(axis.high / axis.low >= 4.0);
        assert!(axis.pixel(0.9).is_finite());
    }

    #[test]
    fn linear_axes_are_marked_in_round_numbers() {
        assert_eq!(marks(32.0, true), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(marks(4.0, true), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(marks(3.0, true), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(marks(1.0, false), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert!(marks(512.0, true).len() <= 6);
    }

    #[test]
    fn step_axis_grows_by_doubling() {
        assert_eq!([0, 250, 251, 1999].map(step_limit), [250, 250, 500, 2000]);
    }

    #[test]
    fn keys_move_a_cursor_within_its_entries() {
        let from = |cursor, key| stepped(key, cursor, (7, 9), 3);
        assert_eq!((from(None, "ArrowLeft"), from(None, "ArrowRight")), (Some(7), Some(7)));
        assert_eq!((from(Some(7), "ArrowRight"), from(Some(2), "ArrowLeft")), (Some(9), Some(0)));
        assert_eq!((from(Some(4), "Home"), from(None, "End"), from(Some(4), "a")), (Some(0), Some(9), None));
        let from = |cursor, key| stepped_in(key, cursor, ((1, 2), (4, 9)), 2);
        assert_eq!((from(None, "ArrowUp"), from(None, "ArrowRight")), (Some((1, 2)), Some((1, 2))));
        assert_eq!((from(Some((1, 2)), "ArrowUp"), from(Some((3, 2)), "ArrowDown")), (Some((0, 2)), Some((4, 2))));
        assert_eq!((from(Some((3, 2)), "ArrowLeft"), from(Some((3, 2)), "End")), (Some((3, 0)), Some((3, 9))));
        assert_eq!(from(Some((3, 2)), "Enter"), None);
    }

    #[test]
    fn path_text() {
        assert_eq!(path([(0.0, 1.0), (2.25, 3.0)].into_iter()), "M0 1L2.3 3");
    }
}
