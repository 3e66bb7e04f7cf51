//! The `Adapter` class of the npm package: real adapters opened, listed, measured, resized, saved and merged. Turns
//! JavaScript values into the engine's and back; what they mean is the engine's to know.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use js_sys::{Float32Array, Float64Array, Reflect, Uint8Array};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::{promise, thrown, whole};
use crate::error::{Error, Result};
use crate::files::blob::{File, Writes, described};
use crate::files::{Checkpoint, Dtype, Memory};
use crate::peft::combine::{Combination, combine};
use crate::peft::compare::{Comparison, compared, pairs};
use crate::peft::draft::{Draft, stopped};
use crate::peft::edit::{Edit, edit};
use crate::peft::merge::Merge;
use crate::peft::module::Kind;
use crate::peft::overview::{Overview, outline, overview, row};
use crate::peft::proof::{INPUTS, Proven};
use crate::peft::view::{Weight, tile};
use crate::peft::{Adapter, Loaded};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("adapter.d.ts");

/// Longest configuration or index that is read.
const LONGEST_TEXT: u64 = 64 << 20;

/// See `adapter.d.ts`.
#[wasm_bindgen(js_name = Adapter, skip_typescript)]
pub struct JsAdapter {
    opened: Rc<Opened>,
    id: u32,
}

struct Opened {
    adapter: Adapter<File>,
    base: Option<Rc<Checkpoint<File>>>,
}

thread_local! {
    /// Adapters that JavaScript holds, by their numbers: a list of them comes as plain values.
    static OPEN: RefCell<Vec<(u32, Weak<Opened>)>> = const { RefCell::new(Vec::new()) };
}

impl JsAdapter {
    fn new(opened: Opened) -> Self {
        let opened = Rc::new(opened);
        let id = OPEN.with_borrow_mut(|open| {
            open.retain(|(_, opened)| opened.strong_count() > 0);
            let id = open.last().map_or(0, |(last, _)| last + 1);
            open.push((id, Rc::downgrade(&opened)));
            id
        });
        Self { opened, id }
    }
}

/// One adapter or a list of them, as JavaScript hands them over; whether it is a list.
fn listed_adapters(value: &JsValue) -> Result<(Vec<Rc<Opened>>, bool)> {
    let list = js_sys::Array::is_array(value);
    let all = if list { js_sys::Array::from(value) } else { js_sys::Array::of1(value) };
    let one = |value: JsValue| {
        let id = Reflect::get(&value, &"id".into()).ok().and_then(|id| id.as_f64());
        let found = id.and_then(|id| {
            OPEN.with_borrow(|open| open.iter().find(|(other, _)| f64::from(*other) == id)?.1.upgrade())
        });
        found.ok_or_else(|| Error::Data {
            what: "others".into(),
            expected: "an open Adapter, or an array of them".into(),
            got: described(&value),
        })
    };
    Ok((all.iter().map(one).collect::<Result<_>>()?, list))
}

#[wasm_bindgen(js_class = Adapter)]
impl JsAdapter {
    pub async fn open(files: JsValue) -> std::result::Result<JsAdapter, JsValue> {
        console_error_panic_hook::set_once();
        open(&files).await.map(Self::new).map_err(thrown)
    }

    /// Tells adapters apart; never used twice while one is open.
    #[wasm_bindgen(getter)]
    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn modules(&self) -> std::result::Result<JsValue, JsValue> {
        let adapter = &self.opened.adapter;
        let list = (0..adapter.targets()).filter_map(|at| outline(adapter, at)).map(|row| listed(&row));
        parsed(&Value::Array(list.collect()))
    }

    #[wasm_bindgen(getter, js_name = notUnderstood)]
    pub fn not_understood(&self) -> Vec<String> {
        self.opened.adapter.remarks()
    }

    pub fn overview(&self, progress: JsValue) -> js_sys::Promise {
        let opened = self.opened.clone();
        promise(async move {
            let count = opened.adapter.targets();
            let mut table = Vec::new();
            for at in 0..count {
                table.extend(overview(&opened.adapter, opened.base.as_deref(), at).await?.map(|row| measured(&row)));
                told(&progress, at + 1, count)?;
            }
            parsed(&Value::Array(table)).map_err(|_| stopped())
        })
    }

    pub fn spectrum(&self, module: String) -> js_sys::Promise {
        let opened = self.opened.clone();
        promise(async move {
            let loaded = opened.load(&module).await?;
            Ok(Float64Array::from(row(&loaded).await?.singular.as_slice()).into())
        })
    }

