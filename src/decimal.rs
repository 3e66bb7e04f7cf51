//! Decimal numbers: as text, where the standard library's own writing is not what links and pictures need, and the round ones
//! near a number, at which axes are marked. Knows nothing of what the numbers mean.

/// The number that `text` writes in plain or scientific notation; `None` for anything else, infinities included.
pub fn parse(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The shortest text that is read back as the number, as JavaScript writes it: "0.1", "3", "1e-7".
pub fn plain(value: f64) -> String {
    match value.abs() {
        size if value != 0.0 && !(1e-6..1e21).contains(&size) => format!("{value:e}"),
        _ => value.to_string(),
    }
}

/// A coordinate of a picture, to a tenth: "12.5", "3"; 0 for what is no number.
pub fn tenths(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    // −0 would be written with its sign.
    if rounded.is_nan() || rounded == 0.0 { "0".into() } else { rounded.to_string() }
}

/// The smallest of 1, 2, 5 · 10ⁿ that is at least `value`: a range that does not flicker while weights move.
pub fn round_above(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let decade = libm::pow(10.0, libm::log10(value).floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|&n| n >= value * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
}

/// The largest of 1, 2, 5 · 10ⁿ that is at most `value`.
pub fn round_below(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    1.0 / round_above(1.0 / value)
}
