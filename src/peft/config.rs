//! `adapter_config.json`, PEFT's or mlx's, and the same settings elsewhere: what of it the numbers depend on, and what of it is not
//! understood here. Knows nothing of tensors.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::described;
use super::pattern::Pattern;
use crate::error::Result;
use crate::files::{broken, foreign::json};
use crate::lang::tr;
use crate::method::description::Method;

/// For messages.
const NAME: &str = "adapter_config.json";
/// Real ones are a few kilobytes; one key for every module of a large model, some hundred.
const LONGEST: usize = 4 << 20;
/// Which tokens were trained by themselves.
pub const TOKENS: &str = "trainable_token_indices";
/// Keys that are more than plain names, at most: each is tried on each module.
const MOST_EXPRESSIONS: usize = 256;

#[derive(Clone, Copy, Debug)]
pub enum PeftType {
    Lora,
    AdaLora,
    /// A method whose description says how its adapters are opened.
    Described(&'static Method),
}

/// What the factors began as, where the base was changed for it: the adapter then belongs to what is left of the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// The base stayed as it is.
    Base,
    /// Its leading directions were taken out, which can be found again.
    Leading,
    /// The span of its first columns was.
    FirstColumns,
    /// It was quantised, and what that lost went into the factors.
    Quantised,
    /// It cannot be found again from the base alone: the setting.
    Lost(String),
}

