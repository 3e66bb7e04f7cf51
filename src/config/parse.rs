//! From a JSON document to a `Config`, or to an error that says which key is at fault. Single values only; what
//! must hold between values is in `check`.

use serde_json::Value;

use super::{
    Config, DigitDomain, Digits, Domains, Form, Model, Optimizer, Pattern, Schedule, Sensors, Spectrum, Task, Text,
    lane::read as lane, limits,
};
use crate::args::BackendChoice;
use crate::args::object::{self, Object, refuse};
use crate::error::{Error, Result};
use crate::lang::tr;
use crate::task::text::languages;

impl Config {
    /// Reads a document; see `from_value`.
    ///
    /// # Errors
    /// `Error::Json` where the text is no JSON, else as `from_value`.
    pub fn from_json(text: &str) -> Result<Self> {
        let value = serde_json::from_slice(text.as_bytes()).map_err(|error| Error::Json(error.to_string()))?;
        Self::from_value(&value)
    }

    /// Reads a document. `version` and `lanes` must be there; everything else may be left out.
    ///
    /// # Errors
    /// `Error::Config` with the key's path ("lanes[1].top_k"), its value and what is allowed there.
    pub fn from_value(value: &Value) -> Result<Self> {
        const KEYS: &[&str] = &["version", "seed", "backend", "task", "lanes", "optimizer", "schedule"];
        let document = Object::new(value, "", &tr!("the configuration"), KEYS)?;
        object::whole(document.required("version")?, limits::VERSION, || "version".into())?;
        let lanes = document.required("lanes")?;
        let lanes = lanes.as_array().filter(|lanes| limits::LANES.contains(lanes.len())).ok_or_else(|| {
            let limits::Whole { min, max } = limits::LANES;
            refuse("lanes", lanes, tr!("a list of {min} to {max} lanes", min, max))
        })?;
        let config = Self {
            // The limit is that of u32.
            seed: document.whole("seed", limits::SEED, 1)? as u32,
            backend: document.choice("backend", BackendChoice::Auto)?,
            task: document.get("task").map_or_else(|| Ok(Task::Domains(Domains::default())), task)?,
            lanes: lanes
                .iter()
                .enumerate()
                .map(|(i, value)| lane(value, &format!("lanes[{i}]")))
                .collect::<Result<_>>()?,
            optimizer: document.get("optimizer").map_or_else(|| Ok(Optimizer::default()), optimizer)?,
            schedule: document.get("schedule").map_or_else(|| Ok(Schedule::default()), schedule)?,
        };
        config.check()?;
        Ok(config)
    }

    /// Whether a configuration put together in code is one that could have been read.
    ///
    /// # Errors
    /// As `from_value`.
    pub fn validate(&self) -> Result<()> {
        Self::from_value(&self.to_value()).map(drop)
    }
}

fn task(value: &Value) -> Result<Task> {
    let path = "task";
    match Object::peek(value, path, "kind", "domains")? {
        "domains" => domains(value, path).map(Task::Domains),
        "digits" => digits(value, path).map(Task::Digits),
        "sensors" => sensors(value, path).map(Task::Sensors),
        "text" => text(value, path).map(Task::Text),
        "custom" => Object::new(value, path, &tr!("task \"custom\""), &["kind"]).map(|_| Task::Custom),
        other => Err(refuse(
            "task.kind",
            &other.into(),
            tr!("one of \"domains\", \"digits\", \"sensors\", \"text\", \"custom\""),
        )),
    }
}

fn domains(value: &Value, path: &str) -> Result<Domains> {
    const KEYS: &[&str] = &[
        "kind",
        "dim",
        "depth",
        "domains",
        "true_rank",
        "conflict",
        "spectrum",
        "sequence",
        "mixed",
        "noise",
        "batch",
    ];
    let object = Object::new(value, path, &tr!("task \"domains\""), KEYS)?;
    let default = Domains::default();
    Ok(Domains {
        dim: object.whole("dim", limits::DIM, default.dim)?,
        depth: object.whole("depth", limits::DEPTH, default.depth)?,
        domains: object.whole("domains", limits::DOMAINS, default.domains)?,
        true_rank: object.whole("true_rank", limits::TRUE_RANK, default.true_rank)?,
        conflict: object.flag("conflict", default.conflict)?,
        spectrum: object.choice::<Spectrum>("spectrum", default.spectrum)?,
        sequence: object.whole("sequence", limits::SEQUENCE, default.sequence)?,
        mixed: object.flag("mixed", default.mixed)?,
        noise: object.real("noise", limits::NOISE, default.noise)?,
        batch: object.whole("batch", limits::BATCH, default.batch)?,
    })
}

