//! Parts of a weight as a picture shows them: what a cell stands for, the part around it enlarged, and both in words and
//! as a table. Knows nothing of pixels.

use super::wire::{Look, Region};
use crate::lang::tr;
use crate::view::format::{count, three};
use crate::view::table::Table;
use crate::view::words::signed;

/// Entries along an axis that are worth enlarging to.
const LEAST: usize = 16;
/// How much one press enlarges.
const FACTOR: usize = 4;
/// Rows and columns of a table of a weight.
const TABLE: usize = 16;

/// A cell of the picture: row, column.
pub type Cell = (usize, usize);

/// "rows 0 to 31, columns 0 to 31".
pub fn part(look: &Look) -> String {
    let Region { row, col, rows, cols } = look.region;
    match (rows, cols) == look.shape {
        true => tr!("{} rows × {} columns", count(rows), count(cols)),
        false => tr!("rows {row} to {}, columns {col} to {}", row + rows.max(1) - 1, col + cols.max(1) - 1, row, col),
    }
}

/// Rows and columns of the weight that a cell stands for.
pub fn under(look: &Look, (r, c): Cell) -> Region {
    let axis = |at: usize, cells: usize, of: usize, start: usize| {
        let (at, cells, of) = (at as u64, cells.max(1) as u64, of as u64);
        let (from, to) = ((at * of).div_ceil(cells), ((at + 1) * of).div_ceil(cells));
        (start + from as usize, (to - from) as usize)
    };
    let (row, rows) = axis(r, look.cells.0, look.region.rows, look.region.row);
    let (col, cols) = axis(c, look.cells.1, look.region.cols, look.region.col);
    Region { row, col, rows, cols }
}

/// A part so many times as large around a place, within the weight.
fn around(look: &Look, (row, col): Cell, rows: usize, cols: usize) -> Region {
    let axis = |at: usize, size: usize, of: usize| {
        let size = size.min(of);
        (at.saturating_sub(size / 2).min(of - size), size)
    };
    let ((row, rows), (col, cols)) = (axis(row, rows, look.shape.0), axis(col, cols, look.shape.1));
    Region { row, col, rows, cols }
}

/// The part around a cell, enlarged; `None` where it is as large as it gets.
pub fn nearer(look: &Look, cell: Cell) -> Option<Region> {
    let at = under(look, cell);
    let size = |shown: usize| (shown / FACTOR).max(LEAST).min(shown);
    let (rows, cols) = (size(look.region.rows), size(look.region.cols));
    let less = rows < look.region.rows || cols < look.region.cols;
    less.then(|| around(look, (at.row + at.rows / 2, at.col + at.cols / 2), rows, cols))
}

/// The part that this one is the middle of.
pub fn farther(look: &Look) -> Option<Region> {
    let Region { row, col, rows, cols } = look.region;
    Some(around(look, (row + rows / 2, col + cols / 2), rows * FACTOR, cols * FACTOR))
}

/// What is pointed at, in numbers.
pub fn readout(look: &Look, cursor: Option<Cell>, waiting: bool) -> String {
    if waiting {
        return tr!("Reading …");
    }
    let Some((r, c)) = cursor.filter(|&(r, c)| r < look.cells.0 && c < look.cells.1) else {
        return tr!("{} · point at a cell, press it to enlarge", part(look));
    };
    let at = r * look.cells.1 + c;
    let value = |of: &Option<Vec<f32>>| of.as_ref().and_then(|values| values.get(at)).map(|&v| f64::from(v));
    let place = under(look, (r, c));
    let (base, change, merged) = (value(&look.base), value(&look.change), value(&look.merged));
    if (place.rows, place.cols) == (1, 1) {
        let said = match (base, change, merged) {
            (Some(w), Some(d), Some(sum)) => format!("{} {} = {}", signed(w), signed(d), signed(sum)),
            (None, Some(d), _) => signed(d),
            (w, ..) => w.map_or_else(String::new, signed),
        };
        return format!("({}, {})  {said}", place.row, place.col);
    }
    let named = [("W0", base), ("ΔW", change), ("sum", merged)];
    let said: Vec<String> = named.into_iter().filter_map(|(name, v)| Some(format!("{name} {}", signed(v?)))).collect();
    tr!(
        "rows {}–{}, columns {}–{}, largest of each: {}",
        place.row,
        place.row + place.rows.max(1) - 1,
        place.col,
        place.col + place.cols.max(1) - 1,
        said.join(", ")
    )
}

