//! Scripts, their start and the lab's losses for `tests/fixtures/go_on_in_python.py`:
//! `cargo run --example go_on -- FOLDER`. One folder per method and task.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use lora_playground::config::{Config, Task};
use lora_playground::lab::prepare::{Source, prepare};
use lora_playground::lab::{Lab, open, python};
use lora_playground::task::text::small;
use pollster::block_on;

const STEPS: usize = 40;
const LANES: &str = r#"[{"method":"full"},{"method":"lora","rank":4,"alpha":8},
    {"method":"lora","rank":8,"alpha":4,"rslora":true},{"method":"molora","experts":4,"rank":2,"alpha":4},
    {"method":"molora","experts":4,"rank":2,"alpha":4,"top_k":2,"renormalize":true,"balance":{"kind":"switch","coefficient":0.05}},
    {"method":"mor1e","experts":8,"alpha":2,"gate":"pooled"},
    {"method":"mor1e","experts":4,"alpha":2,"gate":"token","balance":{"kind":"entropy","coefficient":0.05}}]"#;

/// A language model's, which have rates of their own.
const OF_TEXT: &str = "task=text&batch=2&sequence=32&languages=rus~swh&total=100&warmup=10&lanes=molora.n4.r2.a4.lr0.02~mor1e.n4.a2.running.q_proj-down_proj.lr0.01~lora.r4.a8.l1-2.lr0.01~full.lr0.002";

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
        write(&mut lab, &folder)?;
    }
    let config = Config::from_query(OF_TEXT)?;
    let Task::Text(text) = &config.task else { return Err("the task is text".into()) };
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/www/data");
    let file = async |name: &str| {
        fs::read(format!("{data}/{name}")).map_err(|error| lora_playground::error::Error::Json(error.to_string()))
    };
    let mut lab = Lab::new(config.clone(), block_on(small(text, 1, file))?.0, None)?;
    let folder = |lane: usize| out.join(format!("text_{lane}_{}", config.lanes[lane].method.name));
    write(&mut lab, &folder)?;
    for lane in 0..config.lanes.len() {
        let base = folder(lane).join("base");
        fs::create_dir_all(&base)?;
        for name in ["config.json", "model.safetensors"] {
            fs::copy(format!("{data}/lm/{name}"), base.join(name))?;
        }
    }
    Ok(())
}

fn write(lab: &mut Lab, folder: &dyn Fn(usize) -> PathBuf) -> Result<(), Box<dyn Error>> {
    let lanes = 0..lab.config.lanes.len();
    for lane in lanes.clone() {
        fs::create_dir_all(folder(lane))?;
        fs::write(folder(lane).join("train.py"), python::script(&lab.config, lane)?)?;
        fs::write(folder(lane).join("start.safetensors"), block_on(python::start(lab, lane))?)?;
    }
    block_on(lab.train(STEPS))?;
    for lane in lanes {
        fs::write(folder(lane).join("losses.json"), serde_json::to_string(lab.losses(lane))?)?;
    }
    Ok(())
}
