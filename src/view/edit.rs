//! Small changes to a configuration that several controls make. Pure.

use crate::config::Method;

/// Lanes the page has room and colours for.
pub const LANES: usize = 4;

/// Sets what a lane's slider moves: the rank, or the experts of MoR1E; full fine-tuning has neither.
pub fn set_rank(method: &mut Method, value: usize) {
    match method {
        Method::Full => {}
        Method::Lora { rank, .. } | Method::Variant { rank, .. } | Method::Molora { rank, .. } => *rank = value,
        Method::Mor1e { experts, .. } => *experts = value,
    }
}