/// The cells around the one pointed at, as numbers.
pub fn as_table(look: &Look, (r, c): Cell) -> Table {
    let from = |at: usize, cells: usize| at.saturating_sub(TABLE / 2).min(cells.saturating_sub(TABLE));
    let (rows, cols) = (from(r, look.cells.0), from(c, look.cells.1));
    let (last_row, last_col) = ((rows + TABLE).min(look.cells.0), (cols + TABLE).min(look.cells.1));
    let head = std::iter::once(tr!("row")).chain((cols..last_col).map(|c| under(look, (0, c)).col.to_string()));
    let mut lines = Vec::new();
    for (name, values) in [("W0", &look.base), ("ΔW", &look.change), ("W0 + ΔW", &look.merged)] {
        let Some(values) = values else { continue };
        for r in rows..last_row {
            let line = (cols..last_col)
                .map(|c| values.get(r * look.cells.1 + c).map_or_else(String::new, |&v| three(f64::from(v))));
            lines.push(std::iter::once(format!("{name} {}", under(look, (r, 0)).row)).chain(line).collect());
        }
    }
    let caption = tr!("{}; the largest entry of each cell, columns by number", part(look));
    Table { caption, head: head.collect(), rows: lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(shape: (usize, usize), region: Region, cells: (usize, usize)) -> Look {
        let values = (0..cells.0 * cells.1).map(|v| v as f32).collect();
        Look { adapter: 0, row: 0, shape, region, cells, base: None, change: Some(values), merged: None, whole: None }
    }

    #[test]
    fn cells_cover_the_part_without_gaps() {
        for (shape, cells) in [((300, 90), (128, 90)), ((128, 1000), (128, 128)), ((3, 2), (3, 2))] {
            let look = look(shape, Region { row: 0, col: 0, rows: shape.0, cols: shape.1 }, cells);
            let mut next = 0;
            for r in 0..cells.0 {
                let under = under(&look, (r, 0));
                assert_eq!(under.row, next);
                next += under.rows;
            }
            assert_eq!(next, shape.0);
        }
    }

    #[test]
    fn enlarging_ends_at_entries_and_leads_back() {
        let whole = Region { row: 0, col: 0, rows: 4096, cols: 256 };
        let mut at = look((4096, 256), whole, (128, 128));
        let mut steps = 0;
        while let Some(region) = nearer(&at, (100, 127)) {
            assert!(region.row + region.rows <= 4096 && region.col + region.cols <= 256);
            at = look((4096, 256), region, (region.rows.min(128), region.cols.min(128)));
            steps += 1;
        }
        assert_eq!((at.region.rows, at.region.cols, steps), (16, 16, 4));
        for _ in 0..steps {
            if let Some(region) = farther(&at) {
                at = look((4096, 256), region, (128, 128));
            }
        }
        assert_eq!(at.region, whole);
    }

    #[test]
    fn words_say_which_entries() {
        let small = look((4, 4), Region { row: 0, col: 0, rows: 4, cols: 4 }, (4, 4));
        assert!(
            readout(&small, Some((1, 2)), false).starts_with("(1, 2)  +6"),
            "{}",
            readout(&small, Some((1, 2)), false)
        );
        assert!(readout(&small, None, false).starts_with("4 rows × 4 columns"));
        let part = look((400, 400), Region { row: 8, col: 100, rows: 256, cols: 256 }, (128, 128));
        assert!(readout(&part, Some((1, 1)), false).starts_with("rows 10–11, columns 102–103, largest of each: ΔW"));
        assert_eq!(as_table(&part, (0, 0)).rows.len(), 16);
        assert_eq!(as_table(&small, (0, 0)).head, ["row", "0", "1", "2", "3"]);
    }
}
