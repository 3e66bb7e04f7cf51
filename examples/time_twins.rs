//! How long each of the CPU's kernels takes in a step of the language model. Writes the table of docs/PERFORMANCE.md:
//!
//!     cargo run --release --example time_twins [lora | molora]

use std::collections::BTreeMap;
use std::time::Instant;

use lora_playground::config::{Config, Task};
use lora_playground::error::Error;
use lora_playground::exec::cpu::Cpu;
use lora_playground::graph::Step;
use lora_playground::net::{compile, share};
use lora_playground::task::text::small;
use serde_json::json;

const WARM_UP: usize = 2;
const STEPS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lane = match std::env::args().nth(1).as_deref() {
        None | Some("lora") => json!({ "method": "lora", "rank": 8, "alpha": 16 }),
        Some("molora") => json!({ "method": "molora", "experts": 4, "rank": 2, "alpha": 4 }),
        Some(other) => return Err(format!("{other}: give lora or molora").into()),
    };
    let config = Config::from_value(&json!({ "version": 1, "task": { "kind": "text" }, "lanes": [lane] }))?;
    let Task::Text(text) = &config.task else { return Err("the task is no text".into()) };
    let file = async |name: &str| {
        let problem = |error: std::io::Error| Error::File { file: name.into(), problem: error.to_string() };
        std::fs::read(format!("www/data/{name}")).map_err(problem)
    };
    let (task, _) = pollster::block_on(small(text, 1, file))?;
    let lane = || compile(&task, &config.lanes[0], &config.optimizer);
    let passes = lane().train;
    let mut cpu = Cpu::<f32>::new(share(&task));
    cpu.set_lane(0, lane(), &vec![0.01; lane().padded]);
    let step = Step { rate: 1e-4, decay: 1.0, inv_sqrt_bias2: 1.0, ..Step::default() };
    let mut milliseconds: BTreeMap<&str, f64> = BTreeMap::new();
    for run in 0..WARM_UP + STEPS {
        for pass in &passes {
            let begun = Instant::now();
            cpu.pass(0, pass, &step);
            let taken = begun.elapsed().as_secs_f64() * 1e3 / STEPS as f64;
            *milliseconds.entry(pass.kernel.name).or_default() += if run < WARM_UP { 0.0 } else { taken };
        }
    }
    let all: f64 = milliseconds.values().sum();
    let mut rows: Vec<_> = milliseconds.into_iter().collect();
    rows.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    println!("{all:.1} ms a step");
    for (kernel, taken) in rows {
        println!("{:5.1} %  {taken:7.2} ms  {kernel}", 100.0 * taken / all);
    }
    Ok(())
}
