//! The JavaScript API: the `Lab` class of the npm package. Turns JavaScript values into the lab's and errors into
//! `Error` objects; knows nothing of views. Calls that arrive while another is running wait their turn.

mod adapter;
mod text;

use std::cell::Cell;
use std::rc::Rc;

use futures_util::lock::Mutex;
use js_sys::{Float32Array, Float64Array, Reflect};
use wasm_bindgen::prelude::*;

use crate::clock;
use crate::config::{Config, Task};
use crate::error::Error;
use crate::files::blob::{described, message};
use crate::lab::merges::merges;
use crate::lab::prepare::{Source, prepare};
use crate::lab::{self, Lab, export};
use crate::protocol::MergeMode;
use crate::task::TaskData;
use crate::task::custom::{Shape, custom};
use crate::task::text::Tokenizer;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("api.d.ts");

#[wasm_bindgen(typescript_custom_section)]
const LANES: &str = include_str!("api/lanes.d.ts");

/// Milliseconds of training on the CPU between two returns to the event loop.
const TURN: f64 = 100.0;

/// Merges of a mixture, by their names in JavaScript.
const MERGES: [(&str, MergeMode); 4] = [
    ("mean", MergeMode::MeanGate),
    ("meanPerDomain", MergeMode::MeanGatePerDomain),
    ("topPerDomain", MergeMode::TopExpertPerDomain),
    ("leastSquares", MergeMode::LeastSquares),
];

/// See `api.d.ts`.
#[wasm_bindgen(js_name = Lab, skip_typescript)]
pub struct JsLab {
    lab: Rc<Mutex<Lab>>,
    backend: &'static str,
    lanes: usize,
    step: Rc<Cell<usize>>,
    counts: Rc<Vec<Cell<usize>>>,
    /// Of a language model whose text can be read.
    tokenizer: Rc<Option<Tokenizer>>,
}

fn thrown(error: Error) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}

#[wasm_bindgen(js_class = Lab)]
impl JsLab {
    pub async fn create(config: JsValue, data: JsValue) -> Result<JsLab, JsValue> {
        console_error_panic_hook::set_once();
        let config = read_config(&config)?;
        let mut tokenizer = None;
        let source = match &config.task {
            Task::Text(text) => {
                let (task, of_it) = text::task(text, config.seed.into(), &data).await.map_err(thrown)?;
                tokenizer = of_it;
                Source::Custom(Box::new(task))
            }
            Task::Custom => Source::Custom(Box::new(read_data(&data)?)),
            _ if !data.is_undefined() && !data.is_null() => {
                return Err(thrown(Error::Data {
                    what: "data".into(),
                    expected: "no arrays unless task.kind is \"custom\"".into(),
                    got: format!("arrays with task.kind \"{}\"", config.task.kind()),
                }));
            }
            Task::Domains(_) => Source::None,
            Task::Digits(_) | Task::Sensors(_) => Source::Digits(fetch_digits().await.map_err(thrown)?),
        };
        let (device, _) = lab::open(config.backend).await.map_err(thrown)?;
        let lab = prepare(config, device, source, async |_| ()).await.map_err(thrown)?.lab;
        let lanes = lab.lane_count();
        Ok(Self {
            backend: lab.backend(),
            lanes,
            step: Rc::new(Cell::new(0)),
            counts: Rc::new((0..lanes).map(|l| Cell::new(lab.parameter_count(l))).collect()),
            lab: Rc::new(Mutex::new(lab)),
            tokenizer: Rc::new(tokenizer),
        })
    }

    #[wasm_bindgen(getter)]
    pub fn backend(&self) -> String {
        self.backend.to_owned()
    }

    #[wasm_bindgen(getter)]
    pub fn step(&self) -> usize {
        self.step.get()
    }

    pub fn train(&self, steps: f64) -> js_sys::Promise {
        let (lab, step) = (self.lab.clone(), self.step.clone());
        promise(async move {
            let mut left = whole("steps", steps, 0, 100_000_000)?;
            let mut lab = lab.lock().await;
            let mut turn = clock::now();
            while left > 0 {
                // A slice of about half a second, so that `step` can be watched.
                let slice = left.min(8 * lab.pace());
                lab.train(slice).await?;
                step.set(lab.step());
                left -= slice;
                if lab.backend() == "cpu" && clock::now() - turn > TURN {
                    next_turn().await;
                    turn = clock::now();
                }
            }
            Ok(JsValue::UNDEFINED)
        })
    }

