//! Language models through the API: a model and its texts or tokens from JavaScript values, what text costs a lane, and text
//! that a lane writes. Knows nothing of how either is computed.

use js_sys::{Array, Float32Array, Int32Array, Object, Reflect};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use super::{JsLab, fetch_file, given_lane, only, promise, thrown, whole};
use crate::config::{Model as Chosen, Text};
use crate::error::{Error, Result};
use crate::files::Checkpoint;
use crate::files::blob::{File, described};
use crate::lab::generate::Sampling;
use crate::task::TaskData;
use crate::task::text::{Model, ModelConfig, Passages, Texts, Tokenizer, given, on_texts, small};

/// Most tokens that one call writes.
const LONGEST: usize = 100_000;

/// The task, and how its text is cut into tokens.
pub async fn task(text: &Text, seed: u64, data: &JsValue) -> Result<(TaskData, Option<Tokenizer>)> {
    if text.model == Chosen::Small {
        if !data.is_undefined() && !data.is_null() {
            let expected = "nothing: task.model \"small\" brings its own".into();
            return Err(Error::Data { what: "data".into(), expected, got: described(data) });
        }
        let (task, _) = small(text, seed, fetch_file).await?;
        return Ok((task, Some(Tokenizer::Bytes)));
    }
    if !data.is_object() {
        let expected = "{ model, shape, x, y } or { model, texts }, which task.model \"custom\" needs".into();
        return Err(Error::Data { what: "data".into(), expected, got: described(data) });
    }
    only(data, "data", &["model", "shape", "x", "y", "texts"])?;
    let given_model = object(data, "model", "{ config, weights }")?;
    only(&given_model, "data.model", &["config", "weights", "tokenizer"])?;
    let config = json("data.model.config", &get(&given_model, "config"))?;
    let config = ModelConfig::from_value(&config)?;
    let tokenizer = match get(&given_model, "tokenizer") {
        absent if absent.is_undefined() || absent.is_null() => (config.vocabulary == 256).then_some(Tokenizer::Bytes),
        object => Some(Tokenizer::from_value(&json("data.model.tokenizer", &object)?)?),
    };
    if let Some(last) = tokenizer.as_ref().map(Tokenizer::last).filter(|&last| last as usize >= config.vocabulary) {
        let expected = format!("tokens below config's vocab_size, {}", config.vocabulary);
        return Err(Error::Data { what: "data.model.tokenizer".into(), expected, got: format!("token {last}") });
    }
    let texts = get(data, "texts");
    let (shape, sequence) = if texts.is_undefined() {
        let shape = object(data, "shape", "{ batch, sequence }")?;
        only(&shape, "data.shape", &["batch", "sequence"])?;
        let size = |key: &str| {
            let what = format!("data.shape.{key}");
            match get(&shape, key).as_f64() {
                Some(number) => whole(&what, number, 1, 1 << 24),
                None => Err(Error::Data { what, expected: "a whole number".into(), got: described(&get(&shape, key)) }),
            }
        };
        let (batch, sequence) = (size("batch")?, size("sequence")?);
        (Some((batch, sequence)), sequence)
    } else {
        if texts.is_object() {
            only(&texts, "data.texts", &["train", "held"])?;
        }
        (None, text.sequence)
    };
    // Before any weight is read.
    if sequence > config.positions {
        let expected = format!("at most the model's max_position_embeddings, {}", config.positions);
        return Err(Error::Data { what: "sequence".into(), expected, got: sequence.to_string() });
    }
    let weights = weights(&get(&given_model, "weights")).await?;
    let model = Model::read(config, &weights, sequence, async |_| Ok(())).await?;
    let task = match shape {
        Some(shape) => given(model, shape, &tokens(data, "x")?, &tokens(data, "y")?)?,
        None => {
            let Some(tokenizer) = &tokenizer else {
                let expected = "a tokenizer.json: texts must be cut into this model's tokens".into();
                return Err(Error::Data { what: "data.model.tokenizer".into(), expected, got: "nothing".into() });
            };
            let texts = Texts {
                train: texts_of(&texts, "train", true, tokenizer)?,
                held: texts_of(&texts, "held", false, tokenizer)?,
                begin: tokenizer.begin(),
                ..Texts::default()
            };
            on_texts(model, text, &texts, seed)?
        }
    };
    Ok((task, tokenizer))
}

fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED)
}

fn object(parent: &JsValue, key: &str, expected: &str) -> Result<JsValue> {
    let value = get(parent, key);
    match value.is_object() {
        true => Ok(value),
        false => Err(Error::Data { what: format!("data.{key}"), expected: expected.into(), got: described(&value) }),
    }
}

fn json(what: &str, value: &JsValue) -> Result<Value> {
    let text = js_sys::JSON::stringify(value).ok().and_then(|text| text.as_string());
    let parsed = text.filter(|_| value.is_object()).and_then(|text| serde_json::from_str(&text).ok());
    parsed.ok_or_else(|| Error::Data { what: what.into(), expected: "an object".into(), got: described(value) })
}

async fn weights(value: &JsValue) -> Result<Checkpoint<File>> {
    let Some(list) = value.dyn_ref::<Array>().filter(|list| list.length() > 0) else {
        let expected = "a list of safetensors files, as Blob or Uint8Array".into();
        return Err(Error::Data { what: "data.model.weights".into(), expected, got: described(value) });
    };
    let file = |(at, value)| File::new(&format!("data.model.weights[{at}]"), &value);
    Checkpoint::open(list.iter().enumerate().map(file).collect::<Result<_>>()?).await
}

