//! The configuration: one JSON document that is at once the URL state, the API argument and the worker's
//! message. Plain validated data; knows nothing of models, engines or views.
//!
//! `Config::from_json` and `Config::from_query` are the only ways in from outside; both reject unknown keys,
//! wrong types and values out of range with an error that names the key, its value and what is allowed.

mod check;
mod default;
pub mod limits;
mod name;
mod object;
mod parse;
mod query;
mod write;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

pub use name::Named;
pub use query::PAGE_KEYS;

use serde::{Deserialize, Serialize};

/// A complete run: task, lanes, optimiser and schedule, reproducible from `seed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    pub seed: u32,
    pub backend: BackendChoice,
    pub task: Task,
    pub lanes: Vec<Lane>,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
}

/// Where training runs. `Auto` is WebGPU where an adapter exists, else the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackendChoice {
    Auto,
    WebGpu,
    Cpu,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    Domains(Domains),
    Digits(Digits),
    Custom,
}

/// Teacher–student on one linear layer: each domain has its own true change of rank `true_rank`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Domains {
    pub dim: usize,
    pub domains: usize,
    pub true_rank: usize,
    /// All domains read the same input directions and write orthogonal outputs.
    pub conflict: bool,
    pub spectrum: Spectrum,
    /// Tokens per sequence.
    pub sequence: usize,
    /// Domains vary per token instead of per sequence.
    pub mixed: bool,
    /// Standard deviation of the noise added to the targets.
    pub noise: f64,
    /// Sequences per batch.
    pub batch: usize,
}

/// Singular values of a true change: all 1, or 1/i.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spectrum {
    Flat,
    Harmonic,
}

/// Handwritten digits under new domains; the upright ones are the old task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digits {
    /// Which domains are trained on, in this order.
    pub domains: Vec<DigitDomain>,
    /// Images per batch.
    pub batch: usize,
    /// Steps of pretraining of the base on upright digits.
    pub pretrain: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigitDomain {
    Inverted,
    Rotated,
    Permuted,
    Mirrored,
    Shifted,
}

/// One lane: a method, and the layers it adapts (`None`: all of them).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    pub method: Method,
    pub layers: Option<Vec<usize>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Method {
    Full,
    Lora {
        rank: usize,
        alpha: f64,
        rslora: bool,
    },
    Molora {
        experts: usize,
        rank: usize,
        alpha: f64,
        /// Gates kept per token; 0 keeps all (soft routing).
        top_k: usize,
        renormalize: bool,
        balance: Balance,
    },
    Mor1e {
        experts: usize,
        alpha: f64,
        gate: Gate,
        /// Width of the intuition gate; `None` is `max(4, in / 8)`.
        hidden: Option<usize>,
        balance: Balance,
    },
}

/// One gate per sequence, from its mean, or one per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    Pooled,
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    pub kind: BalanceKind,
    pub coefficient: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalanceKind {
    None,
    Entropy,
    Switch,
}

/// AdamW as PyTorch defines it: decoupled decay, bias correction, eps outside the root.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimizer {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

/// Linear warmup from 0, then linear decay to 0 at `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub warmup: usize,
    pub total: usize,
}
