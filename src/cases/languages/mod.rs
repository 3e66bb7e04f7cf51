//! Fifty languages on one base: what was measured of their adapters. Pure.

pub mod measured;
