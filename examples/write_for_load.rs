//! Lanes of the small language model after a few steps, in files that PEFT has no form for, for `tests/fixtures/lm/load_saved.py`:
//! `cargo run --example write_for_load -- FOLDER` writes each lane in F32 and F16 with the `load.py` that comes with it, the base, a
//! text, and the bits per byte of that text by the lab and by the file read again.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use lora_playground::config::{Config, Task};
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::lab::export::parameters;
use lora_playground::lab::saved::reread;
use lora_playground::lab::{Lab, python};
use lora_playground::task::text::{Passages, small, small_model};
use pollster::block_on;

const STEPS: usize = 20;
const SEQUENCE: usize = 64;
const PASSAGES: usize = 40;
const RUN: &str = "task=text&batch=2&sequence=64&languages=deu_1996&total=100&warmup=2&lanes=mor1e.n4.a2.running.lr0.01~mor1e.n2.h4.token.q_proj-down_proj.lr0.01~molora.n4.r2.a4.k2.lr0.02~lora.r8.a16.binary.lr0.02~lora.r4.a8.rs.ternary.lr0.02~molora.n3.r2.a4.ternary.l1-2.lr0.02~full.lr0.002";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: write_for_load FOLDER")?);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("www/data");
    let file = async |name: &str| {
        fs::read(data.join(name)).map_err(|error| lora_playground::error::Error::Json(error.to_string()))
    };
    let base = out.join("base");
    fs::create_dir_all(&base)?;
    for name in ["config.json", "model.safetensors"] {
        fs::copy(data.join("lm").join(name), base.join(name))?;
    }
    let config = Config::from_query(RUN)?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let (task, texts) = block_on(small(text, 1, file))?;
    let (_, held) = texts.held.first().ok_or("no held-out text")?;
    let bytes: Vec<u8> = held.iter().map(|&token| token as u8).collect();
    // A few bytes more than whole passages, up to where a character ends: the script reads text.
    let (passage, read) = (PASSAGES * SEQUENCE, bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()));
    let end = (passage..read.len()).find(|&at| read.is_char_boundary(at)).ok_or("too little text")?;
    fs::write(out.join("text.txt"), &read[..end])?;
    let held = &held[..passage];
    let passages = Passages::of(held, SEQUENCE, texts.begin);
    let model = block_on(small_model(file))?;
    let weights = Memory::new("model.safetensors", fs::read(data.join("lm/model.safetensors"))?);
    let weights = block_on(Checkpoint::open(vec![weights]))?;
    let mut lab = Lab::new(config.clone(), task, None)?;
    block_on(lab.train(STEPS))?;
    for (at, lane) in config.lanes.iter().enumerate() {
        let bits = block_on(lab.bits(Some(at), &passages))?;
        for (dtype, name) in [(Dtype::F32, "f32"), (Dtype::F16, "f16")] {
            let folder = out.join(format!("{at}_{}_{name}", lane.to_text()));
            fs::create_dir_all(&folder)?;
            let (script, loader) = python::loader(&lab, at).ok_or("the lane has no script")?;
            let own = (format!("{}.safetensors", lane.method.name), block_on(parameters(&lab, at, dtype))?);
            let mut again =
                block_on(reread(std::slice::from_ref(&own), (model.clone(), &weights), (2, SEQUENCE), None))?;
            let read = block_on(again.bits(&passages))?;
            fs::write(folder.join(script), loader)?;
            fs::write(folder.join(&own.0), &own.1)?;
            fs::write(folder.join("expected.json"), serde_json::json!({ "lab": bits, "read": read }).to_string())?;
        }
    }
    Ok(())
}
