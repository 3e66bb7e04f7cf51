//! From a `Config` to its full JSON document, nothing left out. The inverse of `parse`.

use serde_json::{Map, Value, json};

use super::{Balance, Config, Lane, Method, Named, Task};

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
        Method::Molora { experts, rank, alpha, top_k, renormalize, balance } => {
            put("experts", json!(experts));
            put("rank", json!(rank));
            put("alpha", json!(alpha));
            put("top_k", json!(top_k));
            put("renormalize", json!(renormalize));
            put("balance", self::balance(balance));
        }
        Method::Mor1e { experts, alpha, gate, hidden, balance } => {
            put("experts", json!(experts));
            put("alpha", json!(alpha));
            put("gate", json!(gate.name()));
            // Left out, the width follows the layer's inputs.
            if let Some(hidden) = hidden {
                put("hidden", json!(hidden));
            }
            put("balance", self::balance(balance));
        }
    }
    if let Some(layers) = &lane.layers {
        put("layers", json!(layers));
    }
    Value::Object(map)
}

fn balance(balance: &Balance) -> Value {
    json!({ "kind": balance.kind.name(), "coefficient": balance.coefficient })
}
