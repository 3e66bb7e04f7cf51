//! Four new languages at once, as docs/LANGUAGE.md has them: held-out bits per byte of every method after 200 steps, for three
//! seeds and their mean. `cargo run --release --example language_table` takes some minutes; `-- tables` behind it takes lanes that
//! train embedding and head too.

use std::error::Error;
use std::fs;

use lora_playground::config::{Config, Task};
use lora_playground::lab::Lab;
use lora_playground::task::text::{Passages, small};
use pollster::block_on;

const SEEDS: [u32; 3] = [1, 2, 3];
const STEPS: usize = 200;
const NEW: [&str; 4] = ["deu_1996", "swh", "ell_monotonic", "rus"];
const OLD: [&str; 5] = ["eng", "fra", "spa", "por_PT", "ita"];
/// Name, and the lane in a link.
const METHODS: [(&str, &str); 8] = [
    ("LoRA r8 at 0.02", "lora.r8.a16.lr0.02"),
    ("MoLoRA 4 × 2 at 0.02", "molora.n4.r2.a4.lr0.02"),
    ("full at 0.002", "full.lr0.002"),
    ("LoRA r10 at 0.02", "lora.r10.a20.lr0.02"),
    ("MoR1E 8 running at 0.02", "mor1e.n8.a2.running.lr0.02"),
    ("MoR1E 8 pooled (leaks) at 0.02", "mor1e.n8.a2.lr0.02"),
    ("LoRA r8 at 0.01", "lora.r8.a16.lr0.01"),
    ("LoRA r10 at 0.01", "lora.r10.a20.lr0.01"),
];

/// The same of what Greek takes.
const TABLES: [(&str, &str); 5] = [
    ("LoRA r8", "lora.r8.a16.lr0.01"),
    ("LoRA r8 and embedding", "lora.r8.a16.embed_tokens.lr0.01"),
    ("LoRA r8 and head", "lora.r8.a16.lm_head.lr0.01"),
    ("LoRA r8, embedding and head", "lora.r8.a16.embed_tokens-lm_head.lr0.01"),
    ("full, embedding and head", "full.embed_tokens-lm_head.lr0.002"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let tables = std::env::args().nth(1).is_some_and(|word| word == "tables");
    let all: &[(&str, &str)] = if tables { &TABLES } else { &METHODS };
    let lanes: Vec<&str> = all.iter().map(|&(_, lane)| lane).collect();
    let mut sums = vec![[0.0f64; NEW.len() + OLD.len()]; all.len()];
    for seed in SEEDS {
        let query = format!(
            "task=text&cheat=true&languages={}&seed={seed}&warmup=20&total={STEPS}&lanes={}",
            NEW.join("~"),
            lanes.join("~")
        );
        let config = Config::from_query(&query)?;
        let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
        let file = async |name: &str| {
            fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR")))
                .map_err(|error| lora_playground::error::Error::Json(error.to_string()))
        };
        let (task, texts) = block_on(small(text, seed.into(), file))?;
        let mut lab = Lab::new(config.clone(), task, None)?;
        block_on(lab.train(STEPS))?;
        for (lane, sums) in sums.iter_mut().enumerate() {
            let mut row = Vec::new();
            for (code, sum) in NEW.iter().chain(&OLD).zip(sums) {
                let held = texts.held.iter().find(|(other, _)| other == code).map_or(&[][..], |(_, held)| held);
                let nats = block_on(lab.nats(Some(lane), &Passages::of(held, text.sequence, 0)))?;
                let bits = nats.iter().map(|&v| f64::from(v)).sum::<f64>() / nats.len() as f64 / std::f64::consts::LN_2;
                *sum += bits / SEEDS.len() as f64;
                row.push(format!("{bits:.2}"));
            }
            println!("seed {seed} | {} | {}", all[lane].0, row.join(" | "));
        }
    }
    println!("\n| mean of three seeds | German | Swahili | Greek | Russian | mean of four | base languages (5) |");
    for ((name, _), sums) in all.iter().zip(&sums) {
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let cells: Vec<String> = sums[..NEW.len()].iter().map(|bits| format!("{bits:.2}")).collect();
        let (new, old) = (mean(&sums[..NEW.len()]), mean(&sums[NEW.len()..]));
        println!("| {name} | {} | {new:.3} | {old:.3} |", cells.join(" | "));
    }
    Ok(())
}