fn tokens(data: &JsValue, key: &str) -> Result<Vec<i32>> {
    let value = get(data, key);
    match value.dyn_ref::<Int32Array>() {
        Some(array) => Ok(array.to_vec()),
        None => Err(Error::Data {
            what: format!("data.{key}"),
            expected: "an Int32Array of tokens".into(),
            got: described(&value),
        }),
    }
}

fn texts_of(texts: &JsValue, key: &str, needed: bool, tokenizer: &Tokenizer) -> Result<Vec<(String, Vec<u32>)>> {
    let value = get(texts, key);
    let what = format!("data.texts.{key}");
    if value.is_undefined() && !needed {
        return Ok(Vec::new());
    }
    if !value.is_object() {
        return Err(Error::Data { what, expected: "an object of texts by name".into(), got: described(&value) });
    }
    let entry = |pair: JsValue| {
        let pair: Array = pair.unchecked_into();
        let name = pair.get(0).as_string().unwrap_or_default();
        match pair.get(1).as_string() {
            Some(text) => Ok((name, tokenizer.encode(&text))),
            None => Err(Error::Data {
                what: format!("{what}.{name}"),
                expected: "a text".into(),
                got: described(&pair.get(1)),
            }),
        }
    };
    Object::entries(value.unchecked_ref()).iter().map(entry).collect()
}

#[wasm_bindgen(js_class = Lab)]
impl JsLab {
    pub fn bits(&self, lane: f64, text: String) -> js_sys::Promise {
        let (lab, tokenizer) = (self.lab.clone(), self.tokenizer.clone());
        promise(async move {
            let tokenizer = (*tokenizer).as_ref().ok_or_else(needs_tokenizer)?;
            let mut lab = lab.lock().await;
            let lane = given_lane(&lab, lane)?;
            let tokens = tokenizer.encode(&text);
            if tokens.is_empty() {
                let (expected, got) = ("at least one character".into(), "none".into());
                return Err(Error::Data { what: "text".into(), expected, got });
            }
            let passages = Passages::of_all(&tokens, lab.task.sequence, tokenizer.begin());
            let mut nats = lab.nats(lane, &passages).await?;
            nats.truncate(tokens.len());
            let bits: Vec<f32> = nats.iter().map(|nats| nats / std::f32::consts::LN_2).collect();
            let total: f64 = bits.iter().map(|&bits| f64::from(bits)).sum();
            let answer = Object::new();
            let set = |key: &str, value: JsValue| Reflect::set(&answer, &key.into(), &value).map(drop);
            let filled = set("total", total.into()).and(set("perToken", Float32Array::from(bits.as_slice()).into()));
            debug_assert!(filled.is_ok(), "a new object takes any key");
            Ok(answer.into())
        })
    }

    pub fn generate(&self, lane: f64, prompt: String, options: JsValue) -> std::result::Result<JsValue, JsValue> {
        let number = |key: &str, default: f64| {
            let value = get(&options, key);
            match (value.is_undefined(), value.as_f64()) {
                (true, _) => Ok(default),
                (_, Some(number)) => Ok(number),
                (_, None) => Err(thrown(Error::Data {
                    what: format!("options.{key}"),
                    expected: "a number".into(),
                    got: described(&value),
                })),
            }
        };
        let tokens = whole("options.tokens", number("tokens", 64.0)?, 1, LONGEST).map_err(thrown)?;
        let seed = whole("options.seed", number("seed", 1.0)?, 0, u32::MAX as usize).map_err(thrown)? as u64;
        let sampling = Sampling { temperature: number("temperature", 1.0)?, top_p: number("topP", 1.0)?, seed };
        let (lab, tokenizer) = (self.lab.clone(), self.tokenizer.clone());
        let begin = promise(async move {
            let tokenizer = (*tokenizer).as_ref().ok_or_else(needs_tokenizer)?;
            let lab = lab.lock().await;
            let lane = given_lane(&lab, lane)?;
            let generation = lab.generate(lane, &prompt, tokenizer, sampling).await?;
            Ok(JsGeneration(generation).into())
        });
        Ok(iterated(begin, tokens as f64))
    }
}

fn needs_tokenizer() -> Error {
    let expected = "data.model.tokenizer when the lab was created: this model's tokens are not bytes".into();
    Error::Data { what: "text".into(), expected, got: "no tokenizer".into() }
}

/// A text under way.
#[wasm_bindgen(js_name = Generation, skip_typescript)]
pub struct JsGeneration(crate::lab::generate::Generation);

#[wasm_bindgen(js_class = Generation)]
impl JsGeneration {
    pub fn next(&mut self) -> String {
        self.0.next_text()
    }
}

#[wasm_bindgen(inline_js = "
export async function* iterated(begin, tokens) {
  const generation = await begin;
  try {
    for (let token = 0; token < tokens; token++) {
      const text = generation.next();
      if (text) yield text;
      // Lets the page draw, and other calls come through.
      await new Promise((resolve) => setTimeout(resolve));
    }
  } finally {
    generation.free();
  }
}")]
extern "C" {
    fn iterated(begin: js_sys::Promise, tokens: f64) -> JsValue;
}
