//! What the page keeps of each lane and each gate. Plain data.

use super::{history::Series, snap::Snap};
use crate::protocol::{Accuracy, GateFrame, LaneFrame};

/// One lane: its latest frame and what it left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneView {
    pub frame: Snap<LaneFrame>,
    pub curve: Snap<Curve>,
    pub accuracy: Snap<Vec<Accuracy>>,
}

impl LaneView {
    /// Its loss as measured at rest, where no step has told it since it was changed.
    pub fn measured(&self) -> Option<f64> {
        self.curve.recent.filter(|_| self.frame.measured.is_some())
    }
}

/// A lane's loss as a share of the target's energy (cross-entropy: as it is).
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub series: Series,
    /// Mean over the last `over` steps: what is written where the noisy curve ends.
    pub recent: Option<f64>,
    pub over: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    pub frame: Snap<GateFrame>,
    /// Mean gate of each expert over training.
    pub time: Snap<Series>,
}
