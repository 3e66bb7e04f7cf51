//! The readers fuzzed: no panic, no hang, nothing read that is not there.
//!
//! In-process rather than `cargo fuzz`, which needs a nightly compiler. Ten million runs, with the seed and the number in
//! the environment: `FUZZ_RUNS=10000000 FUZZ_SEED=1 cargo test --release --test fuzz_files -- --ignored --nocapture`.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/fuzz.rs"]
mod fuzz;
#[path = "common/peft.rs"]
#[allow(dead_code)] // Other tests use the rest.
mod peft;

use fuzz::Fuzz;

fn fuzzer(seed: u64) -> Fuzz {
    let seeds = peft::CASES.iter().map(|case| {
        (peft::file(case, "adapter/adapter_model.safetensors"), peft::file(case, "adapter/adapter_config.json"))
    });
    Fuzz::new(seed, seeds.collect(), peft::file("llama_lora", "base/model.safetensors"))
}

#[test]
fn no_file_harms() {
    let mut fuzz = fuzzer(1);
    for _ in 0..100_000 {
        fuzz.run();
    }
    let reached = fuzz.reached;
    // Otherwise it would be testing the first check alone.
    assert!(reached.headers > 20_000 && reached.adapters > 10_000 && reached.written > 2_000, "{reached:?}");
}

#[test]
#[ignore = "hours; see above"]
fn no_file_harms_at_length() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let mut fuzz = fuzzer(number("FUZZ_SEED", 1));
    let (start, mut slowest) = (std::time::Instant::now(), 0.0f64);
    for _ in 0..number("FUZZ_RUNS", 10_000_000) {
        let run = std::time::Instant::now();
        fuzz.run();
        slowest = slowest.max(run.elapsed().as_secs_f64());
    }
    println!("{:?} in {:.0} s, the slowest {slowest:.3} s", fuzz.reached, start.elapsed().as_secs_f64());
}
