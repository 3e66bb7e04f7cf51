//! What a run on an own model would take, as it is told before any weight is read. Plain data.

use serde::{Deserialize, Serialize};

/// Bytes by what they are for, and how long a step takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Lanes, passages and tokens of each: what it is told for.
    pub lanes: usize,
    pub batch: usize,
    pub sequence: usize,
    /// In the page's memory, and on the GPU, where one trains.
    pub page: Vec<(String, f64)>,
    pub gpu: Vec<(String, f64)>,
    /// Why it cannot run here, with what to do.
    pub refused: Option<String>,
    pub time: Option<StepTime>,
    /// It is being measured.
    pub measuring: bool,
}

/// Milliseconds of a step, from one layer and the head that were timed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    pub layer: f64,
    pub layers: usize,
    pub head: f64,
}

impl StepTime {
    pub fn whole(&self) -> f64 {
        self.layers as f64 * self.layer + self.head
    }
}
