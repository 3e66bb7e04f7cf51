//! A base network with the adapters of one lane, compiled into recordings: what a training step replays. Knows how passes
//! fit together, not how they are run.
//!
//! `compile` walks the nodes forward and then backward, adding gradients where paths meet, and calls the adapters where
//! sites are adapted; `rewrite` then joins operations that one kernel does at once. What a kind of node records is in `node`,
//! one file each, and that is all it takes to add one: a variant of `Node`, its width, what it is in plain numbers
//! (`task::evaluate`), and a file with its passes forward and backward. So the operations of a transformer enter. Those
//! without weights to adapt (embedding, norm, rotation, attention, gated product) record passes over the values of their
//! wires and hand back a gradient for each wire that they read; projections are linear sites, adapted like any other; the
//! adapters of q, k and v send three gradients to one wire, which are added here. A rewrite is written only once a
//! measurement asks for it.

mod compile;
mod constant;
mod gathering;
pub mod initial;
mod lane;
mod node;
mod prototypes;
mod rewrite;
mod shared;

pub use compile::{compile, continuation, kernels};
pub use gathering::{Bank, Gathering, gathering};
pub use lane::{CompiledLane, CompiledSite};
pub use shared::{Contents, Shared, SharedBuffers, share};

/// Losses a lane keeps on the device before they must be read: steps per submission.
pub const LOSS_SLOTS: usize = 256;
