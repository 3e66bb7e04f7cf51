//! Numbers that the CPU twins compute with.

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{Float, FromPrimitive, ToPrimitive};
use wide::{f32x4, i32x4};

use super::{Bound, Step};
use crate::fixed::Fixed;

/// The element types the twins are written for: f32 to train, f64 to check.
pub trait Real:
    Float + LinalgScalar + ScalarOperand + FromPrimitive + ToPrimitive + std::iter::Sum + std::ops::AddAssign + 'static
{
    /// A constant in this type; exact for f64, rounded for f32.
    fn of(value: f64) -> Self;
    fn f64(self) -> f64;
    /// e to the power of each. In f32, within 2e-7 of it, relatively, four at a time: a step of a language model takes two
    /// million of them.
    fn powers_of_e(values: &mut [Self]);
    /// `1 / (1 + e⁻ˣ)` of each, likewise.
    fn sigmoids(values: &mut [Self]);
    /// `Σ a b`. In f32 eight sums at a time: one after the other, each addition would wait for the last.
    fn dot(a: &[Self], b: &[Self]) -> Self;
    /// The same numbers in this type, where they are of it already.
    fn fixed(_: &Fixed) -> Option<Fixed<Self>> {
        None
    }
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn powers_of_e(values: &mut [Self]) {
        in_fours(values, power_of_e);
    }
    fn sigmoids(values: &mut [Self]) {
        in_fours(values, |x| ONE / (ONE + power_of_e(-x)));
    }
    fn dot(a: &[Self], b: &[Self]) -> Self {
        let ((a8, a), (b8, b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
        let mut sums = [four(0.0); 2];
        for (a, b) in a8.iter().zip(b8) {
            let [a0, a1, a2, a3, a4, a5, a6, a7] = *a;
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
            sums[0] += f32x4::new([a0, a1, a2, a3]) * f32x4::new([b0, b1, b2, b3]);
            sums[1] += f32x4::new([a4, a5, a6, a7]) * f32x4::new([b4, b5, b6, b7]);
        }
        (sums[0] + sums[1]).reduce_add() + a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
    }
    fn fixed(values: &Fixed) -> Option<Fixed<Self>> {
        Some(values.clone())
    }
}

fn in_fours(values: &mut [f32], f: impl Fn(f32x4) -> f32x4) {
    let (fours, rest) = values.as_chunks_mut::<4>();
    for four in fours {
        *four = f(f32x4::new(*four)).to_array();
    }
    let mut four = [0.0; 4];
    four[..rest.len()].copy_from_slice(rest);
    rest.copy_from_slice(&f(f32x4::new(four)).to_array()[..rest.len()]);
}

const fn four(value: f32) -> f32x4 {
    f32x4::new([value; 4])
}

const LEAST: f32x4 = four(-87.0);
const MOST: f32x4 = four(89.0);
const LOG2_E: f32x4 = four(std::f32::consts::LOG2_E);
/// Added, 1.5 · 2²³ leaves no room for a fraction, so that a number is rounded and stands in the lowest bits.
const ROUNDING: f32x4 = four(12_582_912.0);
/// ln 2 in two parts, the first of which has few bits.
const LN_2: [f32x4; 2] = [four(0.693_359_4), four(-2.121_944_4e-4)];
/// Cephes, expf.
const POLYNOMIAL: [f32x4; 6] = [
    four(1.987_569_1e-4),
    four(1.398_199_9e-3),
    four(8.333_452e-3),
    four(4.166_579_6e-2),
    four(1.666_666_6e-1),
    four(0.5),
];
const ONE: f32x4 = four(1.0);
const BIAS: i32x4 = i32x4::new([127; 4]);

/// e to the power of each, as 2ⁿ · eʳ with |r| ≤ ln 2 / 2. Numbers are written as constants: made where they are needed, they
/// cost as much as the rest where code is compiled to be small.
#[inline(always)]
fn power_of_e(x: f32x4) -> f32x4 {
    // Below, it is less than any number of full precision; above, infinite. NaN is neither.
    let (nothing, endless) = (x.simd_lt(LEAST), x.simd_gt(MOST));
    let x = endless.select(MOST, x);
    let shifted = x * LOG2_E + ROUNDING;
    let n = shifted - ROUNDING;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let [a, b, c, d, e, f] = POLYNOMIAL;
    let p = ((((a * r + b) * r + c) * r + d) * r + e) * r + f;
    let e = p * r * r + r + ONE;
    // In two halves: n may be 128.
    let n: i32x4 = bytemuck::cast::<_, i32x4>(shifted) - bytemuck::cast::<_, i32x4>(ROUNDING);
    let half = n >> 1;
    let [lower, upper] = [half, n - half].map(|n| bytemuck::cast::<i32x4, f32x4>((n + BIAS) << 23));
    !nothing & (e * lower * upper)
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
    fn powers_of_e(values: &mut [Self]) {
        values.iter_mut().for_each(|value| *value = value.exp());
    }
    fn sigmoids(values: &mut [Self]) {
        values.iter_mut().for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
    }
    fn dot(a: &[Self], b: &[Self]) -> Self {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
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
        let given: Vec<f32> = (-87_000..=89_001).map(|i| i as f32 / 1000.0).collect();
        let mut made = given.clone();
        f32::powers_of_e(&mut made);
        for (x, got) in given.into_iter().zip(made) {
            let wanted = x.f64().exp();
            let infinite = wanted > f64::from(f32::MAX) && got == f32::INFINITY;
            assert!(infinite || (got.f64() - wanted).abs() <= 2e-7 * wanted, "{x}: {got}, not {wanted}");
        }
        let mut edges = [0.0, f32::NEG_INFINITY, -1e30, f32::INFINITY, f32::NAN];
        f32::powers_of_e(&mut edges);
        assert_eq!(edges[..4], [1.0, 0.0, 0.0, f32::INFINITY]);
        assert!(edges[4].is_nan());
    }
}
