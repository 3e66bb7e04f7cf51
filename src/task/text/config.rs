//! A model's `config.json`, as transformers 4 and 5 write it: Llama's form, and Qwen2's, which has biases. What would
//! compute anything else is refused by name, before any weight is read.

use serde_json::{Map, Value};

use crate::error::Result;
use crate::files::broken;
use crate::lang::tr;

const FILE: &str = "config.json";

/// A model's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    pub vocabulary: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    /// Width of a head; need not be `hidden / heads`.
    pub head_dim: usize,
    /// Longest sequence.
    pub positions: usize,
    pub eps: f32,
    pub rope: Rope,
    /// The head is the embedding.
    pub tied: bool,
    pub bias: Biases,
}

/// Which projections have a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Biases {
    /// Queries, keys and values.
    pub qkv: bool,
    /// The attention's output.
    pub output: bool,
    pub mlp: bool,
}

/// Rotary positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rope {
    pub theta: f64,
    pub scaling: Option<Llama3>,
}

/// Llama 3.1's scaling: slow turns are slowed down further.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Llama3 {
    pub factor: f64,
    pub low_freq_factor: f64,
    pub high_freq_factor: f64,
    pub original_positions: f64,
}

impl Rope {
    /// Angle per position of each pair of a head, `[head_dim / 2]`.
    pub fn frequencies(&self, head_dim: usize) -> Vec<f64> {
        let plain = |i: usize| self.theta.powf(-((2 * i) as f64) / head_dim as f64);
        (0..head_dim / 2).map(|i| self.scaling.map_or(plain(i), |scaling| scaling.of(plain(i)))).collect()
    }
}

impl Llama3 {
    fn of(&self, frequency: f64) -> f64 {
        let wavelength = std::f64::consts::TAU / frequency;
        let turns = self.original_positions / wavelength;
        if turns > self.high_freq_factor {
            return frequency;
        }
        if turns < self.low_freq_factor {
            return frequency / self.factor;
        }
        let smooth = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
        (1.0 - smooth) * frequency / self.factor + smooth * frequency
    }
}

impl ModelConfig {
    /// Reads the document.
    ///
    /// # Errors
    /// `Error::File` naming the key that is missing, or that asks for what is not computed here.
    pub fn from_value(document: &Value) -> Result<Self> {
        let Some(map) = document.as_object() else { return Err(broken(FILE, tr!("is not a JSON object"))) };
        let keys = Keys(map);
        let qwen2 = match keys.text("model_type")? {
            Some("llama") => false,
            Some("qwen2") => true,
            other => {
                let problem = match other {
                    Some(other) => {
                        tr!("model_type is {other}; models of Llama's form (llama, qwen2) can be opened", other)
                    }
                    None => tr!("model_type is nothing; models of Llama's form (llama, qwen2) can be opened"),
                };
                return Err(broken(FILE, problem));
            }
        };
        keys.must_be("hidden_act", "silu")?;
        keys.must_be("quantization_config", Value::Null)?;
        keys.must_be("partial_rotary_factor", 1.0)?;
        if keys.flag("use_sliding_window", false)? {
            return Err(broken(
                FILE,
                tr!("use_sliding_window is true; only attention to all tokens before is computed here"),
            ));
        }
        if let Some(kinds) = map.get("layer_types").and_then(Value::as_array)
            && let Some(other) = kinds.iter().find(|kind| kind.as_str() != Some("full_attention"))
        {
            return Err(broken(FILE, tr!("layer_types has {other}; only full_attention is computed here", other)));
        }
        let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
        let kv_heads = keys.maybe_size("num_key_value_heads")?.unwrap_or(heads);
        if !heads.is_multiple_of(kv_heads) {
            let problem =
                tr!("num_attention_heads {heads} is no multiple of num_key_value_heads {kv_heads}", heads, kv_heads);
            return Err(broken(FILE, problem));
        }
        let head_dim = match keys.maybe_size("head_dim")? {
            Some(width) => width,
            None if hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                let problem = tr!(
                    "hidden_size {hidden} is no multiple of num_attention_heads {heads}, and there is no head_dim",
                    hidden,
                    heads
                );
                return Err(broken(FILE, problem));
            }
        };
        if !head_dim.is_multiple_of(2) || head_dim > MOST_HEAD_DIM {
            let problem =
                tr!("head_dim is {head_dim}; it must be even and at most {MOST_HEAD_DIM}", head_dim, MOST_HEAD_DIM);
            return Err(broken(FILE, problem));
        }
        let attention_bias = keys.flag("attention_bias", qwen2)?;
        Ok(Self {
            vocabulary: keys.size("vocab_size")?,
            hidden,
            intermediate: keys.size("intermediate_size")?,
            layers: keys.size("num_hidden_layers")?,
            heads,
            kv_heads,
            head_dim,
            positions: keys.maybe_size("max_position_embeddings")?.unwrap_or(2048),
            eps: keys.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            rope: keys.rope()?,
            tied: keys.flag("tie_word_embeddings", false)?,
            bias: Biases {
                qkv: qwen2 || attention_bias,
                output: !qwen2 && attention_bias,
                mlp: keys.flag("mlp_bias", false)?,
            },
        })
    }
}

/// What the attention kernels are written for.
const MOST_HEAD_DIM: usize = 128;
/// Larger sizes are mistakes, and their products would not fit a number.
const LARGEST: u64 = 1 << 24;

