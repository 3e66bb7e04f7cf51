//! The readers fuzzed: no panic, no hang, nothing read that is not there.
//!
//! In-process rather than `cargo fuzz`, which needs a nightly compiler. Here a hundred thousand runs; more of them by
//! `cargo run --release --example fuzz_files -- 10000000`.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/cases.rs"]
mod cases;
#[path = "common/fuzz.rs"]
mod fuzz;

use fuzz::Fuzz;

#[test]
fn no_file_harms() {
    let mut fuzz = Fuzz::of_cases(1);
    for _ in 0..100_000 {
        fuzz.run();
    }
    let reached = fuzz.reached;
    // Otherwise it would be testing the first check alone.
    assert!(reached.headers > 20_000 && reached.adapters > 10_000 && reached.written > 2_000, "{reached:?}");
}