    pub fn weight(&self, module: String, which: String) -> js_sys::Promise {
        let opened = self.opened.clone();
        promise(async move {
            let which = match which.as_str() {
                "base" => Weight::Base,
                "change" => Weight::Change,
                "merged" => Weight::Merged,
                other => {
                    let expected = "\"base\", \"change\" or \"merged\"".into();
                    return Err(Error::Data { what: "which".into(), expected, got: format!("\"{other}\"") });
                }
            };
            let loaded = opened.load(&module).await?;
            if which != Weight::Base && !loaded.is_known() {
                return Ok(JsValue::NULL);
            }
            let shape = (loaded.rows, loaded.columns);
            let all = tile(&loaded, which, (0..shape.0, 0..shape.1), shape, &mut async || Ok(())).await?;
            Ok(all.map_or(JsValue::NULL, |tile| Float32Array::from(tile.values.as_slice()).into()))
        })
    }

    pub async fn resize(&self, rank: f64) -> std::result::Result<JsAdapter, JsValue> {
        let opened = self.opened.clone();
        let resized = async {
            let rank = Some(whole("rank", rank, 1, 1 << 24)?);
            let draft = edit(&opened.adapter, &Edit { rank, ..Edit::default() })?;
            made("resized adapter", &draft, opened.base.clone()).await
        };
        resized.await.map_err(thrown)
    }

    pub fn compare(&self, others: JsValue, progress: JsValue) -> js_sys::Promise {
        let first = self.opened.clone();
        promise(async move {
            let (rest, several) = listed_adapters(&others)?;
            let all: Vec<_> = std::iter::once(first).chain(rest).collect();
            all.iter().try_for_each(|opened| opened.adapter.check_shapes())?;
            let places = (0..all.len()).flat_map(|i| (i + 1..all.len()).map(move |j| (i, j)));
            let mut asked = Vec::new();
            for (i, j) in places {
                asked.push((i, j, pairs(&all[i].adapter, &all[j].adapter)));
            }
            let count = asked.iter().map(|(.., pairs)| pairs.len()).sum();
            let (mut done, mut tables) = (0, Vec::new());
            for (i, j, pairs) in asked {
                let mut table = Vec::new();
                for (name, a, b) in pairs {
                    table.push(compared_as(name, &compared(&all[i].adapter, &all[j].adapter, (a, b)).await));
                    done += 1;
                    told(&progress, done, count)?;
                }
                tables.push(match several {
                    true => json!({ "first": i, "second": j, "modules": table }),
                    false => Value::Array(table),
                });
            }
            let answer = if several { Value::Array(tables) } else { tables.pop().unwrap_or_default() };
            parsed(&answer).map_err(|_| stopped())
        })
    }

    pub async fn combine(
        &self,
        others: JsValue,
        weights: Vec<f64>,
        how: String,
        rank: Option<f64>,
    ) -> std::result::Result<JsAdapter, JsValue> {
        let first = self.opened.clone();
        let combined = async {
            let (rest, _) = listed_adapters(&others)?;
            let all: Vec<_> = std::iter::once(first).chain(rest).collect();
            if weights.len() != all.len() {
                let expected = match all.len() {
                    2 => "two numbers".to_owned(),
                    count => format!("{count} numbers, one for each adapter"),
                };
                let got = format!("{} of them", weights.len());
                return Err(Error::Data { what: "weights".into(), expected, got });
            }
            let how = match how.as_str() {
                "linear" => Combination::Linear,
                "cat" => Combination::Cat,
                "svd" => Combination::Svd(rank.map(|rank| whole("rank", rank, 1, 1 << 24)).transpose()?),
                other => {
                    let expected = "\"linear\", \"cat\" or \"svd\"".into();
                    return Err(Error::Data { what: "how".into(), expected, got: format!("\"{other}\"") });
                }
            };
            let parts: Vec<_> = all.iter().zip(&weights).map(|(opened, weight)| (&opened.adapter, *weight)).collect();
            let draft = combine(&parts, how, None)?;
            made("combined adapter", &draft, all.iter().find_map(|opened| opened.base.clone())).await
        };
        combined.await.map_err(thrown)
    }

    pub fn save(&self, change: JsValue) -> js_sys::Promise {
        let opened = self.opened.clone();
        promise(async move {
            let draft = edit(&opened.adapter, &read_edit(&change)?)?;
            let mut bytes = Vec::new();
            let errors = draft.write(&mut bytes, &mut |_| true).await?;
            saved(&draft, &bytes, &errors)
        })
    }

