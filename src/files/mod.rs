//! safetensors files: a header read first, tensors only where asked for, and written as a stream. Knows nothing of what
//! the tensors mean, nor where the bytes come from.
//!
//! Whatever a file claims is checked against its size before memory is taken for it.

#[cfg(all(target_arch = "wasm32", any(feature = "api", feature = "studio")))]
pub mod blob;
pub mod checkpoint;
pub mod dtype;
pub mod header;
pub mod source;
pub mod write;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, Tensor};
pub use dtype::Dtype;
pub use header::{Header, TensorInfo};
pub use source::{Memory, Sink, Source};

use crate::error::Error;

/// What is wrong with `file`, and what to do about it.
pub(crate) fn broken(file: &str, problem: impl Into<String>) -> Error {
    Error::File { file: file.to_owned(), problem: problem.into() }
}
