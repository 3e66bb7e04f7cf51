//! Decimal numbers: as text, where the standard library's own writing is not what links and pictures need, and the round ones
//! near a number, at which axes are marked. Knows nothing of what the numbers mean.

/// The number that `text` writes in plain or scientific notation; `None` for anything else, infinities included.
///
/// JSON's reader does the work: the standard library's has ten kilobytes of tables. It wants digits on both sides of a dot, no
/// zeros before them, and no plus sign.
pub fn parse(text: &str) -> Option<f64> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => ("-", size),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = size.split_at(size.find(['e', 'E']).unwrap_or(size.len()));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || !plain(whole) || !plain(part) {
        return None;
    }
    // JSON would let space follow.
    if exponent.ends_with(|c: char| !c.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let (whole, part) = (if whole.is_empty() { "0" } else { whole }, if part.is_empty() { "0" } else { part });
    serde_json::from_slice(format!("{sign}{whole}.{part}{exponent}").as_bytes()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// As the standard library reads them, bit for bit.
    #[test]
    fn numbers_are_read() {
        let written = [
            "0",
            "-0",
            "+7",
            "007",
            "1.",
            ".5",
            "-.5e1",
            "3E-2",
            "1e+5",
            "0.1",
            "5e-324",
            "1e-400",
            "0e999",
            "9007199254740993",
            "179769313486231580793728971405301e276",
            "2.2250738585072011e-308",
        ];
        for text in written {
            assert_eq!(parse(text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
        }
        let other = [
            "", ".", "-", "+-1", "--1", "e5", "1e", "1e+", " 1", "1 ", "1e5 ", "1e5.", "1_0", "inf", "NaN", "1e999",
            "0x1", "1,5", "1.2.3", "é",
        ];
        for text in other {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