    #[wasm_bindgen(js_name = mergePlan)]
    pub fn merge_plan(&self) -> std::result::Result<JsValue, JsValue> {
        let base = self.opened.base().map_err(thrown)?;
        let merge = Merge::new(&self.opened.adapter, base).map_err(thrown)?;
        parsed(&json!({ "changes": merge.will_change(), "leftOut": merge.left_out, "notes": merge.notes }))
    }

    pub fn merge(&self, write: js_sys::Function) -> js_sys::Promise {
        let opened = self.opened.clone();
        promise(async move {
            let base = opened.base()?;
            let merge = Merge::new(&opened.adapter, base)?;
            let (mut changed, mut not_finite, mut proven) = (0, Vec::new(), Proven::default());
            for (at, shard) in base.shards.iter().enumerate() {
                let file = crate::files::Source::name(&shard.source).to_owned();
                let done = merge.write(at, &mut Writes { write: &write, file }, &mut |_| true).await?;
                changed += done.changed;
                not_finite.extend(done.not_finite);
                proven.take(done.proven);
            }
            let report = json!({
                "changed": changed, "notFinite": not_finite, "leftOut": merge.left_out, "notes": merge.notes,
                "proof": { "largest": proven.largest, "relative": proven.relative, "at": proven.at, "inputs": INPUTS },
            });
            parsed(&report).map_err(|_| stopped())
        })
    }
}

impl Opened {
    fn base(&self) -> Result<&Checkpoint<File>> {
        self.base.as_deref().ok_or_else(|| Error::Data {
            what: "base".into(),
            expected: "the base's files, given to Adapter.open".into(),
            got: "none".into(),
        })
    }

    async fn load(&self, name: &str) -> Result<Loaded<'_, File, File>> {
        let target = self.adapter.named(name).ok_or_else(|| Error::Missing {
            what: "module",
            name: name.to_owned(),
            hint: "modules() lists those there are".into(),
        })?;
        Loaded::of(&self.adapter, target, self.base.as_deref()).await
    }
}

async fn open(files: &JsValue) -> Result<Opened> {
    let get = |key: &str| Reflect::get(files, &key.into()).unwrap_or(JsValue::UNDEFINED);
    if !files.is_object() {
        let (expected, got) = ("an object with adapter, and config and base if there are".into(), described(files));
        return Err(Error::Data { what: "files".into(), expected, got });
    }
    let optional = |what: &str| {
        let value = get(what);
        (!value.is_undefined() && !value.is_null()).then(|| File::new(what, &value)).transpose()
    };
    let adapter = File::new("adapter", &get("adapter"))?;
    let config = match optional("config")? {
        Some(file) => Some(file.text(LONGEST_TEXT).await?),
        None => None,
    };
    let base = get("base");
    let base = if base.is_undefined() || base.is_null() {
        None
    } else {
        let list = js_sys::Array::is_array(&base).then(|| js_sys::Array::from(&base));
        let list = list.unwrap_or_else(|| js_sys::Array::of1(&base));
        let files: Result<Vec<File>> = list.iter().map(|value| File::new("base", &value)).collect();
        let index = match optional("index")? {
            Some(file) => Some(file.text(LONGEST_TEXT).await?),
            None => None,
        };
        Some(Rc::new(match index {
            Some(index) => Checkpoint::open_sharded(&index, files?).await?,
            None => Checkpoint::open(files?).await?,
        }))
    };
    let mut adapter = Adapter::open(adapter, config.as_deref()).await?;
    if let Some(base) = &base {
        adapter.take_shapes(base);
    }
    Ok(Opened { adapter, base })
}

