//! Decimal numbers as text, read to the nearest f64 and written exactly rounded. In a browser by the browser itself, which
//! is as exact and need not be downloaded; natively by the standard library. Knows nothing of what the numbers mean.

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

/// The shortest text that is read back as the number: "0.1", "3", "1e-7".
pub fn plain(value: f64) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Number::from(value).to_string_with_radix(10).map_or_else(|_| String::new(), String::from);
    #[cfg(not(target_arch = "wasm32"))]
    match value.abs() {
        // As JavaScript does.
        size if value != 0.0 && !(1e-6..1e21).contains(&size) => format!("{value:e}"),
        _ => value.to_string(),
    }
}

/// So many digits after the point, at most 100: "0.750". What lies exactly between two texts becomes the larger one in a
/// browser, the even one natively.
pub fn fixed(value: f64, decimals: u8) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Number::from(value).to_fixed(decimals).map_or_else(|_| String::new(), String::from);
    #[cfg(not(target_arch = "wasm32"))]
    format!("{value:.*}", usize::from(decimals))
}

/// So many digits after the point, at most 100, and the power of ten: "2.40e-7", "1.00e3".
pub fn scientific(value: f64, decimals: u8) -> String {
    #[cfg(target_arch = "wasm32")]
    let exact = js_sys::Number::from(value).to_exponential(decimals);
    #[cfg(target_arch = "wasm32")]
    return exact.map_or_else(|_| String::new(), |text| String::from(text).replace('+', ""));
    #[cfg(not(target_arch = "wasm32"))]
    format!("{value:.*e}", usize::from(decimals))
}

/// A coordinate of a picture, to a tenth: "12.5", "3". There are thousands in a chart, so the browser is not asked.
pub fn tenths(value: f64) -> String {
    let all = (value.abs() * 10.0).round() as u64;
    let sign = if value < 0.0 && all > 0 { "-" } else { "" };
    match (all / 10, all % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (whole, tenth) => format!("{sign}{whole}.{tenth}"),
    }
}