fn digits(value: &Value, path: &str) -> Result<Digits> {
    const KEYS: &[&str] = &["kind", "domains", "batch", "pretrain"];
    let object = Object::new(value, path, &tr!("task \"digits\""), KEYS)?;
    let default = Digits::default();
    let domains = match object.set("domains")? {
        None => default.domains,
        Some(items) => items
            .into_iter()
            .map(|(key, item)| object::choice::<DigitDomain>(item, || key.clone()))
            .collect::<Result<_>>()?,
    };
    Ok(Digits {
        domains,
        batch: object.whole("batch", limits::BATCH, default.batch)?,
        pretrain: object.whole("pretrain", limits::PRETRAIN, default.pretrain)?,
    })
}

fn sensors(value: &Value, path: &str) -> Result<Sensors> {
    const KEYS: &[&str] = &["kind", "patterns", "form", "batch", "pretrain"];
    let object = Object::new(value, path, &tr!("task \"sensors\""), KEYS)?;
    let default = Sensors::default();
    let patterns = match object.set("patterns")? {
        None => default.patterns,
        Some(items) => items
            .into_iter()
            .map(|(key, item)| object::choice::<Pattern>(item, || key.clone()))
            .collect::<Result<_>>()?,
    };
    Ok(Sensors {
        patterns,
        form: object.choice::<Form>("form", default.form)?,
        batch: object.whole("batch", limits::BATCH, default.batch)?,
        pretrain: object.whole("pretrain", limits::PRETRAIN, default.pretrain)?,
    })
}

fn text(value: &Value, path: &str) -> Result<Text> {
    const KEYS: &[&str] = &["kind", "model", "languages", "sequence", "batch", "cheat"];
    let object = Object::new(value, path, &tr!("task \"text\""), KEYS)?;
    let default = Text::default();
    let model = object.choice::<Model>("model", default.model)?;
    let language = |(key, item): (String, &Value)| match item.as_str() {
        Some(code) if model == Model::Custom || languages::is_known(code) => Ok(code.to_owned()),
        _ => Err(refuse(key, item, tr!("a language code: {}", languages::codes()))),
    };
    let languages = match object.set("languages")? {
        Some(items) if items.len() > limits::DOMAINS.max => {
            let most = limits::DOMAINS.max;
            return Err(refuse("task.languages", &items.len().into(), tr!("at most {most} languages", most)));
        }
        Some(items) => items.into_iter().map(language).collect::<Result<_>>()?,
        None => default.languages,
    };
    Ok(Text {
        model,
        languages,
        sequence: object.whole("sequence", limits::PASSAGE, default.sequence)?,
        batch: object.whole("batch", limits::BATCH, default.batch)?,
        cheat: object.flag("cheat", default.cheat)?,
    })
}

fn optimizer(value: &Value) -> Result<Optimizer> {
    const KEYS: &[&str] = &["lr", "beta1", "beta2", "eps", "weight_decay"];
    let object = Object::new(value, "optimizer", "optimizer", KEYS)?;
    let default = Optimizer::default();
    Ok(Optimizer {
        lr: object.real("lr", limits::LR, default.lr)?,
        beta1: object.real("beta1", limits::BETA, default.beta1)?,
        beta2: object.real("beta2", limits::BETA, default.beta2)?,
        eps: object.real("eps", limits::EPS, default.eps)?,
        weight_decay: object.real("weight_decay", limits::WEIGHT_DECAY, default.weight_decay)?,
    })
}

fn schedule(value: &Value) -> Result<Schedule> {
    let object = Object::new(value, "schedule", "schedule", &["warmup", "total"])?;
    let default = Schedule::default();
    // A total given alone may be below the default warmup, which then shrinks with it.
    let total = object.whole("total", limits::TOTAL, default.total)?;
    Ok(Schedule { warmup: object.whole("warmup", limits::WARMUP, default.warmup.min(total))?, total })
}
