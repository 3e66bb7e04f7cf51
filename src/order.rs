//! Limits of numbers.

/// The value, or the end of `low..=high` that it is beyond; NaN stays.
pub fn within(value: f64, low: f64, high: f64) -> f64 {
    value.clamp(low, high)
}