    pub fn losses(&self, lane: f64) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let lab = lab.lock().await;
            Ok(Float64Array::from(lab.losses(lane_index(&lab, lane)?)).into())
        })
    }

    pub fn tensors(&self, lane: f64) -> Result<js_sys::Array, JsValue> {
        let lab = self.lab.try_lock().ok_or_else(|| {
            JsValue::from(js_sys::Error::new("tensors: the lab is busy; await the calls made before this one"))
        })?;
        let list = lane_index(&lab, lane).and_then(|lane| lab.tensors(lane)).map_err(thrown)?;
        let out = js_sys::Array::new();
        for tensor in list {
            let object = js_sys::Object::new();
            let shape: js_sys::Array = tensor.shape.iter().map(|&n| JsValue::from(n as f64)).collect();
            Reflect::set(&object, &"name".into(), &tensor.name.into())?;
            Reflect::set(&object, &"shape".into(), &shape)?;
            out.push(&object);
        }
        Ok(out)
    }

    pub fn tensor(&self, lane: f64, name: String) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let lab = lab.lock().await;
            let values = lab.tensor(lane_index(&lab, lane)?, &name).await?;
            Ok(Float32Array::from(values.as_slice()).into())
        })
    }

    #[wasm_bindgen(js_name = setTensor)]
    pub fn set_tensor(&self, lane: f64, name: String, data: JsValue) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let values = floats("data", &data)?;
            let mut lab = lab.lock().await;
            let lane = lane_index(&lab, lane)?;
            lab.set_tensor(lane, &name, &values).await?;
            Ok(JsValue::UNDEFINED)
        })
    }

    pub fn save(&self, lane: f64) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let lab = lab.lock().await;
            let files = export::peft(&lab, lane_index(&lab, lane)?).await?;
            let object = js_sys::Object::new();
            let set = |key: &str, value: JsValue| Reflect::set(&object, &key.into(), &value).map(drop);
            let adapter = js_sys::Uint8Array::from(files.adapter.as_slice());
            let filled = set("adapter", adapter.into()).and(set("config", files.config.into()));
            debug_assert!(filled.is_ok(), "a new object takes any key");
            Ok(object.into())
        })
    }

    #[wasm_bindgen(js_name = mergedModel)]
    pub fn merged_model(&self, lane: f64) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let lab = lab.lock().await;
            let bytes = export::merged_model(&lab, lane_index(&lab, lane)?).await?;
            Ok(js_sys::Uint8Array::from(bytes.as_slice()).into())
        })
    }

    pub fn merges(&self, lane: f64, mode: String) -> js_sys::Promise {
        let lab = self.lab.clone();
        promise(async move {
            let known = MERGES.iter().find(|(name, _)| *name == mode);
            let Some(&(_, mode)) = known else {
                let names: Vec<String> = MERGES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
                return Err(Error::Data {
                    what: "mode".into(),
                    expected: format!("one of {}", names.join(", ")),
                    got: format!("\"{mode}\""),
                });
            };
            let lab = lab.lock().await;
            let list = js_sys::Array::new();
            for merge in merges(&lab, lane_index(&lab, lane)?, mode).await? {
                let domain = merge.domain.and_then(|at| lab.task.domain_names.get(at));
                let object = js_sys::Object::new();
                let filled = [
                    ("domain", domain.map_or(JsValue::NULL, |name| name.as_str().into())),
                    ("adapter", js_sys::Uint8Array::from(merge.files.adapter.as_slice()).into()),
                    ("config", merge.files.config.into()),
                    ("loss", merge.loss.into()),
                    ("routed", merge.routed.into()),
                ]
                .iter()
                .all(|(key, value)| Reflect::set(&object, &(*key).into(), value).is_ok());
                debug_assert!(filled, "a new object takes any key");
                list.push(&object);
            }
            Ok(list.into())
        })
    }

    #[wasm_bindgen(js_name = setRank)]
    pub fn set_rank(&self, lane: f64, rank: f64) -> js_sys::Promise {
        let (lab, counts) = (self.lab.clone(), self.counts.clone());
        promise(async move {
            let mut lab = lab.lock().await;
            let lane = lane_index(&lab, lane)?;
            lab.set_rank(lane, whole("rank", rank, 1, usize::MAX)?).await?;
            counts[lane].set(lab.parameter_count(lane));
            Ok(JsValue::UNDEFINED)
        })
    }

    #[wasm_bindgen(js_name = parameterCount)]
    pub fn parameter_count(&self, lane: f64) -> Result<usize, JsValue> {
        let lane = whole("lane", lane, 0, self.lanes - 1).map_err(thrown)?;
        Ok(self.counts[lane].get())
    }
}

