//! Runs the experiments on the CPU and writes `docs/EXPERIMENTS.md` with its figures: `cargo xtask experiments`.
//! Everything that is decided is decided in `lora_playground::experiments`; this only reads, times and writes.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Instant;

use lora_playground::experiments::report::{Outcome, markdown};
use lora_playground::experiments::{Experiment, Inputs, SEEDS, all, judge};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = only(std::env::args().skip(1))?;
    let inputs = Inputs { digits: std::fs::read_to_string(root.join("www/data/digits.csv"))? };
    let images = root.join("docs/img/experiments");
    std::fs::create_dir_all(&images)?;
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for experiment in all().into_iter().filter(|e| only.as_deref().is_none_or(|id| id == e.id)) {
        let started = Instant::now();
        let measured = judge(&experiment, &seeds(&experiment, &inputs)?);
        let outcome = Outcome { experiment, measured };
        let e = &outcome.experiment;
        println!("  {:<18} {:<14} {:>5.1} s", e.id, outcome.verdict().to_string(), started.elapsed().as_secs_f64());
        if let Some(svg) = outcome.figure() {
            std::fs::write(images.join(format!("{}.svg", e.id)), svg)?;
        }
        if only.is_some() {
            for (quantity, m) in e.quantities.iter().zip(&outcome.measured) {
                println!("    {:<50} {:>12.6} ± {:.6}  ({})", quantity.name, m.mean, m.spread, quantity.expected);
            }
        }
        outcomes.push(outcome);
    }
    // One experiment alone is for looking at; the page holds all of one run.
    if only.is_none() {
        std::fs::write(root.join("docs/EXPERIMENTS.md"), markdown(&outcomes))?;
        println!("  docs/EXPERIMENTS.md is written, after {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// The seeds do not depend on each other, so each has a thread.
fn seeds(experiment: &Experiment, inputs: &Inputs) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    thread::scope(|scope| {
        let run = |seed| scope.spawn(move || pollster::block_on(experiment.measure(seed, inputs)));
        let threads: Vec<_> = SEEDS.into_iter().map(run).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a measurement panicked")?.map_err(Into::into));
        joined.collect()
    })
}

fn only(mut args: impl Iterator<Item = String>) -> Result<Option<String>, String> {
    let ids: Vec<_> = all().iter().map(|e| e.id).collect();
    match (args.next().as_deref(), args.next(), args.next()) {
        (None, ..) => Ok(None),
        (Some("--only"), Some(id), None) if ids.contains(&id.as_str()) => Ok(Some(id)),
        _ => Err(format!("experiments takes nothing, or --only with one of {}", ids.join(", "))),
    }
}
