//! Numbers as links and pictures have them, alike natively and in a browser.

use lora_playground::decimal::{parse, plain, round_above, round_below, tenths};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test_configure!(run_in_browser);

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn numbers_are_read_and_nothing_else() {
    for (text, number) in [("1", 1.0), ("-0.25", -0.25), ("1e-8", 1e-8), ("+3.5E2", 350.0), (".5", 0.5)] {
        assert_eq!(parse(text), Some(number), "{text}");
    }
    for text in ["", "e", "-", "1.2.3", "0x1f", "inf", "NaN", "1e999", "1_0", " 1", "1e", "banana"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn what_is_written_is_read_back() {
    for number in [0.1, 1.0 / 3.0, 2.5e-17, f64::MAX, 5e-324, -1e-7, 1e21, 123_456.789] {
        assert_eq!(parse(&plain(number)), Some(number));
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn numbers_are_written_alike_everywhere() {
    for (number, text) in [
        (0.0, "0"),
        (3.0, "3"),
        (-0.25, "-0.25"),
        (5e-5, "0.00005"),
        (1e-7, "1e-7"),
        (-1e-8, "-1e-8"),
        (1e21, "1e21"),
        (2.5e-9, "2.5e-9"),
    ] {
        assert_eq!(plain(number), text);
    }
    for (number, text) in [(12.5, "12.5"), (3.0, "3"), (-0.04, "0"), (-1.26, "-1.3"), (0.95, "1"), (f64::NAN, "0")] {
        assert_eq!(tenths(number), text);
    }
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn round_numbers_lie_on_either_side() {
    for (value, above, below) in [(0.3, 0.5, 0.2), (1.0, 1.0, 1.0), (7.0, 10.0, 5.0), (0.012, 0.02, 0.01)] {
        assert!((round_above(value) / above - 1.0).abs() < 1e-9, "{value}");
        assert!((round_below(value) / below - 1.0).abs() < 1e-9, "{value}");
    }
}
