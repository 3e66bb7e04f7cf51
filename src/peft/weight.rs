//! A weight of a base as numbers: all of a tensor, one expert's part of it or some of its rows, with the scales that a format of
//! few bits keeps beside it. Knows nothing of adapters.

use std::ops::Range;

use crate::error::Result;
use crate::files::{Checkpoint, Dtype, Source, TensorInfo};
use crate::lang::tr;

/// Tensors that hold scales of an 8-bit floating-point weight; each is multiplied by.
const SCALES: &[&str] = &[".weight_scale_inv", ".weight_scale", ".scale_weight"];
/// Sides of blocks that share a scale, the usual one first.
const SIDES: &[usize] = &[128, 64, 32, 256, 16, 512];

/// What is read of a tensor.
#[derive(Clone, Debug)]
pub enum Of<'a> {
    All,
    /// One of so many of equal size.
    One(usize, usize),
    Rows(&'a [usize]),
}

#[derive(Debug)]
pub struct BaseWeight<'a, B> {
    pub base: &'a Checkpoint<B>,
    pub key: String,
    pub rows: usize,
    pub columns: usize,
    /// Values before the first.
    first: u64,
    picked: Vec<usize>,
    scales: Option<Scales>,
}

#[derive(Debug)]
struct Scales {
    values: Vec<f32>,
    /// Rows and columns that share one.
    block: (usize, usize),
    across: usize,
}

impl<'a, B: Source> BaseWeight<'a, B> {
    /// The tensor `key`, or why it is no weight of that shape, in words.
    ///
    /// # Errors
    /// `Error::File` where its scales cannot be read.
    pub async fn open(
        base: &'a Checkpoint<B>,
        key: &str,
        (rows, columns): (usize, usize),
        of: Of<'_>,
    ) -> Result<std::result::Result<Self, String>> {
        let Some(info) = base.find(key) else {
            return Ok(Err(tr!("{file} does not hold \"{key}\"", file = base.file(), key)));
        };
        let has = info.matrix();
        let (first, picked) = match of {
            Of::All if has == (rows, columns) => (0, Vec::new()),
            Of::One(at, of) if info.count() as u64 == rows as u64 * columns as u64 * of as u64 => {
                (at as u64 * rows as u64 * columns as u64, Vec::new())
            }
            Of::Rows(picked) if has.1 == columns && picked.iter().all(|&row| row < has.0) => (0, picked.to_vec()),
            Of::Rows(picked) if has.1 == columns => {
                let (row, all) = (picked.iter().find(|&&row| row >= has.0).copied().unwrap_or(0), has.0);
                return Ok(Err(tr!(
                    "token {row} is beyond the {all} of \"{key}\"; it is for another base",
                    row,
                    all,
                    key
                )));
            }
            _ => {
                let has = info.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
                let wanted = format!("{rows}×{columns}");
                return Ok(Err(tr!(
                    "\"{key}\" is {has}, but the adapter's is {wanted}; it is for another base",
                    key,
                    has,
                    wanted
                )));
            }
        };
        let scales = match Scales::of(base, key, info).await? {
            Ok(scales) => scales,
            Err(why) => return Ok(Err(why)),
        };
        Ok(Ok(Self { base, key: key.to_owned(), rows, columns, first, picked, scales }))
    }

    /// # Errors
    /// `Error::File` where it cannot be read.
    pub async fn rows(&self, rows: Range<usize>) -> Result<Vec<f32>> {
        let columns = self.columns as u64;
        if !self.picked.is_empty() {
            let mut out = Vec::new();
            for &row in self.picked.get(rows).unwrap_or_default() {
                out.extend(self.base.read_rows(&self.key, row..row + 1).await?);
            }
            return Ok(out);
        }
        let values = self.first + rows.start as u64 * columns..self.first + rows.end as u64 * columns;
        let mut out = self.base.read_values(&self.key, values).await?;
        if let Some(scales) = &self.scales {
            scales.apply(&mut out, rows.start, self.columns);
        }
        Ok(out)
    }
}

/// The tensor that holds the scales of a weight, where its own values are codes.
pub fn scales<'a, B: Source>(base: &'a Checkpoint<B>, weight: &TensorInfo) -> Option<&'a TensorInfo> {
    let eight = matches!(weight.dtype, Dtype::F8E4M3 | Dtype::F8E5M2);
    let stem = weight.name.strip_suffix(".weight").filter(|_| eight)?;
    SCALES.iter().find_map(|ending| base.find(&format!("{stem}{ending}")))
}

impl Scales {
    /// Those beside a weight, if there are any; or why they cannot be understood.
    async fn of<B: Source>(
        base: &Checkpoint<B>,
        key: &str,
        weight: &TensorInfo,
    ) -> Result<std::result::Result<Option<Self>, String>> {
        let Some(info) = scales(base, weight) else {
            return Ok(Ok(None));
        };
        let (rows, columns) = weight.matrix();
        let (down, across) = match info.shape.as_slice() {
            [] | [1] => (1, 1),
            [rows] => (*rows, 1),
            [down, across] => (*down, *across),
            _ => (0, 0),
        };
        let (Some(high), Some(wide)) = (side(rows, down), side(columns, across)) else {
            let (sizes, of) = (format!("{:?}", info.shape), format!("{:?}", weight.shape));
            return Ok(Err(tr!(
                "\"{name}\" {sizes} is of no known blocks of \"{key}\" {of}; it is quantised in a way that is not known here",
                name = info.name,
                sizes,
                key,
                of
            )));
        };
        if !info.dtype.is_float() {
            return Ok(Err(tr!("its scales are {}, which is not known here: it is quantised", info.dtype)));
        }
        let values = base.read(&info.name).await?.values;
        Ok(Ok(Some(Self { values, block: (high, wide), across })))
    }

    fn apply(&self, values: &mut [f32], first: usize, columns: usize) {
        for (at, row) in values.chunks_exact_mut(columns.max(1)).enumerate() {
            let line = (first + at) / self.block.0 * self.across;
            for (c, v) in row.iter_mut().enumerate() {
                *v *= self.values.get(line + c / self.block.1).copied().unwrap_or(f32::NAN);
            }
        }
    }
}

/// How many of `size` entries share one of `blocks` scales.
fn side(size: usize, blocks: usize) -> Option<usize> {
    match blocks {
        0 => None,
        1 => Some(size.max(1)),
        blocks if blocks == size => Some(1),
        blocks => SIDES.iter().copied().find(|side| size.div_ceil(*side) == blocks),
    }
}
