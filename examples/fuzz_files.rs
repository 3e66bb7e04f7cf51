//! The readers fuzzed for as long as one likes: `cargo run --release --example fuzz_files -- RUNS [SEED]`. Says how far it
//! is, and what it reached; a panic ends it with the run's number before.

#[path = "../tests/common/cases.rs"]
mod cases;
#[path = "../tests/common/fuzz.rs"]
mod fuzz;

use std::error::Error;
use std::time::Instant;

use fuzz::Fuzz;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let runs = numbers.next().ok_or("usage: fuzz_files RUNS [SEED]")??;
    let mut fuzz = Fuzz::of_cases(numbers.next().transpose()?.unwrap_or(1));
    let (start, mut slowest, mut which) = (Instant::now(), 0.0f64, 0);
    for run in 1..=runs {
        let begun = Instant::now();
        fuzz.run();
        let took = begun.elapsed().as_secs_f64();
        if took > slowest {
            (slowest, which) = (took, run);
        }
        if run % 100_000 == 0 || run == runs {
            let elapsed = start.elapsed().as_secs_f64();
            println!("{:?} in {elapsed:.0} s, the slowest, run {which}, {slowest:.3} s", fuzz.reached);
        }
    }
    Ok(())
}
