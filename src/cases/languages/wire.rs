//! What the page and the languages' worker say to each other, as plain data.

use serde::{Deserialize, Serialize};

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Fetch base and adapters, and hold them on the GPU or else on the CPU; `None`: on the GPU unless it is one in software.
    Load { webgpu: Option<bool> },
    /// Read this text without an adapter and with each; what is being read is given up for it.
    Read { number: u32, text: Vec<u8> },
    /// Read this text with one adapter, or none, alone.
    Switch { number: u32, text: Vec<u8>, adapter: Option<usize> },
    /// Give these adapters as PEFT's files, with the base.
    Give { adapters: Vec<usize> },
    /// Add adapters to a language's own, and read that language's held-out text.
    Merge { number: u32, language: usize, others: Vec<usize>, share: bool },
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The worker listens.
    Listening,
    /// What is being fetched or made.
    Preparing(String),
    /// All is there: "webgpu" or "cpu", the GPU's name, and why there is none.
    Ready {
        webgpu: bool,
        name: String,
        milliseconds: f64,
    },
    Read(Reading),
    Switched(Switched),
    Merged(Merging),
    /// Files lie beside this: pairs of a path and what it holds.
    Given,
    /// Why an order could not be carried out, in words; the worker takes others.
    Failed(String),
    /// Why the worker itself is of no more use.
    Crashed(String),
}

/// A text, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub number: u32,
    /// Bytes read, of so many.
    pub read: usize,
    pub of: usize,
    /// Bits per byte by adapter, the base's last: of what has been read, and of the first bytes alone.
    pub bits: Vec<f64>,
    pub first: Vec<f64>,
    /// Of all batches so far.
    pub milliseconds: f64,
}

/// A text read with one adapter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    pub number: u32,
    pub adapter: Option<usize>,
    /// What writing the adapter's number took, and reading the text with it.
    pub switch: f64,
    pub read: f64,
    /// Of each byte.
    pub bits: Vec<f32>,
}

/// What several adapters on one base cost a language, as far as that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merging {
    pub number: u32,
    pub language: usize,
    pub share: bool,
    /// How many adapters, and their bits per byte by way of merging: as factors added, side by side, cut to one rank.
    pub points: Vec<(usize, [f64; 3])>,
    pub base: f64,
    pub done: usize,
    pub of: usize,
    pub milliseconds: f64,
}
