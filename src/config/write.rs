//! From a `Config` to its full JSON document, nothing left out. The inverse of `parse`.

use serde_json::{Map, Value, json};

use super::{Balance, Config, Form, Lane, Method, Named, Options, Task};

impl Config {
    /// The document as text.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The document, with every key written.
    pub fn to_value(&self) -> Value {
        let lanes: Vec<Value> = self.lanes.iter().map(lane).collect();
        json!({
            "version": 1,
            "seed": self.seed,
            "backend": self.backend.name(),
            "task": task(&self.task),
            "lanes": lanes,
            "optimizer": {
                "lr": self.optimizer.lr,
                "beta1": self.optimizer.beta1,
                "beta2": self.optimizer.beta2,
                "eps": self.optimizer.eps,
                "weight_decay": self.optimizer.weight_decay,
            },
            "schedule": { "warmup": self.schedule.warmup, "total": self.schedule.total },
        })
    }
}

fn task(task: &Task) -> Value {
    let kind = task.kind();
    match task {
        Task::Domains(domains) => json!({
            "kind": kind,
            "dim": domains.dim,
            "depth": domains.depth,
            "domains": domains.domains,
            "true_rank": domains.true_rank,
            "conflict": domains.conflict,
            "spectrum": domains.spectrum.name(),
            "sequence": domains.sequence,
            "mixed": domains.mixed,
            "noise": domains.noise,
            "batch": domains.batch,
        }),
        Task::Digits(digits) => {
            let domains: Vec<&str> = digits.domains.iter().map(|one| one.name()).collect();
            json!({ "kind": kind, "domains": domains, "batch": digits.batch, "pretrain": digits.pretrain })
        }
        Task::Custom => json!({ "kind": kind }),
    }
}

fn lane(lane: &Lane) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.into(), value);
    put("method", lane.method.name().into());
    match &lane.method {
        Method::Full => {}
        Method::Lora { rank, alpha, rslora } => {
            put("rank", json!(rank));
            put("alpha", json!(alpha));
            put("rslora", json!(rslora));
        }
        &Method::Variant { form, rank, alpha } => {
            put("rank", json!(rank));
            if form != Form::Mora {
                put("alpha", json!(alpha));
            }
        }
        Method::Molora { experts, rank, alpha, top_k, renormalize, balance } => {
            put("experts", json!(experts));
            put("rank", json!(rank));
            put("alpha", json!(alpha));
            put("top_k", json!(top_k));
            put("renormalize", json!(renormalize));
            put("balance", self::balance(balance));
        }
        Method::Mor1e { experts, alpha, gate, hidden, balance, flex } => {
            put("experts", json!(experts));
            put("alpha", json!(alpha));
            put("gate", json!(gate.name()));
            // Left out, the width follows the layer's inputs.
            if let Some(hidden) = hidden {
                put("hidden", json!(hidden));
            }
            put("balance", self::balance(balance));
            if let Some(flex) = flex {
                put("flex", json!(flex));
            }
        }
    }
    // Only what is switched on: most methods have none of these.
    let (own, usual) = (&lane.options, Options::default());
    let mut differing = |key: &str, differs: bool, value: Value| {
        if differs {
            put(key, value);
        }
    };
    differing("init", own.init != usual.init, own.init.name().into());
    differing("lr_ratio", own.lr_ratio != usual.lr_ratio, json!(own.lr_ratio));
    differing("weights", own.weights != usual.weights, own.weights.name().into());
    differing("temperature", own.temperature != usual.temperature, json!(own.temperature));
    differing("noise", own.noise != usual.noise, json!(own.noise));
    differing("orthogonality", own.orthogonality != usual.orthogonality, json!(own.orthogonality));
    differing("target_rank", own.target_rank.is_some(), json!(own.target_rank));
    differing("budget_begin", own.budget_begin != usual.budget_begin, json!(own.budget_begin));
    differing("budget_end", own.budget_end != usual.budget_end, json!(own.budget_end));
    differing("experts_per_layer", own.experts_per_layer.is_some(), json!(own.experts_per_layer));
    differing("rank_per_layer", own.rank_per_layer.is_some(), json!(own.rank_per_layer));
    if let Some(layers) = &lane.layers {
        put("layers", json!(layers));
    }
    Value::Object(map)
}

fn balance(balance: &Balance) -> Value {
    json!({ "kind": balance.kind.name(), "coefficient": balance.coefficient })
}
