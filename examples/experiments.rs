//! Runs the experiments and writes `docs/EXPERIMENTS.md` with its figures, and `www/data/recorded.json`, which the page
//! shows until a claim is measured there: `cargo xtask experiments`. On the GPU, with
//! `--backend gpu`, it shows what was measured and writes nothing: the page's verdicts must not depend on a machine. With
//! `--new`, only what has no record is measured, and the rest is as it is recorded.
//! Everything that is decided is decided in `lora_playground::experiments`; this only reads, times and writes.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::Instant;

use lora_playground::config::BackendChoice;
use lora_playground::experiments::report::{Outcome, markdown};
use lora_playground::experiments::{Experiment, FILES, Inputs, Prose, SEEDS, Where, all, judge};
use lora_playground::studio::record::{self, Record};

/// What was asked for on the command line.
struct Asked {
    only: Option<String>,
    /// Only those that have no record are measured; the others are as they are recorded.
    new: bool,
    backend: BackendChoice,
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Asked { only, new, backend } = asked(std::env::args().skip(1))?;
    let recorded = if new { std::fs::read(root.join("www/data/recorded.json"))? } else { b"[]".to_vec() };
    let mut recorded = record::read(&all(), &recorded).into_iter();
    let digits = std::fs::read_to_string(root.join("www/data/digits.csv"))?;
    let read = |name: &str| Ok((name.to_owned(), std::fs::read(root.join("www/data").join(name))?));
    let files: BTreeMap<String, Vec<u8>> = FILES.into_iter().map(read).collect::<std::io::Result<_>>()?;
    let prose = Prose::read(&std::fs::read(root.join("www/data/claims.json"))?)?;
    let images = root.join("docs/img/experiments");
    let written = backend == BackendChoice::Cpu;
    std::fs::create_dir_all(&images)?;
    let begun = Instant::now();
    let (mut outcomes, mut records) = (Vec::new(), Vec::new());
    for experiment in all().into_iter().filter(|e| only.as_deref().is_none_or(|id| id == e.id)) {
        let started = Instant::now();
        let record = match recorded.next().flatten().filter(|_| only.is_none()) {
            Some(record) => record,
            None => {
                let seeds = seeds(&experiment, (&digits, &files), backend)?;
                Record { place: Where::Cpu, seconds: started.elapsed().as_secs_f64(), seeds }
            }
        };
        let outcome = Outcome { measured: judge(&experiment, &record.seeds), experiment };
        let e = &outcome.experiment;
        println!("  {:<18} {:<14} {:>5.1} s", e.id, outcome.verdict().to_string(), record.seconds);
        records.push(Some(record));
        if let Some(svg) = outcome.figure(&prose[e].title).filter(|_| written) {
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
    if only.is_none() && written {
        std::fs::write(root.join("docs/EXPERIMENTS.md"), markdown(&outcomes, &prose))?;
        let experiments: Vec<Experiment> = outcomes.into_iter().map(|outcome| outcome.experiment).collect();
        std::fs::write(root.join("www/data/recorded.json"), record::write(&experiments, &records))?;
        println!(
            "  docs/EXPERIMENTS.md and www/data/recorded.json are written, after {:.0} s",
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// The seeds do not depend on each other, so each has a thread.
fn seeds(
    experiment: &Experiment,
    (digits, files): (&str, &BTreeMap<String, Vec<u8>>),
    backend: BackendChoice,
) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let run = |seed| {
        pollster::block_on(async move {
            let inputs = Inputs::new(digits.to_owned()).holding(files.clone()).on(backend).await?;
            experiment.measure(seed, &inputs).await
        })
    };
    thread::scope(|scope| {
        let threads: Vec<_> = SEEDS.into_iter().map(|seed| scope.spawn(move || run(seed))).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().map_err(|_| "a measurement panicked")?.map_err(Into::into));
        joined.collect()
    })
}

fn asked(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let ids: Vec<_> = all().iter().map(|e| e.id).collect();
    let mut asked = Asked { only: None, new: false, backend: BackendChoice::Cpu };
    while let Some(flag) = args.next() {
        if flag == "--new" {
            asked.new = true;
            continue;
        }
        match (flag.as_str(), args.next()) {
            ("--only", Some(id)) if ids.contains(&id.as_str()) => asked.only = Some(id),
            ("--backend", Some(name)) if name == "cpu" => asked.backend = BackendChoice::Cpu,
            ("--backend", Some(name)) if name == "gpu" => asked.backend = BackendChoice::WebGpu,
            _ => {
                let ids = ids.join(", ");
                return Err(format!("experiments takes --backend cpu or gpu, --new, and --only with one of {ids}"));
            }
        }
    }
    Ok(asked)
}
