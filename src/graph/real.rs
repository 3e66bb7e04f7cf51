//! Numbers that the CPU twins compute with.

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{Float, FromPrimitive, ToPrimitive};

use super::{Bound, Step};

/// The element types the twins are written for: f32 to train, f64 to check.
pub trait Real:
    Float + LinalgScalar + ScalarOperand + FromPrimitive + ToPrimitive + std::iter::Sum + std::ops::AddAssign + 'static
{
    /// A constant in this type; exact for f64, rounded for f32.
    fn of(value: f64) -> Self;
    fn f64(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
}

/// An element type in which kernels' twins are there to run.
pub trait Twin: Real {
    fn run(step: &Step, words: &[u32], bound: &Bound<Self>);
}

impl Twin for f32 {
    fn run(step: &Step, words: &[u32], bound: &Bound<Self>) {
        (bound.kernel.run)(step, words, bound);
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Twin for f64 {
    fn run(step: &Step, words: &[u32], bound: &Bound<Self>) {
        (bound.kernel.check)(step, words, bound);
    }
}
