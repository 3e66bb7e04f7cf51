//! What is inside a trained adapter: single weights that stand in for a mixture, and what gates tell. All in f64 from f32
//! parameters. Knows
//! nothing of how training runs or how results are drawn.

pub mod merge;
pub mod told;
