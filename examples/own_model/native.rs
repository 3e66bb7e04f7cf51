//! A model's folder opened and trained without a page: how long it takes, and how much memory. A folder of SmolLM-135M's
//! dimensions is written by `node bench/large.mjs --write FOLDER`.
//! `cargo run --release --example own_model -- FOLDER [cpu|webgpu] [batch] [sequence] [steps]`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use lora_playground::args::{Model as Which, Text};
use lora_playground::config::{BackendChoice, Config};
use lora_playground::files::source::Disk;
use lora_playground::lab::{self, Lab};
use lora_playground::task::text::on_texts;
use lora_playground::task::text::own::{Own, open};
use pollster::block_on;

/// Megabytes that the process holds, and the most that it ever held.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let of = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
    };
    let [now, most] = ["VmRSS", "VmHWM"].map(|key| of(key).unwrap_or(f64::NAN));
    format!("{now:.0} MiB held, at most {most:.0}")
}

pub fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let backend = if arguments.next().as_deref() == Some("webgpu") { "webgpu" } else { "cpu" };
    let mut number = |otherwise: usize| arguments.next().map_or(Ok(otherwise), |word| word.parse());
    let (batch, sequence, steps) = (number(1)?, number(64)?, number(3)?);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.is_file() {
            files.push((path.to_string_lossy().into_owned(), Disk::open(&path)?));
        }
    }
    let text = std::env::temp_dir().join("own_model.txt");
    fs::write(&text, "All human beings are born free and equal in dignity and rights. ".repeat(400))?;
    files.push(("own.txt".into(), Disk::open(&text)?));
    let begun = Instant::now();
    let mut own = Own::default();
    let problems = block_on(own.take(files, open));
    if !problems.is_empty() {
        return Err(problems.join("; ").into());
    }
    println!("its header after {:.2} s: {:?}", begun.elapsed().as_secs_f64(), own.about(vec![]).model);
    let text = Text { model: Which::Custom, languages: vec!["own".into()], sequence, batch, cheat: false };
    let texts = own.texts(&text)?;
    let model = block_on(own.read(sequence, async |_| Ok(())))?.ok_or("the folder has no model")?;
    let task = on_texts(model, &text, &texts, 1)?;
    println!("its weights after {:.2} s, {}", begun.elapsed().as_secs_f64(), memory());
    let json = format!(
        r#"{{"version":1,"backend":"{backend}","task":{{"kind":"text","model":"custom","languages":["own"]}},
            "lanes":[{{"method":"lora","rank":8,"lr":0.001}}],"schedule":{{"warmup":0,"total":1000}}}}"#
    );
    let choice = if backend == "cpu" { BackendChoice::Cpu } else { BackendChoice::WebGpu };
    let device = block_on(lab::open(choice))?.0;
    let mut lab = Lab::new(Config::from_json(&json)?, task, device)?;
    block_on(lab.train(1))?;
    println!("a first step on {} after {:.2} s, {}", lab.adapter(), begun.elapsed().as_secs_f64(), memory());
    let begun = Instant::now();
    for _ in 0..steps {
        block_on(lab.train(1))?;
    }
    let each = begun.elapsed().as_secs_f64() / steps as f64;
    println!("a step of {batch} × {sequence} tokens takes {each:.2} s; losses {:.3?}; {}", lab.losses(0), memory());
    Ok(())
}
