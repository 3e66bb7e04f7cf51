//! Fifty languages on one base: what was measured of their adapters, how it is ordered and told, and what page and worker say to
//! each other. Pure.

pub mod arrange;
pub mod kinds;
pub mod measured;
pub mod merging;
pub mod state;
pub mod wire;
pub mod words;
