//! The adapter that *Adapters* opens without a file of the visitor's: a LoRA of the small language model, trained for a few
//! hundred steps at a rate that changes its weights by per cent, as adapters of large models do. `cargo run --release
//! --example example_adapter` writes it to `www/data/adapter/example/`, in F16, and prints what came out.

use std::error::Error;
use std::fs;
use std::path::Path;

use lora_playground::config::{Config, Task};
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::lab::{Lab, export};
use lora_playground::peft::Adapter;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::overview::overview;
use lora_playground::task::text::{Passages, small};
use pollster::block_on;

const LANGUAGE: &str = "swh";
const LANE: &str = "lora.r8.a16.lr0.0002";
const STEPS: usize = 200;
const PASSAGE: usize = 64;
const BASE: &str = "lora-playground/small, data/lm/model.safetensors";

fn main() -> Result<(), Box<dyn Error>> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/data");
    let query = format!("task=text&languages={LANGUAGE}&sequence={PASSAGE}&warmup=20&total={STEPS}&lanes={LANE}");
    let config = Config::from_query(&query)?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let file = async |name: &str| fs::read(data.join(name)).map_err(|error| missing(name, &error));
    let (task, texts) = block_on(small(text, 1, file))?;
    let mut lab = Lab::new(config.clone(), task, None)?;
    block_on(lab.train(STEPS))?;

    let held = texts.held.iter().find(|(code, _)| code == LANGUAGE).map_or(&[][..], |(_, held)| held);
    let held = &held[..held.len() / PASSAGE * PASSAGE];
    for (name, lane) in [("base", None), ("adapter", Some(0))] {
        let nats = block_on(lab.nats(lane, &Passages::of(held, PASSAGE, 0)))?;
        let bits = nats.iter().map(|&v| f64::from(v)).sum::<f64>() / nats.len() as f64 / std::f64::consts::LN_2;
        println!("{name:>8}: {bits:.3} bits per byte of {LANGUAGE}, held out");
    }

    let files = block_on(export::peft(&lab, 0))?;
    let whole = block_on(Adapter::open(Memory::new("adapter", files.adapter), Some(files.config.as_bytes())))?;
    let draft = edit(&whole, &Edit { dtype: Some(Dtype::F16), ..Edit::default() })?;
    let mut bytes = Vec::new();
    block_on(draft.write(&mut bytes, &mut |_| true))?;
    let written = draft.config().ok_or("PEFT's configuration is lost")?;
    let mut written: serde_json::Value = serde_json::from_str(&written)?;
    written["base_model_name_or_path"] = BASE.into();
    let written = serde_json::to_string_pretty(&written)?;

    let adapter = block_on(Adapter::open(Memory::new("adapter", bytes.clone()), Some(written.as_bytes())))?;
    let base = Memory::new("base", fs::read(data.join("lm/model.safetensors"))?);
    let base = block_on(Checkpoint::open(vec![base]))?;
    for at in 0.. {
        let Some(row) = block_on(overview(&adapter, Some(&base), at))? else { break };
        println!("{:<40} {:>6.2} %", row.name, 100.0 * row.ratio().ok_or("the base lacks a weight")?);
    }
    fs::write(data.join("adapter/example/adapter_model.safetensors"), &bytes)?;
    fs::write(data.join("adapter/example/adapter_config.json"), written)?;
    println!("{} bytes are written", bytes.len());
    Ok(())
}

fn missing(name: &str, error: &std::io::Error) -> lora_playground::error::Error {
    lora_playground::error::Error::File { file: name.into(), problem: error.to_string() }
}