fn read_edit(change: &JsValue) -> Result<Edit> {
    let mut edit = Edit::default();
    if change.is_undefined() || change.is_null() {
        return Ok(edit);
    }
    let wrong = |key: &str, expected: &str, got: &JsValue| Error::Data {
        what: format!("edit.{key}"),
        expected: expected.into(),
        got: described(got),
    };
    if !change.is_object() {
        return Err(Error::Data { what: "edit".into(), expected: "an object".into(), got: described(change) });
    }
    for key in js_sys::Object::keys(change.unchecked_ref::<js_sys::Object>()).iter() {
        let name = key.as_string().unwrap_or_default();
        let value = Reflect::get(change, &key).unwrap_or(JsValue::UNDEFINED);
        if value.is_undefined() {
            continue;
        }
        match name.as_str() {
            "rank" => {
                let number = value.as_f64().ok_or_else(|| wrong("rank", "a whole number", &value))?;
                edit.rank = Some(whole("edit.rank", number, 1, 1 << 24)?);
            }
            "scale" => edit.scale = value.as_f64().ok_or_else(|| wrong("scale", "a number", &value))?,
            "drop" => {
                let names = js_sys::Array::is_array(&value).then(|| js_sys::Array::from(&value));
                let names = names.ok_or_else(|| wrong("drop", "an array of names", &value))?;
                let text = |v: JsValue| v.as_string().ok_or_else(|| wrong("drop", "names", &v));
                edit.drop = names.iter().map(text).collect::<Result<_>>()?;
            }
            "dtype" => {
                let dtype = value.as_string().and_then(|name| Dtype::parse(&name)).filter(|d| d.is_float());
                edit.dtype = Some(dtype.ok_or_else(|| wrong("dtype", "F32, F16, BF16, F64 or F8", &value))?);
            }
            _ => return Err(wrong(&name, "one of rank, scale, drop, dtype", &value)),
        }
    }
    Ok(edit)
}

/// Tells whoever watches how much is done; an error where that is answered by `false`.
fn told(progress: &JsValue, done: usize, of: usize) -> Result<()> {
    let watching = progress.dyn_ref::<js_sys::Function>();
    let answer = watching.map(|f| f.call2(&JsValue::UNDEFINED, &(done as f64).into(), &(of as f64).into()));
    let stop = answer.is_some_and(|answer| answer.is_err() || answer == Ok(JsValue::FALSE));
    if stop { Err(stopped()) } else { Ok(()) }
}

/// A draft as an open adapter, in memory.
async fn made(name: &str, draft: &Draft<'_, File>, base: Option<Rc<Checkpoint<File>>>) -> Result<JsAdapter> {
    let mut bytes = Vec::new();
    draft.write(&mut bytes, &mut |_| true).await?;
    let file = File::Memory(Memory::new(name, bytes));
    let mut adapter = Adapter::open(file, draft.config().as_deref().map(str::as_bytes)).await?;
    adapter.left_behind(&draft.left_out);
    if let Some(base) = &base {
        adapter.take_shapes(base);
    }
    Ok(JsAdapter::new(Opened { adapter, base }))
}

fn saved(draft: &Draft<'_, File>, bytes: &[u8], errors: &[f64]) -> Result<JsValue> {
    let errors: Vec<Value> = draft
        .modules
        .iter()
        .zip(errors)
        .map(|(module, error)| json!({ "name": module.name, "error": error }))
        .collect();
    let rest = json!({ "config": draft.config(), "errors": errors, "leftOut": draft.left_out });
    let object = parsed(&rest).map_err(|_| stopped())?;
    // An object just made takes a property.
    let _ = Reflect::set(&object, &"adapter".into(), &Uint8Array::from(bytes));
    Ok(object)
}

fn parsed(value: &Value) -> std::result::Result<JsValue, JsValue> {
    js_sys::JSON::parse(&value.to_string())
}

fn compared_as(name: &str, compared: &std::result::Result<Comparison, String>) -> Value {
    match compared {
        Err(why) => json!({ "name": name, "comparison": null, "why": why }),
        Ok(c) => json!({
            "name": name, "why": null,
            "comparison": {
                "norms": [c.norms.0, c.norms.1], "cosine": c.cosine, "together": c.together,
                "read": c.read, "written": c.written, "interference": [c.interference.0, c.interference.1],
            },
        }),
    }
}

fn listed(row: &Overview) -> Value {
    let form = row.form.name();
    let kind = match row.kind {
        Kind::Linear => "linear",
        Kind::Embedding => "embedding",
        Kind::Conv => "conv",
    };
    json!({
        "name": row.name, "form": form, "kind": kind, "rank": row.rank, "scaling": row.scaling,
        "dtype": row.dtype.name(), "parameters": row.parameters, "shape": [row.shape.0, row.shape.1],
    })
}

fn measured(row: &Overview) -> Value {
    let mut value = listed(row);
    let more = json!({
        "norm": row.norm, "baseNorm": row.base_norm, "ratio": row.ratio(), "effectiveRank": row.effective_rank(),
        "stableRank": row.stable_rank(), "topEnergy": row.top_energy(), "rankInUse": row.rank_in_use(),
        "singular": row.singular, "exact": row.exact, "notFinite": row.not_finite, "why": row.why,
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}
