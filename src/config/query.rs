//! A `Config` as the query of a link, in which only what differs from the defaults is written, under short
//! readable keys: `seed=7&dim=32&lanes=full~lora.r4~molora.n4.r2.k2&lr=0.02`. What is read becomes a document
//! first (in `link`), so a link is checked exactly as a document is. Knows nothing of browsers.

use serde_json::Value;

use super::lane_text::{number, plain};
use super::{Config, Digits, Domains, Lane, Sensors, Task, Text};

/// Key in the query, and object and key in the document. Lanes have their own form.
pub(super) const KEYS: &[(&str, &str, &str)] = &[
    ("seed", "", "seed"),
    ("backend", "", "backend"),
    ("task", "task", "kind"),
    ("dim", "task", "dim"),
    ("depth", "task", "depth"),
    ("domains", "task", "domains"),
    ("true_rank", "task", "true_rank"),
    ("conflict", "task", "conflict"),
    ("spectrum", "task", "spectrum"),
    ("sequence", "task", "sequence"),
    ("mixed", "task", "mixed"),
    ("noise", "task", "noise"),
    ("batch", "task", "batch"),
    ("pretrain", "task", "pretrain"),
    ("patterns", "task", "patterns"),
    ("form", "task", "form"),
    ("model", "task", "model"),
    ("languages", "task", "languages"),
    ("cheat", "task", "cheat"),
    ("lr", "optimizer", "lr"),
    ("beta1", "optimizer", "beta1"),
    ("beta2", "optimizer", "beta2"),
    ("eps", "optimizer", "eps"),
    ("weight_decay", "optimizer", "weight_decay"),
    ("warmup", "schedule", "warmup"),
    ("total", "schedule", "total"),
];

impl Config {
    /// The query without its "?". Equal configurations give equal text; the default gives none.
    pub fn to_query(&self) -> String {
        let default = Self {
            task: match self.task {
                Task::Domains(_) => Task::Domains(Domains::default()),
                Task::Digits(_) => Task::Digits(Digits::default()),
                Task::Sensors(_) => Task::Sensors(Sensors::default()),
                Task::Text(_) => Task::Text(Text::default()),
                Task::Custom => Task::Custom,
            },
            lanes: Self::default_lanes(self.task.kind()),
            ..Self::default()
        };
        let (ours, theirs) = (self.to_value(), default.to_value());
        let mut pairs = Vec::new();
        if self.task.kind() != Self::default().task.kind() {
            pairs.push(format!("task={}", self.task.kind()));
        }
        for (key, object, name) in KEYS {
            let value = field(&ours, object, name);
            if value != field(&theirs, object, name) {
                pairs.push(format!("{key}={}", plain(value)));
            }
        }
        if self.lanes != default.lanes {
            let lanes: Vec<String> = self.lanes.iter().map(Lane::to_text).collect();
            pairs.push(format!("lanes={}", lanes.join("~")));
        }
        pairs.join("&")
    }
}

fn field<'a>(document: &'a Value, object: &str, name: &str) -> &'a Value {
    match object {
        "" => &document[name],
        object => &document[object][name],
    }
}

/// What was written under a key, as JSON. What is no number stays text, for `parse` to refuse by its own words.
pub(super) fn read(name: &str, text: &str) -> Value {
    match name {
        "kind" | "backend" | "spectrum" | "model" | "form" => text.into(),
        "languages" | "patterns" => text.split('~').collect(),
        "conflict" | "mixed" | "cheat" => match text {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        // A count under one task, a list of names under the other.
        "domains" if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.split('~').collect(),
        _ => number(text),
    }
}
