//! A base network with the adapters of one lane, compiled into recordings: what a training step replays. Knows
//! how passes fit together, not how they are run.

pub mod initial;
mod lane;
mod prototypes;
mod shared;

pub use lane::{LaneProgram, compile, kernels};
pub use shared::{Shared, share};

/// Losses a lane keeps on the device before they must be read: steps per submission.
pub const LOSS_SLOTS: usize = 256;
