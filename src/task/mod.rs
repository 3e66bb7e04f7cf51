//! What is learned: data, targets and the frozen base network, made from a seed. Every task comes out as the same
//! `TaskData`, so nothing further on asks which task it is. Knows nothing of adapters, engines or views.

pub mod custom;
mod deep;
pub mod digits;
pub mod domains;
pub mod evaluate;
pub mod floors;
mod images;
pub mod network;
mod regression;
pub mod sensors;
pub mod table;
pub mod text;

pub use custom::custom;
pub use digits::{DigitsTask, HeldOut, digits};
pub use floors::floors;
pub use images::Images;
pub use network::Network;
pub use sensors::{SensorsTask, sensors};

/// The teacher–student task on as many layers as it asks for.
///
/// # Errors
/// `Error::Config` where `dim` has no room for the orthogonal directions the task needs.
pub fn domains(config: &crate::args::Domains, seed: u64) -> crate::error::Result<TaskData> {
    match config.depth {
        0 | 1 => domains::domains(config, seed),
        _ => deep::domains(config, seed),
    }
}

use std::sync::Arc;

use ndarray::Array2;

use crate::args::SavedModule;
use crate::fixed::Fixed;

/// Multiply-adds of one display's evaluation, at most: some tenths of a second on a page's CPU.
const EVALUATED: usize = 1 << 31;
/// Rows that are evaluated at once of the largest network.
const FEWEST: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// Mean over all elements.
    Mse,
    /// Mean over tokens.
    CrossEntropy,
}

/// A frozen layer: `x weightᵀ + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseLayer {
    /// `[outputs, inputs]`, row-major.
    pub weight: Fixed,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// The class of a row whose loss does not count.
pub const UNCOUNTED: u32 = u32::MAX;

/// What the model's output is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// `[rows, outputs]`: the whole output, the frozen base's share included.
    Dense(Vec<f32>),
    /// `[rows]`: class of each row, or [`UNCOUNTED`].
    Classes(Vec<u32>),
}

/// What a teacher expects at every row of the pool: learned beside the classes, or instead of them.
#[derive(Clone, Debug)]
pub struct Soft {
    /// Its logits, `[rows, outputs]`; students that learn one after the other hold them together.
    pub logits: Arc<[f32]>,
    /// By which its logits and the student's are divided.
    pub temperature: f64,
    /// The teacher's share of the loss, λ; the classes have the rest. Rows that are [`UNCOUNTED`] have the teacher's alone.
    pub mix: f64,
}

/// A pool of fixed batches, visited in order and over again, with the base network it is learned on.
///
/// A row is one token: row `(batch · batch_sequences + sequence) · sequence + token`.
#[derive(Clone, Debug)]
pub struct TaskData {
    pub network: Network,
    pub loss: LossKind,
    /// Sequences per batch.
    pub batch_sequences: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    pub batches: usize,
    /// Batches behind the last, of rows that are not training data but written while it goes on, to be looked at.
    pub spare: usize,
    /// `[rows, the network's inputs]`, `rows = batches · batch_sequences · sequence`.
    pub x: Vec<f32>,
    /// `[rows, the network's outputs]` or `[rows]`.
    pub y: Targets,
    /// A teacher's expectations, of classes.
    pub soft: Option<Soft>,
    /// `[rows]`, indices into `domain_names`.
    pub row_domains: Vec<u8>,
    /// One per site of the network.
    pub base: Vec<BaseLayer>,
    /// Values of the network's frozen tensors, `[rows, cols]` each.
    pub tensors: Vec<Fixed>,
    pub domain_names: Vec<String>,
    /// Expected squared target change per output element, noise left out; 1 where the loss is cross-entropy.
    /// Losses divided by it are shares of the target's energy; of text it is ln 2, so that they are bits per token.
    pub energy: f64,
    /// The same measured on the pool.
    pub pool_energy: f64,
    /// Variance of the noise added to the targets, which no model removes.
    pub noise_variance: f64,
    /// Rank of each true change.
    pub true_rank: Option<usize>,
    /// True change of each domain, `[outputs, inputs]` each.
    pub teacher: Option<Vec<Array2<f64>>>,
    /// The domain changes from token to token within a sequence.
    pub mixed: bool,
    /// Rows that are only looked at, never trained on.
    pub probe: Probe,
}

/// A fixed batch for display, made like the training data but not part of it; noise-free.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Tokens per sequence.
    pub sequence: usize,
    /// `[rows, inputs]`, whole sequences.
    pub x: Vec<f32>,
    /// As in `TaskData`.
    pub y: Targets,
    /// `[rows]`.
    pub row_domains: Vec<u8>,
}

/// Rows that a display evaluates at once, at most: of a large network few, for while it does nothing trains.
pub fn rows_at_once(network: &Network) -> usize {
    (EVALUATED / network.parameters().max(1)).max(FEWEST)
}

impl TaskData {
    /// Tokens in one batch.
    pub fn batch_rows(&self) -> usize {
        self.batch_sequences * self.sequence
    }

    /// The base's weight of a module that lanes may train whole, `[vocabulary, width]`; nothing where there is none.
    pub fn table(&self, module: SavedModule) -> &[f32] {
        let own = self.network.modules().find(|(of, _)| *of == module);
        own.map_or(&[], |(_, table)| &self.tensors[table.index()])
    }

    /// As many rows of the pool, from its first on, as were asked for and can be evaluated at once: whole batches, or else whole
    /// sequences.
    pub fn rows_of_pool(&self, wanted: usize) -> usize {
        let (batch, most) = (self.batch_rows(), rows_at_once(&self.network));
        match most >= batch {
            true => wanted.min(most).div_ceil(batch).min(self.batches) * batch,
            false => (most / self.sequence).max(1) * self.sequence,
        }
    }

    /// Tokens in the pool.
    pub fn rows(&self) -> usize {
        self.batches * self.batch_rows()
    }
}

impl Probe {
    pub fn rows(&self) -> usize {
        self.row_domains.len()
    }
}
