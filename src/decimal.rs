//! Decimal numbers as text, to the nearest f64. In a browser by the browser's own parser, which is as exact and need not
//! be downloaded; natively by the standard library.

/// The number that `text` writes in plain or scientific notation; `None` for anything else, infinities included.
pub fn parse(text: &str) -> Option<f64> {
    let digits = text.contains(|c: char| c.is_ascii_digit());
    // Neither JavaScript's "0x1f" and "" nor Rust's "inf" and "nan" are meant.
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    if !(digits && plain) {
        return None;
    }
    #[cfg(target_arch = "wasm32")]
    let number = js_sys::Number::from(wasm_bindgen::JsValue::from_str(text)).value_of();
    #[cfg(not(target_arch = "wasm32"))]
    let number = text.parse::<f64>().unwrap_or(f64::NAN);
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers_are_read_and_nothing_else() {
        for (text, number) in [("1", 1.0), ("-0.25", -0.25), ("1e-8", 1e-8), ("+3.5E2", 350.0), (".5", 0.5)] {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "e", "-", "1.2.3", "0x1f", "inf", "NaN", "1e999", "1_0", " 1", "1e", "banana"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for number in [0.1, 1.0 / 3.0, 2.5e-17, f64::MAX, 5e-324] {
            assert_eq!(parse(&number.to_string()), Some(number));
        }
    }
}
