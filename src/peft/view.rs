//! What a view of one module shows: parts of its weights at any size, the norms of their rows and columns, and the
//! directions that a change reads and writes. Knows nothing of pixels.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::loaded::Loaded;
use crate::error::Result;
use crate::files::{Source, blocks};
use crate::spectrum::Svd;

/// Which of a module's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Base,
    Change,
    Merged,
}

/// A part of a weight, shrunk to a number of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// Rows and columns of cells.
    pub cells: (usize, usize),
    /// Row-major: of the entries that share a cell, the one of the largest magnitude.
    pub values: Vec<f32>,
}

/// Euclidean norms of rows and of columns; none of a weight without entries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Norms {
    pub rows: Vec<f64>,
    pub columns: Vec<f64>,
}

/// A singular value of a change with its vectors, of unit length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    pub singular: f64,
    /// Left: along the weight's rows. Its largest entry is positive, which settles the sign of both.
    pub rows: Vec<f32>,
    /// Right: along its columns.
    pub columns: Vec<f32>,
}

/// Rows of a weight; `None` where it takes a base that is not there.
pub(super) async fn rows_of<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    rows: Range<usize>,
) -> Result<Option<Vec<f64>>> {
    match weight {
        Weight::Base => Ok(loaded.base_rows(rows).await?.map(|v| v.into_iter().map(f64::from).collect())),
        Weight::Change => loaded.change_rows(rows).await,
        Weight::Merged => loaded.merged_rows(rows).await,
    }
}

/// Blocks of some rows in turn, with `going` heard before each; false where the weight takes a base that is not there.
async fn each<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    rows: Range<usize>,
    going: &mut impl AsyncFnMut() -> Result<()>,
    mut visit: impl FnMut(usize, &[f64]),
) -> Result<bool> {
    for part in blocks(rows, loaded.columns) {
        going().await?;
        let first = part.start;
        let Some(block) = rows_of(loaded, weight, part).await? else {
            return Ok(false);
        };
        visit(first, &block);
    }
    Ok(true)
}

/// A tile in the making.
struct Shrink {
    rows: Range<usize>,
    columns: Range<usize>,
    tile: Tile,
}

impl Shrink {
    /// Ranges are clamped to the weight.
    fn new(shape: (usize, usize), (rows, columns): (Range<usize>, Range<usize>), cells: (usize, usize)) -> Self {
        let clamp =
            |range: Range<usize>, size: usize| range.start.min(size)..range.end.min(size).max(range.start.min(size));
        let (rows, columns) = (clamp(rows, shape.0), clamp(columns, shape.1));
        let cells = (cells.0.min(rows.len()), cells.1.min(columns.len()));
        Self { rows, columns, tile: Tile { cells, values: vec![0.0; cells.0 * cells.1] } }
    }

    /// Whole rows of the weight, from `first` on.
    fn add(&mut self, first: usize, block: &[f64], width: usize) {
        // In 64 bits: their product with a row's number may not fit in a browser's 32.
        let shrunk = |at: usize, cells: usize, of: usize| (at as u64 * cells as u64 / of as u64) as usize;
        let cells = self.tile.cells;
        for (at, row) in block.chunks_exact(width).enumerate() {
            let line = shrunk(first - self.rows.start + at, cells.0, self.rows.len()) * cells.1;
            for (c, &value) in row[self.columns.clone()].iter().enumerate() {
                let cell = &mut self.tile.values[line + shrunk(c, cells.1, self.columns.len())];
                let value = value as f32;
                // NaN stays seen.
                if value.abs() > cell.abs() || value.is_nan() {
                    *cell = value;
                }
            }
        }
    }
}

/// Nothing has to be read to know that all entries are 0: a rank of 0 allows any shape in a file of a few bytes.
fn is_nothing<S: Source, B: Source>(loaded: &Loaded<'_, S, B>, weight: Weight) -> bool {
    weight == Weight::Change && loaded.is_low_rank() && loaded.change.as_ref().is_some_and(|c| c.rank() == 0)
}

/// The entries in a range of rows and columns (clamped to the weight), in at most `cells` cells; `None` where the
/// weight takes a base that is not there. A weight of two small factors may be huge: `going` is asked again and again
/// whether to go on.
///
/// # Errors
/// `Error::File` where the base cannot be read; `going`'s own.
pub async fn tile<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    part: (Range<usize>, Range<usize>),
    cells: (usize, usize),
    going: &mut impl AsyncFnMut() -> Result<()>,
) -> Result<Option<Tile>> {
    let mut shrink = Shrink::new((loaded.rows, loaded.columns), part, cells);
    if shrink.tile.values.is_empty() || is_nothing(loaded, weight) {
        return Ok(Some(shrink.tile));
    }
    let rows = shrink.rows.clone();
    let there = each(loaded, weight, rows, going, |first, block| shrink.add(first, block, loaded.columns)).await?;
    Ok(there.then_some(shrink.tile))
}

/// All of a weight as `tile` shows it, and its norms, from one reading.
///
/// # Errors
/// As `tile`.
pub async fn survey<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    cells: (usize, usize),
    going: &mut impl AsyncFnMut() -> Result<()>,
) -> Result<Option<(Tile, Norms)>> {
    let (rows, columns) = (loaded.rows, loaded.columns);
    let mut shrink = Shrink::new((rows, columns), (0..rows, 0..columns), cells);
    let mut norms = Norms::default();
    if shrink.tile.values.is_empty() || is_nothing(loaded, weight) {
        return Ok(Some((shrink.tile, norms)));
    }
    norms.columns = vec![0.0; columns];
    let visit = |first: usize, block: &[f64]| {
        shrink.add(first, block, columns);
        for row in block.chunks_exact(columns) {
            norms.rows.push(libm::sqrt(row.iter().map(|v| v * v).sum()));
            norms.columns.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v);
        }
    };
    let there = each(loaded, weight, 0..rows, going, visit).await?;
    norms.columns.iter_mut().for_each(|sum| *sum = libm::sqrt(*sum));
    Ok(there.then_some((shrink.tile, norms)))
}

/// The leading directions of a low-rank change, `most` at most; none of a change that is not, or that has a value that is
/// not finite.
pub fn directions<S: Source, B: Source>(loaded: &Loaded<'_, S, B>, most: usize) -> Vec<Direction> {
    let change = loaded.change.as_ref().filter(|_| loaded.is_low_rank());
    let Some(Svd { u, singular, v }) = change.and_then(super::change::Change::svd) else {
        return Vec::new();
    };
    let direction = |i: usize| {
        let largest = u.column(i).iter().fold(0.0f64, |most, &e| if e.abs() > most.abs() { e } else { most });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        let signed = |of: &nalgebra::DMatrix<f64>| of.column(i).iter().map(|e| (e * sign) as f32).collect();
        Direction { singular: singular[i], rows: signed(&u), columns: signed(&v) }
    };
    (0..singular.len().min(most)).map(direction).collect()
}
