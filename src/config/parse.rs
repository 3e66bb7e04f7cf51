//! From a JSON document to a `Config`, or to an error that says which key is at fault. Single values only; what
//! must hold between values is in `check`.

use serde_json::Value;

use super::{
    BackendChoice, Balance, BalanceKind, Config, DigitDomain, Digits, Domains, Form, Gate, Lane, Method, Named,
    Optimizer, Options, Schedule, Spectrum, Task, limits,
    object::{self, Object, refuse},
};
use crate::error::{Error, Result};

impl Config {
    /// Reads a document; see `from_value`.
    ///
    /// # Errors
    /// `Error::Json` where the text is no JSON, else as `from_value`.
    pub fn from_json(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).map_err(|error| Error::Json(error.to_string()))?;
        Self::from_value(&value)
    }

    /// Reads a document. `version` and `lanes` must be there; everything else may be left out.
    ///
    /// # Errors
    /// `Error::Config` with the key's path ("lanes[1].top_k"), its value and what is allowed there.
    pub fn from_value(value: &Value) -> Result<Self> {
        const KEYS: &[&str] = &["version", "seed", "backend", "task", "lanes", "optimizer", "schedule"];
        let document = Object::new(value, "", "the configuration", KEYS)?;
        object::whole(document.required("version")?, limits::VERSION, || "version".into())?;
        let lanes = document.required("lanes")?;
        let lanes = lanes.as_array().filter(|lanes| limits::LANES.contains(lanes.len())).ok_or_else(|| {
            let limits::Whole { min, max } = limits::LANES;
            refuse("lanes", lanes, format_args!("a list of {min} to {max} lanes"))
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
        "custom" => Object::new(value, path, "task \"custom\"", &["kind"]).map(|_| Task::Custom),
        other => Err(refuse("task.kind", &other.into(), "one of \"domains\", \"digits\", \"custom\"")),
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
    let object = Object::new(value, path, "task \"domains\"", KEYS)?;
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
    let object = Object::new(value, path, "task \"digits\"", KEYS)?;
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

pub(super) fn lane(value: &Value, path: &str) -> Result<Lane> {
    // Each reader writes over the method's defaults, so those are given once, in `default`.
    let (mut method, keys): (Method, &[&str]) = match Object::peek(value, path, "method", "lora")? {
        "full" => (Method::Full, &["method", "layers"]),
        "lora" => (
            Method::lora(),
            &["method", "rank", "alpha", "rslora", "init", "lr_ratio", "weights", "rank_per_layer", "layers"],
        ),
        "molora" => (
            Method::molora(),
            &[
                "method",
                "experts",
                "rank",
                "alpha",
                "top_k",
                "renormalize",
                "balance",
                "temperature",
                "noise",
                "lr_ratio",
                "weights",
                "experts_per_layer",
                "rank_per_layer",
                "layers",
            ],
        ),
        "mor1e" => (
            Method::mor1e(),
            &[
                "method",
                "experts",
                "alpha",
                "gate",
                "hidden",
                "balance",
                "flex",
                "orthogonality",
                "experts_per_layer",
                "layers",
            ],
        ),
        other => match Form::from_name(other) {
            Some(Form::Mora) => (Method::variant(Form::Mora), &["method", "rank", "layers"]),
            Some(Form::Adalora) => (
                Method::variant(Form::Adalora),
                &["method", "rank", "alpha", "target_rank", "budget_begin", "budget_end", "layers"],
            ),
            Some(form) => (Method::variant(form), &["method", "rank", "alpha", "layers"]),
            None => {
                return Err(refuse(
                    format!("{path}.method"),
                    &other.into(),
                    "one of \"full\", \"lora\", \"molora\", \"mor1e\", \"dora\", \"mora\", \"adalora\", \"dylora\"",
                ));
            }
        },
    };
    let object = Object::new(value, path, &format!("method \"{}\"", method.name()), keys)?;
    match &mut method {
        Method::Full => {}
        Method::Lora { rank, alpha, rslora } => {
            *rank = object.whole("rank", limits::RANK, *rank)?;
            *alpha = object.real("alpha", limits::ALPHA, *alpha)?;
            *rslora = object.flag("rslora", *rslora)?;
        }
        Method::Variant { rank, alpha, .. } => {
            *rank = object.whole("rank", limits::RANK, *rank)?;
            *alpha = object.real("alpha", limits::ALPHA, *alpha)?;
        }
        Method::Molora { experts, rank, alpha, top_k, renormalize, balance } => {
            *experts = object.whole("experts", limits::EXPERTS, *experts)?;
            *rank = object.whole("rank", limits::RANK, *rank)?;
            *alpha = object.real("alpha", limits::ALPHA, *alpha)?;
            let kept = limits::Whole { min: 0, max: *experts };
            *top_k = object.whole("top_k", kept, *top_k)?;
            *renormalize = object.flag("renormalize", *renormalize)?;
            *balance = self::balance(&object)?;
        }
        Method::Mor1e { experts, alpha, gate, hidden, balance, flex } => {
            *experts = object.whole("experts", limits::EXPERTS, *experts)?;
            *alpha = object.real("alpha", limits::ALPHA, *alpha)?;
            *gate = object.choice::<Gate>("gate", *gate)?;
            *hidden = object.maybe_whole("hidden", limits::HIDDEN)?;
            *balance = self::balance(&object)?;
            *flex = object.maybe_whole("flex", limits::EXPERTS)?;
        }
    }
    let usual = Options::default();
    let options = Options {
        init: object.choice("init", usual.init)?,
        lr_ratio: object.real("lr_ratio", limits::LR_RATIO, usual.lr_ratio)?,
        weights: object.choice("weights", usual.weights)?,
        temperature: object.real("temperature", limits::TEMPERATURE, usual.temperature)?,
        noise: object.real("noise", limits::NOISE, usual.noise)?,
        orthogonality: object.real("orthogonality", limits::COEFFICIENT, usual.orthogonality)?,
        target_rank: object.maybe_whole("target_rank", limits::RANK)?,
        budget_begin: object.whole("budget_begin", limits::WARMUP, usual.budget_begin)?,
        budget_end: object.whole("budget_end", limits::TOTAL, usual.budget_end)?,
        experts_per_layer: object.sizes("experts_per_layer", limits::EXPERTS)?,
        rank_per_layer: object.sizes("rank_per_layer", limits::RANK)?,
    };
    let every = limits::Whole { min: 0, max: usize::MAX };
    let layers = object
        .set("layers")?
        .map(|items| items.into_iter().map(|(key, item)| object::whole(item, every, || key.clone())).collect())
        .transpose()?;
    Ok(Lane { method, layers, options })
}

fn balance(lane: &Object<'_>) -> Result<Balance> {
    let default = Balance::default();
    let Some(value) = lane.get("balance") else {
        return Ok(default);
    };
    let path = lane.key("balance");
    let object = Object::new(value, &path, "balance", &["kind", "coefficient"])?;
    Ok(Balance {
        kind: object.choice::<BalanceKind>("kind", default.kind)?,
        coefficient: object.real("coefficient", limits::COEFFICIENT, default.coefficient)?,
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
