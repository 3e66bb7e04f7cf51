//! A LoRA lane of the small language model after a few steps, as files for `tests/fixtures/lm/load_language_adapter.py`:
//! `cargo run --example write_language_adapter -- FOLDER` writes PEFT's folder, the merged base, and the logits that the lab
//! gives with the lane on a passage.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use lora_playground::config::{Config, Task};
use lora_playground::lab::{Lab, export};
use lora_playground::task::text::{Passages, small};
use pollster::block_on;

const STEPS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_language_adapter FOLDER")?);
    fs::create_dir_all(&out)?;
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/www/data/");
    let config = Config::from_json(
        r#"{"version":1,"task":{"kind":"text"},"lanes":[{"method":"lora","rank":8,"alpha":16,"lr":0.01}],
            "schedule":{"warmup":2,"total":200}}"#,
    )?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let file = async |name: &str| fs::read(format!("{data}{name}")).map_err(|error| missing(name, &error));
    let (task, _) = block_on(small(text, 1, file))?;
    let passages = Passages { x: task.x[..64].iter().map(|&v| v as u32).collect(), y: vec![0; 64] };
    let mut lab = Lab::new(config.clone(), task, None)?;
    block_on(lab.train(STEPS))?;
    let files = block_on(export::peft(&lab, 0))?;
    let logits = block_on(lab.logits(Some(0), &passages))?;
    fs::write(out.join("adapter_model.safetensors"), &files.adapter)?;
    fs::write(out.join("adapter_config.json"), &files.config)?;
    fs::write(out.join("expected.json"), serde_json::json!({ "x": passages.x, "logits": logits }).to_string())?;
    fs::create_dir_all(out.join("merged"))?;
    fs::write(out.join("merged/model.safetensors"), block_on(export::merged_model(&lab, 0))?)?;
    fs::copy(format!("{data}lm/config.json"), out.join("merged/config.json"))?;
    Ok(())
}

fn missing(name: &str, error: &std::io::Error) -> lora_playground::error::Error {
    lora_playground::error::Error::File { file: name.into(), problem: error.to_string() }
}
