//! safetensors files: a header read first, tensors only where asked for, and written as a stream. Knows nothing of what
//! the tensors mean, nor where the bytes come from.
//!
//! Whatever a file claims is checked against its size before memory is taken for it.

#[cfg(target_arch = "wasm32")]
pub mod blob;
pub mod checkpoint;
pub mod dtype;
pub mod foreign;
pub mod header;
pub mod source;
pub mod write;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, Tensor};
pub use dtype::Dtype;
pub use header::{Header, TensorInfo};
pub use source::{Memory, Sink, Source};

use std::ops::Range;

use crate::error::Error;
use crate::lang::tr;

/// Values read at once.
const BLOCK: usize = 1 << 20;

/// `rows`, each of `width` values, as many at a time as are read at once. None where they hold no values: a file of a
/// few bytes may claim any number of such rows.
pub(crate) fn blocks(rows: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let end = if width == 0 { rows.start } else { rows.end };
    let block = (BLOCK / width.max(1)).max(1);
    (rows.start..end).step_by(block).map(move |start| start..start.saturating_add(block).min(end))
}

/// What is wrong with `file`, and what to do about it.
pub(crate) fn broken(file: &str, problem: impl Into<String>) -> Error {
    Error::File { file: file.to_owned(), problem: problem.into() }
}

/// What is to be said of a part of a file, a tensor or a module or a key.
pub(crate) fn about(name: &str, what: &str) -> String {
    tr!("{name}: {what}", name, what)
}

/// The folder of a path, without its last slash; nothing where there is none.
pub fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
