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
    /// e to this power. In f32, within 2e-7 of it, relatively, and in half of `exp`'s time in wasm: a step of a language model
    /// takes two million of them.
    fn power_of_e(self) -> Self;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn power_of_e(self) -> Self {
        // Below, it is less than any number of full precision; above, infinite.
        if self < -87.0 {
            return 0.0;
        }
        // Not `min`, which would make a number of NaN.
        let x = if self > 89.0 { 89.0 } else { self };
        // 2ⁿ · eʳ with |r| ≤ ln 2 / 2; ln 2 in two parts, the first of which has few bits. Polynomial: Cephes, expf.
        // Added, 1.5 · 2²³ leaves no room for a fraction, so that n is rounded and stands in the lowest bits.
        let rounding = 12_582_912.0f32;
        let shifted = x * std::f32::consts::LOG2_E + rounding;
        let n = shifted - rounding;
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let p = 1.987_569_1e-4 * r + 1.398_199_9e-3;
        let p = ((p * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_6e-1;
        let e = (p * r + 0.5) * r * r + r + 1.0;
        // In two halves: n may be 128.
        let half = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
        let n = (shifted.to_bits() as i32).wrapping_sub(rounding.to_bits() as i32).clamp(-126, 129);
        e * half(n / 2) * half(n - n / 2)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
    fn power_of_e(self) -> Self {
        self.exp()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_are_those_of_f64() {
        for i in -87_000..=89_000 {
            let x = i as f32 / 1000.0;
            let (got, wanted) = (x.power_of_e().f64(), x.f64().exp());
            let infinite = wanted > f64::from(f32::MAX) && got == f64::INFINITY;
            assert!(infinite || (got - wanted).abs() <= 2e-7 * wanted, "{x}: {got}, not {wanted}");
        }
        assert_eq!([0f32.power_of_e(), f32::NEG_INFINITY.power_of_e(), (-1e30f32).power_of_e()], [1.0, 0.0, 0.0]);
        assert!(f32::NAN.power_of_e().is_nan() && f32::INFINITY.power_of_e().is_infinite());
    }
}
