//! `adapter_config.json`: what of it the numbers depend on, and what of it is not understood here. Knows nothing of
//! tensors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::described;
use super::pattern::Pattern;
use crate::error::Result;
use crate::files::broken;
use crate::method::description::Method;

/// For messages.
const NAME: &str = "adapter_config.json";
/// Real ones are a few kilobytes; one key for every module of a large model, some hundred.
const LONGEST: usize = 4 << 20;
/// Keys that are more than plain names, at most: each is tried on each module.
const MOST_EXPRESSIONS: usize = 256;

#[derive(Clone, Copy, Debug)]
pub enum PeftType {
    Lora,
    AdaLora,
    /// A method whose description says how its adapters are opened.
    Described(&'static Method),
}

/// An adapter's configuration.
#[derive(Clone, Debug)]
pub struct AdapterConfig {
    pub peft_type: PeftType,
    pub rank: usize,
    pub alpha: f64,
    pub rslora: bool,
    pub dora: bool,
    pub fan_in_fan_out: bool,
    /// AdaLoRA's rank before pruning, which its scaling keeps.
    pub init_rank: usize,
    pub modules_to_save: Vec<String>,
    pub base_model: Option<String>,
    /// The document as it was, for saving.
    pub raw: Map<String, Value>,
    /// Keys whose meaning is not known here, and what they are set to.
    pub not_understood: Vec<String>,
    rank_pattern: Vec<(Pattern, usize)>,
    alpha_pattern: Vec<(Pattern, f64)>,
}

#[derive(Deserialize)]
struct Document {
    peft_type: String,
    r: Option<usize>,
    lora_alpha: Option<f64>,
    use_rslora: Option<bool>,
    use_dora: Option<bool>,
    fan_in_fan_out: Option<bool>,
    init_r: Option<usize>,
    modules_to_save: Option<Vec<String>>,
    base_model_name_or_path: Option<String>,
    rank_pattern: Option<Pairs<Value>>,
    alpha_pattern: Option<Pairs<f64>>,
}

impl AdapterConfig {
    /// # Errors
    /// `Error::File` where the text is no configuration of an adapter that can be opened.
    pub fn parse(text: &[u8]) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(broken(NAME, format!("holds {} bytes, more than any configuration does", text.len())));
        }
        let wrong = |e: serde_json::Error| broken(NAME, format!("is not an adapter's configuration: {e}"));
        let document: Document = serde_json::from_slice(text).map_err(wrong)?;
        let raw: Map<String, Value> = serde_json::from_slice(text).map_err(wrong)?;
        let peft_type = match document.peft_type.as_str() {
            "LORA" => PeftType::Lora,
            "ADALORA" => PeftType::AdaLora,
            other => PeftType::Described(described::of_kind(other).ok_or_else(|| {
                let known = described::kinds().join(", ");
                broken(NAME, format!("peft_type is \"{other}\"; only LORA, ADALORA, {known} adapters can be opened"))
            })?),
        };
        let mut config = Self {
            peft_type,
            rank: document.r.unwrap_or(8),
            alpha: document.lora_alpha.unwrap_or(8.0),
            rslora: document.use_rslora.unwrap_or(false),
            dora: document.use_dora.unwrap_or(false),
            fan_in_fan_out: document.fan_in_fan_out.unwrap_or(false),
            init_rank: document.init_r.unwrap_or(12),
            modules_to_save: document.modules_to_save.unwrap_or_default(),
            base_model: document.base_model_name_or_path,
            not_understood: not_understood(&raw, &own_keys(peft_type)),
            raw,
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
        };
        // AdaLoRA keeps there which directions it pruned, which the tensors show themselves.
        if matches!(peft_type, PeftType::Lora) {
            let ranks = document.rank_pattern.unwrap_or_default().0;
            let rank = |value: Value| value.as_u64().and_then(|rank| usize::try_from(rank).ok());
            let ranks = ranks.into_iter().map(|(key, value)| (key, rank(value))).collect();
            config.rank_pattern = patterns("rank_pattern", ranks, &mut config.not_understood);
        }
        let alphas = document.alpha_pattern.unwrap_or_default().0;
        let alphas = alphas.into_iter().map(|(key, value)| (key, Some(value))).collect();
        config.alpha_pattern = patterns("alpha_pattern", alphas, &mut config.not_understood);
        Ok(config)
    }

    /// What the rank of `module` is set to.
    pub fn rank_of(&self, module: &str) -> usize {
        self.rank_pattern.iter().find(|(key, _)| key.matches(module)).map_or(self.rank, |&(_, rank)| rank)
    }

    /// The scaling of `module`, whose lora_A has `rank` rows.
    pub fn scaling(&self, module: &str, rank: usize) -> f64 {
        match self.peft_type {
            // Pruning leaves the scaling at the rank that training began with.
            PeftType::AdaLora => {
                let initial = self.init_rank as f64;
                let alpha = if self.alpha > 0.0 { self.alpha } else { initial };
                alpha / (initial + 1e-5)
            }
            PeftType::Lora => {
                let pattern = self.alpha_pattern.iter().find(|(key, _)| key.matches(module));
                scaling(pattern.map_or(self.alpha, |&(_, alpha)| alpha), rank, self.rslora)
            }
            PeftType::Described(_) => 1.0,
        }
    }
}

