//! Going on in Python: a script that trains a lane's adapter with PyTorch, PEFT and Accelerate, and the values it starts
//! from; and one that puts what was saved onto a model of transformers. Knows nothing of where they go.

use std::collections::BTreeMap;

use serde_json::json;

use super::Lab;
use super::tensors::TensorInfo;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::Dtype;
use crate::files::write::{Planned, Writer};
use crate::lang::{marked, tr};
use crate::task::{LossKind, Targets};

/// What the script is saved as that puts a file onto a model.
pub const LOADER: &str = "load.py";
const TRAIN: &str = include_str!("train.py");
const LOAD: &str = include_str!("load.py");
/// What both have.
const METHODS: &str = include_str!("methods.py");

/// `train.py` for one lane of `config`.
///
/// # Errors
/// `Error::Missing` if there is no such lane, `Error::Config` where it is more than the script's four methods.
pub fn script(config: &Config, lane: usize) -> Result<String> {
    let chosen = config.lanes.get(lane).ok_or_else(|| Error::Missing {
        what: marked!("lane"),
        name: lane.to_string(),
        hint: tr!("the configuration has {}", config.lanes.len()),
    })?;
    if !chosen.is_scripted() {
        return Err(Error::Config {
            key: format!("lanes[{lane}]"),
            value: chosen.to_text(),
            allowed: tr!("the script has the four methods alone, without variants and their options"),
        });
    }
    let own = Config { lanes: vec![chosen.clone()], ..config.clone() };
    let train = TRAIN.replace("@METHODS@", METHODS.trim_end());
    Ok(train.replace("@CONFIG@", &format!("{:#}", own.to_value())))
}

/// `load.py`, by name, for the file that a language model's lane is saved as (`export::parameters`); `None` where PEFT opens what is
/// saved, and for what the script has not.
pub fn loader(lab: &Lab, lane: usize) -> Option<(String, Vec<u8>)> {
    let own = lab.lane(lane);
    let is_text = lab.task.network.modules().next().is_some();
    let text = LOAD.replace("@METHODS@", METHODS.trim_end());
    (is_text && own.peft().is_none() && own.is_loaded())
        .then(|| (LOADER.to_owned(), text.replace("@FILE@", &format!("{}.safetensors", own.method.name)).into_bytes()))
}

/// `start.safetensors`, which `train.py` reads: data, base network, and a lane's parameters as they are now. Before the
/// first step, the script's losses are the lab's.
///
/// # Errors
/// `Error::Missing` if there is no such lane.
pub async fn start(lab: &Lab, lane: usize) -> Result<Vec<u8>> {
    lab.check_lane(lane)?;
    let task = &lab.task;
    let (own, is_text) = (lab.lane(lane), task.network.modules().next().is_some());
    let rows = [task.batches, task.batch_sequences, task.sequence];
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    tensors.push(("x".into(), [&rows[..], &[task.network.inputs()]].concat(), task.x.clone()));
    tensors.push(match &task.y {
        Targets::Dense(y) => ("y".into(), [&rows[..], &[task.network.outputs()]].concat(), y.clone()),
        Targets::Classes(y) => ("y".into(), rows.to_vec(), y.iter().map(|&class| class as f32).collect()),
    });
    for (l, (site, base)) in task.network.sites().iter().zip(&task.base).enumerate() {
        // A language model's base is transformers'.
        if !is_text {
            tensors.push((format!("{}.base.weight", site.name), vec![site.outputs, site.inputs], base.weight.to_vec()));
            tensors.push((format!("{}.base.bias", site.name), vec![site.outputs], base.bias.clone()));
        }
        if own.adapts(site) {
            for TensorInfo { name, shape } in lab.held(lane, l) {
                let values = lab.tensor(lane, &name).await?;
                tensors.push((name, shape, values));
            }
        }
    }
    let layers = task.network.sites().iter().enumerate().map(
        |(l, site)| json!({ "inputs": site.inputs, "outputs": site.outputs, "gelu": task.network.gelu_follows(l) }),
    );
    let loss = if task.loss == LossKind::Mse { "mse" } else { "cross_entropy" };
    let adapted = task.network.sites().iter().filter(|site| own.adapts(site)).map(|site| site.name.as_str());
    let adapted = is_text.then(|| adapted.collect::<Vec<_>>());
    let about = json!({ "layers": layers.collect::<Vec<_>>(), "loss": loss, "adapted": adapted }).to_string();
    let metadata = BTreeMap::from([("about".to_owned(), about)]);
    let plan: Vec<Planned> = tensors
        .iter()
        .map(|(name, shape, _)| Planned { name: name.clone(), dtype: Dtype::F32, shape: shape.clone() })
        .collect();
    let mut bytes = Vec::new();
    let mut writer = Writer::begin(&mut bytes, &plan, &metadata).await?;
    for (_, _, values) in &tensors {
        writer.values(Dtype::F32, values).await?;
    }
    writer.end()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_holds_its_lane_only() {
        let config = Config::default();
        let text = script(&config, 1).unwrap();
        let from = text.find("json.loads(r\"\"\"\n").unwrap() + 15;
        let json = &text[from..from + text[from..].find("\n\"\"\")").unwrap()];
        let own = Config::from_json(json).unwrap();
        assert_eq!((own.lanes.len(), &own.lanes[0]), (1, &config.lanes[1]));
        assert!(!text.contains("@CONFIG@") && text.contains("class MoLoRA"));
        assert!(script(&config, 9).unwrap_err().to_string().contains("no lane \"9\""));
        let config = Config::from_query("all&lanes=mor1e.n8.prototype").unwrap();
        assert!(script(&config, 0).unwrap_err().to_string().starts_with("lanes[0]: mor1e.n8.prototype is not allowed"));
    }
}
