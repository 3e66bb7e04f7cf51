//! Scripts, their start and the lab's losses for `tests/fixtures/go_on_in_python.py`:
//! `cargo run --example go_on -- FOLDER`. One folder per method and task.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use lora_playground::config::{Config, Task};
use lora_playground::lab::prepare::{Source, prepare};
use lora_playground::lab::{open, python};
use pollster::block_on;

const STEPS: usize = 40;
const LANES: &str = r#"[{"method":"full"},{"method":"lora","rank":4,"alpha":8},
    {"method":"lora","rank":8,"alpha":4,"rslora":true},{"method":"molora","experts":4,"rank":2,"alpha":4},
    {"method":"molora","experts":4,"rank":2,"alpha":4,"top_k":2,"renormalize":true,"balance":{"kind":"switch","coefficient":0.05}},
    {"method":"mor1e","experts":8,"alpha":2,"gate":"pooled"},
    {"method":"mor1e","experts":4,"alpha":2,"gate":"token","balance":{"kind":"entropy","coefficient":0.05}}]"#;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: go_on FOLDER")?);
    for (name, task) in [
        ("domains", r#"{"kind":"domains"}"#),
        ("digits", r#"{"kind":"digits","domains":["inverted","rotated"],"pretrain":200}"#),
    ] {
        let text = format!(
            r#"{{"version":1,"backend":"cpu","task":{task},"lanes":{LANES},
                "optimizer":{{"lr":0.01,"weight_decay":0.01}},"schedule":{{"warmup":10,"total":100}}}}"#
        );
        let config = Config::from_json(&text)?;
        let source = match config.task {
            Task::Digits(_) => Source::Digits(include_str!("../www/data/digits.csv").to_owned()),
            _ => Source::None,
        };
        let device = block_on(open(config.backend))?.0;
        let mut lab = block_on(prepare(config.clone(), device, source, async |_| ()))?.lab;
        let folder = |lane: usize| out.join(format!("{name}_{lane}_{}", config.lanes[lane].method.name));
        for lane in 0..config.lanes.len() {
            fs::create_dir_all(folder(lane))?;
            fs::write(folder(lane).join("train.py"), python::script(&config, lane)?)?;
            fs::write(folder(lane).join("start.safetensors"), block_on(python::start(&lab, lane))?)?;
        }
        block_on(lab.train(STEPS))?;
        for lane in 0..config.lanes.len() {
            fs::write(folder(lane).join("losses.json"), serde_json::to_string(lab.losses(lane))?)?;
        }
    }
    Ok(())
}
