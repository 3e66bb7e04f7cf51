//! What a written adapter's settings say: its configuration, or the header in its place, as PEFT and diffusers read them. Knows
//! nothing of values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::adapter::Adapter;
use super::config::{AdapterConfig, Init, TOKENS};
use super::draft::{Draft, DraftModule, How, Scalings};
use super::keys::Held;
use super::module::Kind;
use super::settings::{METADATA, Settings};
use crate::files::Source;
use crate::files::write::pytorch;

impl<S: Source> Draft<'_, S> {
    /// The text of `adapter_config.json`; `None` where what it would say is in the tensors' own file.
    pub fn config(&self) -> Option<String> {
        (self.scalings == Scalings::Config).then(|| {
            let mut config = self.raw.clone();
            let all: Vec<_> = self.modules.iter().map(|module| (module.name.as_str(), module)).collect();
            // What is copied has the rank and alpha that the configuration says.
            sizes(&mut config, &all, !self.copies.is_empty());
            let bias = self.modules.iter().any(DraftModule::has_bias);
            let dora = self.modules.iter().any(|m| m.like().magnitudes.is_some());
            let transposed = self.modules.iter().any(|m| m.like().transposed && m.like().kind == Kind::Linear);
            for (key, value) in [
                ("peft_type", json!("LORA")),
                ("use_dora", json!(dora)),
                ("lora_bias", json!(bias)),
                ("fan_in_fan_out", json!(transposed)),
                ("inference_mode", json!(true)),
            ] {
                config.insert(key.into(), value);
            }
            let tokens = self.whole.iter().any(|(_, whole, ..)| whole.held == Held::Rows);
            // Another rank belongs to no beginning that PEFT would repeat.
            let resized = self.modules.iter().any(|module| module.how != How::Keep);
            if resized {
                config.insert("init_lora_weights".into(), json!(true));
            }
            config.retain(|key, _| match key.as_str() {
                "target_parameters" => !self.copies.is_empty(),
                "loftq_config" => !resized,
                key => key != TOKENS || tokens,
            });
            if !self.same_targets || config.get("target_modules").is_none_or(Value::is_null) {
                // Full names: an ending might match what is not in the file.
                let names: Vec<&str> = self.modules.iter().map(|m| m.name.as_str()).collect();
                config.insert("target_modules".into(), json!(names));
            }
            let saved = |name: &Value| {
                let name = name.as_str().unwrap_or_default();
                self.whole.iter().any(|(_, whole, ..)| whole.name.split('.').any(|part| part == name))
            };
            if let Some(Value::Array(names)) = config.get_mut("modules_to_save") {
                names.retain(saved);
            }
            format!("{:#}\n", Value::Object(config))
        })
    }

    /// The header's settings brought in line with what is written.
    pub fn settle(&mut self, settings: &Settings) {
        if self.scalings == Scalings::Header {
            let mut all = Map::new();
            for (at, (part, config)) in settings.parts.iter().enumerate() {
                let own = self.modules.iter().filter_map(|module| {
                    settings.part(&module.name).filter(|(of, ..)| *of == at).map(|(_, _, name)| (name, module))
                });
                let mut raw = config.raw.clone();
                sizes(&mut raw, &own.collect::<Vec<_>>(), false);
                let dot = if part.is_empty() { "" } else { "." };
                all.extend(raw.into_iter().map(|(key, value)| (format!("{part}{dot}{key}"), value)));
            }
            self.metadata.insert(METADATA.into(), Value::Object(all).to_string());
        }
        if self.metadata.contains_key("ss_network_dim") {
            let ranks: Vec<usize> = self.modules.iter().map(|module| module.rank).collect();
            let alike = ranks.iter().all(|rank| Some(rank) == ranks.first());
            let said = ranks.first().filter(|_| alike).map_or_else(|| "Dynamic".to_owned(), usize::to_string);
            self.metadata.insert("ss_network_dim".into(), said);
        }
        // Sums over what the file held before.
        let sums = ["sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256"];
        let kept = std::mem::take(&mut self.metadata).into_iter().filter(|(key, _)| !sums.contains(&key.as_str()));
        self.metadata = kept.collect();
    }
}

/// Rank and alpha of all, and the patterns of those that have others. `kept` where the configuration's own have to stay.
fn sizes<S: Source>(config: &mut Map<String, Value>, modules: &[(&str, &DraftModule<'_, S>)], kept: bool) {
    let rslora = config.get("use_rslora").is_some_and(|v| v == true);
    let divisor = |rank: usize| if rslora { libm::sqrt(rank as f64) } else { rank as f64 };
    let ranks: Vec<Value> = modules.iter().map(|(_, m)| json!(m.rank)).collect();
    let alphas: Vec<Value> = modules.iter().map(|(_, m)| number(m.scaling * divisor(m.rank))).collect();
    for (key, pattern, values) in [("r", "rank_pattern", ranks), ("lora_alpha", "alpha_pattern", alphas)] {
        let own = config.get(key).cloned().filter(|_| kept);
        let (common, others) = patterns(modules, &values, own);
        config.insert(key.into(), common);
        config.insert(pattern.into(), others);
    }
}

/// The most frequent value, and a pattern with the modules that have another.
fn patterns<S>(modules: &[(&str, &DraftModule<'_, S>)], values: &[Value], own: Option<Value>) -> (Value, Value) {
    let count = |value: &Value| values.iter().filter(|v| *v == value).count();
    let mut distinct: Vec<&Value> = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    let most = || distinct.iter().max_by_key(|value| count(value)).map_or(json!(8), |value| (*value).clone());
    let common = own.unwrap_or_else(most);
    let mut pattern = Map::new();
    for ((name, _), value) in modules.iter().zip(values).filter(|(_, value)| **value != common) {
        pattern.insert((*name).to_owned(), value.clone());
    }
    (common, Value::Object(pattern))
}

/// Values as whole numbers where they are, up to the rounding of a root.
fn number(value: f64) -> Value {
    let whole = value.round();
    if (value - whole).abs() <= 1e-9 * whole.abs() && whole.abs() < 1e15 { json!(whole as i64) } else { json!(value) }
}

/// The header's texts that a draft of the adapter begins with.
pub(super) fn metadata<S>(adapter: &Adapter<S>) -> BTreeMap<String, String> {
    let own = adapter.file.shards.first().map(|shard| &shard.header.metadata);
    own.filter(|own| !own.is_empty()).cloned().unwrap_or_else(pytorch)
}

/// Settings that a rank or scale other than the stored one would make wrong.
pub(super) fn is_bound(init: &Init) -> bool {
    matches!(init, Init::Leading | Init::FirstColumns | Init::Lost(_))
}

/// A configuration without the keys that are not understood: nothing asks for what is not in the file.
pub(super) fn understood(config: &AdapterConfig) -> Map<String, Value> {
    let mut raw = config.raw.clone();
    let strange = |key: &str| config.not_understood.iter().any(|what| what.split(':').next() == Some(key));
    raw.retain(|key, _| !strange(key));
    raw
}
