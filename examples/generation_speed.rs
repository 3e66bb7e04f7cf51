//! How fast each lane of the language task writes: bytes per second beside nothing else, beyond the end of a passage.
//! `cargo run --release --example generation_speed`.

use std::error::Error;
use std::fs;
use std::time::Instant;

use lora_playground::config::{Config, Task};
use lora_playground::lab::Lab;
use lora_playground::lab::generate::Sampling;
use lora_playground::task::text::{Tokenizer, small};
use pollster::block_on;

const BYTES: usize = 256;
const LANES: [&str; 4] = ["full", "lora.r8", "molora.n4.r2", "mor1e.n8.running"];

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::from_query(&format!("task=text&lanes={}", LANES.join("~")))?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let file = async |name: &str| {
        fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR")))
            .map_err(|error| lora_playground::error::Error::Json(error.to_string()))
    };
    let task = block_on(small(text, 1, file))?.0;
    let lab = Lab::new(config.clone(), task, None)?;
    for lane in std::iter::once(None).chain((0..LANES.len()).map(Some)) {
        let prompt = "Alle Menschen sind frei und gleich";
        let mut generation = block_on(lab.generate(lane, prompt, &Tokenizer::Bytes, Sampling::default()))?;
        let begun = Instant::now();
        (0..BYTES).for_each(|_| drop(generation.next_text()));
        let name = lane.map_or("base", |lane| LANES[lane]);
        println!("{name}: {:.0} bytes/s", BYTES as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(())
}
