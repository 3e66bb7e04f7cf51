//! What a view of one module shows: parts of its weights at any size, and the norms of their rows and columns. Knows
//! nothing of pixels.

use std::ops::Range;

use super::loaded::Loaded;
use crate::error::Result;
use crate::files::{Source, blocks};

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

/// Norms of rows and of columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Norms {
    pub rows: Vec<f64>,
    pub columns: Vec<f64>,
}

async fn rows_of<S: Source, B: Source>(
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

/// The entries in a range of rows and columns (clamped to the weight), in at most `cells` cells; `None` where the
/// weight takes a base that is not there.
///
/// # Errors
/// `Error::File` where the base cannot be read.
pub async fn tile<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    (rows, columns): (Range<usize>, Range<usize>),
    cells: (usize, usize),
) -> Result<Option<Tile>> {
    let clamp =
        |range: Range<usize>, size: usize| range.start.min(size)..range.end.min(size).max(range.start.min(size));
    let (rows, columns) = (clamp(rows, loaded.rows), clamp(columns, loaded.columns));
    let cells = (cells.0.min(rows.len()), cells.1.min(columns.len()));
    let mut values = vec![0.0f32; cells.0 * cells.1];
    if values.is_empty() {
        return Ok(Some(Tile { cells, values }));
    }
    if weight == Weight::Change && loaded.is_low_rank() && loaded.change.as_ref().is_some_and(|c| c.rank() == 0) {
        return Ok(Some(Tile { cells, values }));
    }
    // In 64 bits: their product with a row's number may not fit in a browser's 32.
    let shrunk = |at: usize, cells: usize, of: usize| (at as u64 * cells as u64 / of as u64) as usize;
    for part in blocks(rows.clone(), loaded.columns) {
        let first = part.start - rows.start;
        let Some(block) = rows_of(loaded, weight, part).await? else {
            return Ok(None);
        };
        for (at, row) in block.chunks_exact(loaded.columns).enumerate() {
            let line = shrunk(first + at, cells.0, rows.len()) * cells.1;
            for (c, &value) in row[columns.clone()].iter().enumerate() {
                let cell = &mut values[line + shrunk(c, cells.1, columns.len())];
                let value = value as f32;
                // NaN stays seen.
                if value.abs() > cell.abs() || value.is_nan() {
                    *cell = value;
                }
            }
        }
    }
    Ok(Some(Tile { cells, values }))
}

/// Norms of every row and column; `None` where the weight takes a base that is not there.
///
/// # Errors
/// `Error::File` where the base cannot be read.
pub async fn norms<S: Source, B: Source>(loaded: &Loaded<'_, S, B>, weight: Weight) -> Result<Option<Norms>> {
    if let (Weight::Change, true, Some(change)) = (weight, loaded.is_low_rank(), &loaded.change) {
        let (rows, columns) = change.norms();
        return Ok(Some(Norms { rows, columns }));
    }
    let mut norms = Norms { rows: Vec::new(), columns: vec![0.0; loaded.columns] };
    for rows in loaded.blocks() {
        let Some(block) = rows_of(loaded, weight, rows).await? else {
            return Ok(None);
        };
        for row in block.chunks_exact(loaded.columns.max(1)) {
            norms.rows.push(libm::sqrt(row.iter().map(|v| v * v).sum()));
            norms.columns.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v);
        }
    }
    norms.columns.iter_mut().for_each(|sum| *sum = libm::sqrt(*sum));
    Ok(Some(norms))
}
