//! From a `Config` to its full JSON document, nothing left out. The inverse of `parse`.

use serde_json::{Value, json};

use super::{Config, Named, Task, lane::write as lane};

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
        Task::Sensors(sensors) => {
            let patterns: Vec<&str> = sensors.patterns.iter().map(|one| one.name()).collect();
            json!({
                "kind": kind,
                "patterns": patterns,
                "form": sensors.form.name(),
                "batch": sensors.batch,
                "pretrain": sensors.pretrain,
            })
        }
        Task::Text(text) => json!({
            "kind": kind,
            "model": text.model.name(),
            "languages": text.languages,
            "sequence": text.sequence,
            "batch": text.batch,
            "cheat": text.cheat,
        }),
        Task::Custom => json!({ "kind": kind }),
    }
}