/// An adapter's configuration.
#[derive(Clone, Debug)]
pub struct AdapterConfig {
    pub peft_type: PeftType,
    pub init: Init,
    /// mlx's, which says the scaling itself.
    pub mlx: Option<f64>,
    /// Every weight was trained, and is stored whole.
    pub all_whole: bool,
    /// `enable_lora` of the first PEFT versions, where it is set.
    pub joint: Option<String>,
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
    peft_type: Option<String>,
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
            return Err(broken(NAME, tr!("holds {} bytes, more than any configuration does", text.len())));
        }
        let wrong = |e: serde_json::Error| broken(NAME, tr!("is not an adapter's configuration: {e}", e));
        let text = json(text).map_err(|what| broken(NAME, what))?;
        let raw: Map<String, Value> = serde_json::from_slice(text).map_err(wrong)?;
        if !raw.contains_key("peft_type") && (raw.contains_key("lora_parameters") || raw.contains_key("fine_tune_type"))
        {
            return Self::mlx(&raw);
        }
        let document: Document = serde_json::from_slice(text).map_err(wrong)?;
        let kind = document.peft_type.ok_or_else(|| broken(NAME, described::no_kind()))?;
        let peft_type = match kind.as_str() {
            "LORA" => PeftType::Lora,
            "ADALORA" => PeftType::AdaLora,
            other => {
                let method = described::of_kind(other);
                PeftType::Described(method.ok_or_else(|| broken(NAME, described::other_kind(other)))?)
            }
        };
        let mut config = Self {
            peft_type,
            init: init(raw.get("init_lora_weights")),
            mlx: None,
            all_whole: false,
            joint: raw.get("enable_lora").filter(|value| is_set(value)).map(Value::to_string),
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

    /// The names that a key lists; none where it says something else.
    pub fn names(&self, key: &str) -> Vec<String> {
        let list = self.raw.get(key).and_then(Value::as_array);
        list.map_or_else(Vec::new, |list| list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    }

    pub fn has_tokens(&self) -> bool {
        self.raw.get(TOKENS).is_some_and(is_set)
    }

    /// Which rows of the weight of that name were trained by themselves.
    pub fn tokens(&self, weight: &str) -> Option<Vec<usize>> {
        let module = weight.strip_suffix(".weight").unwrap_or(weight);
        let list = match self.raw.get(TOKENS)? {
            Value::Object(all) => {
                all.iter().find(|(key, _)| Pattern::new(key).is_some_and(|key| key.matches(module)))?.1
            }
            list => list,
        };
        let row = |value: &Value| value.as_u64().and_then(|row| usize::try_from(row).ok());
        list.as_array()?.iter().map(row).collect()
    }

    /// mlx-lm's, whose scale is no alpha.
    fn mlx(raw: &Map<String, Value>) -> Result<Self> {
        let parameters = raw.get("lora_parameters");
        let number = |key: &str| parameters.and_then(|all| all.get(key)).and_then(Value::as_f64);
        let kind = raw.get("fine_tune_type").and_then(Value::as_str).unwrap_or("lora");
        if !["lora", "dora", "full"].contains(&kind) {
            let problem =
                tr!("is mlx-lm's, and its fine_tune_type is \"{kind}\"; only lora, dora and full can be opened", kind);
            return Err(broken(NAME, problem));
        }
        let rank = number("rank").map_or(8, |rank| rank as usize);
        let (scale, alpha) = (number("scale"), number("alpha"));
        if scale.is_none() && kind != "full" {
            let problem = tr!("is mlx-lm's, and lora_parameters has no scale; add the one that it was trained with");
            return Err(broken(NAME, problem));
        }
        // The first versions had an alpha beside it.
        let scale = scale.unwrap_or(1.0) * alpha.map_or(1.0, |alpha| alpha / rank.max(1) as f64);
        let mut kept = Map::new();
        if let Some(model) = raw.get("model") {
            kept.insert("base_model_name_or_path".into(), model.clone());
        }
        Ok(Self {
            peft_type: PeftType::Lora,
            init: Init::Base,
            mlx: Some(scale),
            all_whole: kind == "full",
            joint: None,
            rank,
            alpha: scale * rank as f64,
            rslora: false,
            dora: kind == "dora",
            fan_in_fan_out: false,
            init_rank: 0,
            modules_to_save: Vec::new(),
            base_model: raw.get("model").and_then(Value::as_str).map(str::to_owned),
            raw: kept,
            not_understood: Vec::new(),
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
        })
    }

    /// What the rank of `module` is set to.
    pub fn rank_of(&self, module: &str) -> usize {
        self.rank_pattern.iter().find(|(key, _)| key.matches(module)).map_or(self.rank, |&(_, rank)| rank)
    }

    /// The scaling of `module`, whose lora_A has `rank` rows.
    pub fn scaling(&self, module: &str, rank: usize) -> f64 {
        if let (Some(scale), true) = (self.mlx, rank > 0) {
            return scale;
        }
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

fn init(value: Option<&Value>) -> Init {
    match value.and_then(Value::as_str) {
        None | Some("gaussian" | "eva" | "orthogonal") => Init::Base,
        Some("pissa") => Init::Leading,
        Some("olora") => Init::FirstColumns,
        Some("loftq") => Init::Quantised,
        Some(other) => Init::Lost(other.to_owned()),
    }
}

/// Says something: neither nothing nor no.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => items.iter().any(is_set),
        Value::Object(items) => !items.is_empty(),
        _ => true,
    }
}

/// Keys that the change of weight depends on, or may, and that are set.
fn not_understood(raw: &Map<String, Value>, own: &[String]) -> Vec<String> {
    let shown = |key: &str, value: &Value| {
        let text: String = value.to_string().chars().take(60).collect();
        format!("{key}: {text}")
    };
    let mut found = Vec::new();
    for (key, value) in raw {
        let understood = UNDERSTOOD.contains(&key.as_str()) || INDIFFERENT.contains(&key.as_str()) || own.contains(key);
        if !understood && is_set(value) {
            found.push(shown(key, value));
        }
    }
    found
}

const UNDERSTOOD: &[&str] = &[
    "alpha_pattern",
    "enable_lora",
    "fan_in_fan_out",
    "init_lora_weights",
    "init_r",
    "lora_alpha",
    "lora_bias",
    "modules_to_save",
    "peft_type",
    "r",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
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
            ["invented: [1]", "use_qalora: true", "rank_pattern: (?=x)", "rank_pattern: q",]
        );
        assert_eq!(config.init, Init::Lost("pissa_niter_4".into()));
    }

    #[test]
    fn mlx_says_its_scaling() {
        let text = r#"{"fine_tune_type":"dora","lora_parameters":{"rank":4,"scale":20.0},"model":"x"}"#;
        let config = AdapterConfig::parse(text.as_bytes()).unwrap();
        assert_eq!((config.scaling("q", 4), config.rank_of("q"), config.dora), (20.0, 4, true));
        assert!(message(r#"{"fine_tune_type":"lora","lora_parameters":{}}"#).contains("no scale"));
        assert!(message(r#"{"fine_tune_type":"prefix"}"#).contains("fine_tune_type is \"prefix\""));
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