#[wasm_bindgen(inline_js = "
export async function dataFile(name) {
  const files = {
    'digits.csv': new URL('../../data/digits.csv', import.meta.url),
    'lm/config.json': new URL('../../data/lm/config.json', import.meta.url),
    'lm/model.safetensors': new URL('../../data/lm/model.safetensors', import.meta.url),
    'lm/texts.json': new URL('../../data/lm/texts.json', import.meta.url),
  };
  // Node fetches nothing from its own disk.
  const disk = files[name].protocol === 'file:' && globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (disk) return new Uint8Array(await disk.readFile(files[name]));
  const response = await fetch(files[name]);
  if (!response.ok) throw new Error(`status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}")]
extern "C" {
    /// A file of the folder `data`, which lies beside the engine in the package as in the page. Bundlers find files by
    /// addresses that stand there whole.
    #[wasm_bindgen(catch, js_name = dataFile)]
    async fn data_file(name: &str) -> Result<JsValue, JsValue>;
}

/// Bytes of a file of the folder `data`.
async fn fetch_file(name: &str) -> Result<Vec<u8>, Error> {
    match data_file(name).await {
        Ok(bytes) => Ok(js_sys::Uint8Array::new(&bytes).to_vec()),
        Err(error) => Err(Error::File {
            file: format!("data/{name}"),
            problem: format!("the file beside the engine could not be read ({})", message(&error)),
        }),
    }
}

async fn fetch_digits() -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&fetch_file("digits.csv").await?).into_owned())
}

fn promise(work: impl Future<Output = Result<JsValue, Error>> + 'static) -> js_sys::Promise {
    wasm_bindgen_futures::future_to_promise(async move { work.await.map_err(thrown) })
}

/// Let the event loop run: a timer, since promises alone never yield to it.
async fn next_turn() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let timeout = Reflect::get(&js_sys::global(), &"setTimeout".into());
        // Every browser and worker has setTimeout; without it, simply go on.
        match timeout.and_then(|f| f.dyn_into::<js_sys::Function>()) {
            Ok(f) => drop(f.call2(&JsValue::UNDEFINED, &resolve, &0.into())),
            Err(_) => drop(resolve.call0(&JsValue::UNDEFINED)),
        }
    });
    // The promise never rejects.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// A lane, or with −1 the base alone.
fn given_lane(lab: &Lab, lane: f64) -> Result<Option<usize>, Error> {
    if lane == -1.0 { Ok(None) } else { lane_index(lab, lane).map(Some) }
}

fn lane_index(lab: &Lab, lane: f64) -> Result<usize, Error> {
    whole("lane", lane, 0, lab.lane_count() - 1)
}

/// A whole number within bounds.
fn whole(what: &str, value: f64, low: usize, high: usize) -> Result<usize, Error> {
    if value.fract() == 0.0 && value >= low as f64 && value <= high as f64 {
        return Ok(value as usize);
    }
    Err(Error::Data {
        what: what.into(),
        expected: format!("a whole number from {low} to {high}"),
        got: value.to_string(),
    })
}

fn read_config(config: &JsValue) -> Result<Config, JsValue> {
    if !config.is_object() {
        return Err(thrown(Error::Data {
            what: "config".into(),
            expected: "an object".into(),
            got: described(config),
        }));
    }
    let text = js_sys::JSON::stringify(config)?.as_string().unwrap_or_default();
    Config::from_json(&text).map_err(thrown)
}

fn read_data(data: &JsValue) -> Result<TaskData, JsValue> {
    let missing = |what: &str, expected: &str, got: &JsValue| {
        thrown(Error::Data { what: what.into(), expected: expected.into(), got: described(got) })
    };
    if !data.is_object() {
        return Err(missing("data", "an object with shape, x and y, which task.kind \"custom\" needs", data));
    }
    only(data, "data", &["shape", "x", "y", "baseWeight", "baseBias"]).map_err(thrown)?;
    let get = |object: &JsValue, key: &str| Reflect::get(object, &key.into());
    let shape = get(data, "shape")?;
    if !shape.is_object() {
        return Err(missing("data.shape", "{ batch, sequence, in, out }", &shape));
    }
    only(&shape, "data.shape", &["batch", "sequence", "in", "out"]).map_err(thrown)?;
    let size = |key: &str| -> Result<usize, JsValue> {
        let value = get(&shape, key)?;
        let number = value.as_f64().ok_or_else(|| missing(&format!("data.shape.{key}"), "a whole number", &value))?;
        whole(&format!("data.shape.{key}"), number, 1, 1 << 24).map_err(thrown)
    };
    let shape =
        Shape { batch: size("batch")?, sequence: size("sequence")?, inputs: size("in")?, outputs: size("out")? };
    let array =
        |key: &str| -> Result<Vec<f32>, JsValue> { floats(&format!("data.{key}"), &get(data, key)?).map_err(thrown) };
    let optional = |key: &str| -> Result<Option<Vec<f32>>, JsValue> {
        let value = get(data, key)?;
        if value.is_undefined() || value.is_null() {
            return Ok(None);
        }
        floats(&format!("data.{key}"), &value).map(Some).map_err(thrown)
    };
    custom(shape, array("x")?, array("y")?, optional("baseWeight")?, optional("baseBias")?).map_err(thrown)
}

/// Refuses keys that nobody reads: a misspelt one would be taken for one left out.
fn only(object: &JsValue, what: &str, known: &[&str]) -> Result<(), Error> {
    let keys = js_sys::Object::keys(object.unchecked_ref::<js_sys::Object>());
    let unknown = keys.iter().filter_map(|key| key.as_string()).find(|key| !known.contains(&key.as_str()));
    match unknown {
        Some(key) => {
            Err(Error::Data { what: what.into(), expected: known.join(", "), got: format!("the key \"{key}\"") })
        }
        None => Ok(()),
    }
}

fn floats(what: &str, value: &JsValue) -> Result<Vec<f32>, Error> {
    match value.dyn_ref::<Float32Array>() {
        Some(array) => Ok(array.to_vec()),
        None => Err(Error::Data { what: what.into(), expected: "a Float32Array".into(), got: described(value) }),
    }
}