/// α/r, or α/√r; 0 for rank 0, which changes nothing.
pub fn scaling(alpha: f64, rank: usize, rslora: bool) -> f64 {
    match (rank, rslora) {
        (0, _) => 0.0,
        (_, true) => alpha / libm::sqrt(rank as f64),
        (_, false) => alpha / rank as f64,
    }
}

fn patterns<T>(what: &str, pairs: Vec<(String, Option<T>)>, not_understood: &mut Vec<String>) -> Vec<(Pattern, T)> {
    let mut out = Vec::new();
    let mut expressions = 0;
    for (key, value) in pairs {
        match (Pattern::new(&key), value) {
            (Some(pattern), Some(value)) if pattern.is_plain() || expressions < MOST_EXPRESSIONS => {
                expressions += usize::from(!pattern.is_plain());
                out.push((pattern, value));
            }
            _ => not_understood.push(format!("{what}: {key}")),
        }
    }
    out
}

/// Keys that this kind of adapter has beside those of LoRA.
fn own_keys(peft_type: PeftType) -> Vec<String> {
    match peft_type {
        PeftType::Described(method) => described::keys(method),
        PeftType::Lora | PeftType::AdaLora => Vec::new(),
    }
}

/// Keys that the change of weight depends on, or may, and that are set.
fn not_understood(raw: &Map<String, Value>, own: &[String]) -> Vec<String> {
    let set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
        _ => true,
    };
    let shown = |key: &str, value: &Value| {
        let text: String = value.to_string().chars().take(60).collect();
        format!("{key}: {text}")
    };
    let mut found = Vec::new();
    for (key, value) in raw {
        let understood = UNDERSTOOD.contains(&key.as_str()) || INDIFFERENT.contains(&key.as_str()) || own.contains(key);
        // Initialised from the base, which is then changed: the adapter belongs to what is left of it.
        let from_base = key == "init_lora_weights"
            && !matches!(value.as_str(), None | Some("gaussian" | "eva" | "orthogonal" | "loftq"));
        if from_base || !understood && set(value) {
            found.push(shown(key, value));
        }
    }
    found
}

const UNDERSTOOD: &[&str] = &[
    "alpha_pattern",
    "fan_in_fan_out",
    "init_lora_weights",
    "init_r",
    "lora_alpha",
    "lora_bias",
    "modules_to_save",
    "peft_type",
    "r",
    "rank_pattern",
    "use_dora",
    "use_rslora",
];

/// Keys that say how the adapter came about or where it belongs, which its tensors show themselves.
const INDIFFERENT: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "beta1",
    "beta2",
    "bias",
    "corda_config",
    "deltaT",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "orth_reg_weight",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
    "target_r",
    "task_type",
    "tfinal",
    "tinit",
    "total_step",
];

/// An object's entries in the order of the text: of several keys that match, the first counts.
struct Pairs<V>(Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        AdapterConfig::parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn scalings_follow_peft() {
        let config = |text: &str| AdapterConfig::parse(text.as_bytes()).unwrap();
        let plain = config(r#"{"peft_type":"LORA"}"#);
        assert_eq!((plain.rank_of("a"), plain.scaling("a", 8)), (8, 1.0));
        let patterned = config(
            r#"{"peft_type":"LORA","r":4,"lora_alpha":8,"use_rslora":true,"rank_pattern":{"layers.1.q":16,"q":9},
                "alpha_pattern":{"z.q":1,"q":2,"layers.1.q":3}}"#,
        );
        assert_eq!((patterned.rank_of("m.layers.1.q"), patterned.rank_of("m.layers.2.q")), (16, 9));
        // The first that matches in the order of the file, which is not the alphabet's.
        assert_eq!((patterned.scaling("layers.1.q", 16), patterned.scaling("k", 4)), (0.5, 4.0));
        let pruned = config(r#"{"peft_type":"ADALORA","lora_alpha":8,"init_r":6,"rank_pattern":{"q.lora_E":[true]}}"#);
        assert!((pruned.scaling("q", 2) - 8.0 / 6.00001).abs() < 1e-15);
        assert!(pruned.not_understood.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let text = r#"{"peft_type":"LORA","use_qalora":true,"kasa_config":null,"init_lora_weights":"pissa_niter_4",
            "invented":[1],"rank_pattern":{"(?=x)":4,"q":"many"},"bias":"none","target_parameters":["w"]}"#;
        let config = AdapterConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(
            config.not_understood,
            [
                r#"init_lora_weights: "pissa_niter_4""#,
                "invented: [1]",
                r#"target_parameters: ["w"]"#,
                "use_qalora: true",
                "rank_pattern: (?=x)",
                "rank_pattern: q",
            ]
        );
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(message("[").contains("not an adapter's configuration"));
        assert!(message("{}").contains("missing field `peft_type`"));
        assert!(message(r#"{"peft_type":"IA3"}"#).contains("peft_type is \"IA3\"; only LORA, ADALORA, VERA adapters"));
        assert!(message(r#"{"peft_type":"LORA","r":-1}"#).contains("invalid value"));
        assert!(message(r#"{"peft_type":"LORA","lora_alpha":1e999}"#).contains("number out of range"));
        let deep = format!(r#"{{"peft_type":"LORA","x":{}{}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(message(&deep).contains("recursion limit"));
        assert!(message(&" ".repeat(LONGEST + 1)).contains("more than any configuration"));
    }
}
