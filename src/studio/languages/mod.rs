//! Fifty languages on one base: what was measured of their adapters.

pub mod measured;
