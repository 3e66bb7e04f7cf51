//! What the studio's page and its worker say to each other, as plain data. One order at a time; each is answered by
//! progress and then by `Measured` or `Failed`. Cancelling is ending the worker, so there is no order for it.

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::experiments::{Progress, Where};

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Measure the experiment of this name with one seed.
    Measure { id: String, seed: u32, webgpu: bool },
    /// Train this configuration to its end; its one value is the loss of lane 0.
    Train { config: Box<Config>, webgpu: bool },
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The worker listens: the GPU's name, or why there is none.
    Ready(Result<String, String>),
    Progress(Progress),
    /// Values in the quantities' order, and where they come from.
    Measured {
        values: Vec<f64>,
        place: Where,
    },
    /// Why the order could not be carried out, in words; the worker takes others.
    Failed(String),
    /// Why the worker itself is of no more use.
    Crashed(String),
}
