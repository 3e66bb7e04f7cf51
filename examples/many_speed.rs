//! One batch of 32 texts with an adapter each against the same texts one at a time, and against merged models one at a time:
//! tokens (which are bytes here) per second, by how many tokens of each text a run reads.
//! `cargo run --release --example many_speed`.

use std::error::Error;
use std::fs;
use std::time::Instant;

use lora_playground::config::Config;
use lora_playground::exec::gpu::Device;
use lora_playground::files::Memory;
use lora_playground::lab::Lab;
use lora_playground::lab::library::Library;
use lora_playground::lab::many::Many;
use lora_playground::task::text::{Model, Passages, given, small_model};
use pollster::block_on;

const BATCH: usize = 32;
const TOKENS: [usize; 4] = [1, 8, 32, 128];
/// Seconds that each is timed for, three times; the best counts.
const SECONDS: f64 = 1.0;

type Done<T> = Result<T, Box<dyn Error>>;

fn data(name: &str) -> lora_playground::error::Result<Vec<u8>> {
    let path = format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).map_err(|error| lora_playground::error::Error::Json(format!("{path}: {error}")))
}

fn base() -> Done<Model> {
    Ok(block_on(small_model(async |name: &str| data(name)))?)
}

/// Tokens per second of `run`, which reads `tokens`.
fn speed(tokens: usize, mut run: impl FnMut() -> lora_playground::error::Result<()>) -> Done<f64> {
    // Pipelines are compiled and buffers touched.
    run()?;
    let mut best = 0.0_f64;
    for _ in 0..3 {
        let (begun, mut runs) = (Instant::now(), 0);
        while begun.elapsed().as_secs_f64() < SECONDS {
            run()?;
            runs += 1;
        }
        best = best.max((runs * tokens) as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(best)
}

fn main() -> Done<()> {
    let library = block_on(Library::open(Memory::new("adapters.safetensors", data("lm/adapters.safetensors")?)))?;
    for gpu in [false, true] {
        for sequence in TOKENS {
            let device = || -> Done<Option<Device>> { Ok(if gpu { Some(block_on(Device::open())?) } else { None }) };
            let passages = |count: usize| Passages { x: vec![101; count * sequence], y: vec![32; count * sequence] };
            let (all, one) = (passages(BATCH), passages(1));
            let many = Many::new(base()?, &library, (BATCH, sequence), device()?)?;
            let own: Vec<_> = (0..BATCH).map(Some).collect();
            let together = speed(BATCH * sequence, || {
                many.choose(&own)?;
                block_on(many.nats(&all)).map(drop)
            })?;
            drop(many);
            let single = Many::new(base()?, &library, (1, sequence), device()?)?;
            let alone = speed(BATCH * sequence, || {
                (0..BATCH).try_for_each(|adapter| {
                    single.choose(&[Some(adapter)])?;
                    block_on(single.nats(&one)).map(drop)
                })
            })?;
            drop(single);
            // A merged model costs what the base costs. All 32 would lie in memory, so that nothing is uploaded between.
            let config = Config::from_query(&format!("task=text&sequence={}&batch=1&lanes=full", sequence.max(2)))?;
            let zeros = vec![0; sequence];
            let mut lab = Lab::new(config, given(base()?, (1, sequence), &zeros, &zeros)?, device()?)?;
            let merged =
                speed(BATCH * sequence, || (0..BATCH).try_for_each(|_| block_on(lab.nats(None, &one)).map(drop)))?;
            println!(
                "{:>6}  {sequence:>3} tokens each: together {together:>8.0}, one at a time {alone:>8.0} ({:.1} ×), merged one at a time {merged:>8.0} ({:.1} ×) tokens/s",
                if gpu { "webgpu" } else { "cpu" },
                together / alone,
                together / merged,
            );
        }
    }
    Ok(())
}