struct Keys<'a>(&'a Map<String, Value>);

impl<'a> Keys<'a> {
    /// A key that is there and not null.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn refused<T>(key: &str, value: &Value, allowed: String) -> Result<T> {
        Err(broken(FILE, tr!("{key} is {value}; {allowed}", key, value, allowed)))
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Self::refused(key, other, tr!("it must be a text")),
        }
    }

    fn must_be(&self, key: &str, expected: impl Into<Value>) -> Result<()> {
        let expected = expected.into();
        match self.get(key) {
            Some(value) if *value != expected && value.as_f64() != expected.as_f64().or(Some(f64::NAN)) => {
                let allowed = if expected.is_null() {
                    tr!("that is not computed here")
                } else {
                    tr!("{expected} is computed here", expected)
                };
                Self::refused(key, value, allowed)
            }
            _ => Ok(()),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Self::refused(key, other, tr!("it must be true or false")),
        }
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|number| *number > 0.0) {
                Some(number) => Ok(Some(number)),
                None => Self::refused(key, value, tr!("it must be a number above 0")),
            },
        }
    }

    fn required_number(&self, key: &str) -> Result<f64> {
        self.number(key)?.ok_or_else(|| broken(FILE, tr!("{key} is missing", key)))
    }

    fn maybe_size(&self, key: &str) -> Result<Option<usize>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_u64().filter(|size| (1..=LARGEST).contains(size)) {
                Some(size) => Ok(Some(size as usize)),
                None => Self::refused(key, value, tr!("it must be a whole number from 1 to {LARGEST}", LARGEST)),
            },
        }
    }

    fn size(&self, key: &str) -> Result<usize> {
        self.maybe_size(key)?.ok_or_else(|| broken(FILE, tr!("{key} is missing", key)))
    }

    /// `rope_theta` with `rope_scaling` (transformers 4), or `rope_parameters` (5).
    fn rope(&self) -> Result<Rope> {
        let both = self.get("rope_parameters").or_else(|| self.get("rope_scaling"));
        let inner = match both {
            None => None,
            Some(Value::Object(map)) => Some(Keys(map)),
            Some(other) => return Self::refused("rope_scaling", other, tr!("it must be an object")),
        };
        let own = inner.as_ref().map(|keys| keys.number("rope_theta")).transpose()?.flatten();
        let theta = own.or(self.number("rope_theta")?).unwrap_or(10_000.0);
        let Some(keys) = inner else { return Ok(Rope { theta, scaling: None }) };
        keys.must_be("partial_rotary_factor", 1.0)?;
        let scaling = match keys.text("rope_type")?.or(keys.text("type")?) {
            None | Some("default") => None,
            Some("llama3") => Some(Llama3 {
                factor: keys.required_number("factor")?,
                low_freq_factor: keys.required_number("low_freq_factor")?,
                high_freq_factor: keys.required_number("high_freq_factor")?,
                original_positions: keys.required_number("original_max_position_embeddings")?,
            }),
            Some(other) => {
                let problem = tr!("rope_type is {other}; default and llama3 are computed here", other);
                return Err(broken(FILE, problem));
            }
        };
        Ok(Rope { theta, scaling })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn small() -> Value {
        json!({
            "model_type": "llama", "vocab_size": 256, "hidden_size": 96, "intermediate_size": 256,
            "num_hidden_layers": 4, "num_attention_heads": 4, "max_position_embeddings": 256, "hidden_act": "silu",
        })
    }

    #[test]
    fn both_generations_say_the_same() {
        let with = |key: &str, value: Value| {
            let mut document = small();
            document[key] = value;
            ModelConfig::from_value(&document).unwrap()
        };
        let old = with("rope_theta", json!(500_000.0));
        let new = with("rope_parameters", json!({ "rope_type": "default", "rope_theta": 500_000.0 }));
        assert_eq!(old, new);
        assert_eq!((old.head_dim, old.kv_heads, old.rope.theta), (24, 4, 500_000.0));
    }

    /// By transformers' `_compute_llama3_parameters`, by hand: of head_dim 8, θ 10,000, factor 8, 1 to 4, 32 positions,
    /// wavelengths are 6.28, 62.8, 628 and 6,283; the first turns 5.1 times in 32 positions and stays as it is.
    #[test]
    fn llama3_slows_slow_turns() {
        let scaling = Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, original_positions: 32.0 };
        let rope = Rope { theta: 10_000.0, scaling: Some(scaling) };
        let expected = [1.0, 0.1 / 8.0, 0.01 / 8.0, 0.001 / 8.0];
        for (got, expected) in rope.frequencies(8).into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} {expected}");
        }
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        for (key, value, named) in [
            ("model_type", json!("mistral"), "mistral"),
            ("hidden_act", json!("gelu"), "gelu"),
            ("rope_scaling", json!({ "type": "yarn", "factor": 4.0 }), "yarn"),
            ("use_sliding_window", json!(true), "use_sliding_window"),
            ("quantization_config", json!({ "bits": 4 }), "quantization_config"),
            ("num_key_value_heads", json!(3), "num_key_value_heads"),
            ("hidden_size", json!(0), "hidden_size"),
            ("vocab_size", json!(null), "vocab_size"),
            ("layer_types", json!(["sliding_attention"]), "sliding_attention"),
        ] {
            let mut document = small();
            document[key] = value;
            let message = ModelConfig::from_value(&document).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }
}
