//! A `Config` as the query of a link, in which only what differs from the defaults is written, under short
//! readable keys: `seed=7&dim=32&lanes=full~lora.r4~molora.n4.r2.k2&lr=0.02`. What is read becomes a document
//! first (in `link`), so a link is checked exactly as a document is. Knows nothing of browsers.

use serde_json::{Map, Value, json};

use super::{Config, Digits, Domains, Lane, Method, Task, object::refuse, parse::lane};
use crate::decimal;
use crate::error::Result;

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
    ("lr", "optimizer", "lr"),
    ("beta1", "optimizer", "beta1"),
    ("beta2", "optimizer", "beta2"),
    ("eps", "optimizer", "eps"),
    ("weight_decay", "optimizer", "weight_decay"),
    ("warmup", "schedule", "warmup"),
    ("total", "schedule", "total"),
];

/// Numbers of a lane: letter in the query, key in the document.
const NUMBERS: &[(&str, &str)] = &[("n", "experts"), ("r", "rank"), ("a", "alpha"), ("k", "top_k"), ("h", "hidden")];

/// Options of a lane, whole words, written where they are in the document at all.
const OPTIONS: &[(&str, &str)] = &[
    ("plus", "lr_ratio"),
    ("temp", "temperature"),
    ("noise", "noise"),
    ("orth", "orthogonality"),
    ("flex", "flex"),
    ("to", "target_rank"),
    ("begin", "budget_begin"),
    ("end", "budget_end"),
];

/// Sizes by layer, as in nl8-2-2-8.
const SIZES: &[(&str, &str)] = &[("nl", "experts_per_layer"), ("rl", "rank_per_layer")];

impl Config {
    /// The query without its "?". Equal configurations give equal text; the default gives none.
    pub fn to_query(&self) -> String {
        let default = Self {
            task: match self.task {
                Task::Domains(_) => Task::Domains(Domains::default()),
                Task::Digits(_) => Task::Digits(Digits::default()),
                Task::Custom => Task::Custom,
            },
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
            let lanes: Vec<String> = self.lanes.iter().map(write_lane).collect();
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

/// A value without quotes or brackets; every character it can have stands for itself in a URL.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("~"),
        Value::Number(number) => match number.as_f64() {
            Some(float) => decimal::plain(float),
            None => String::new(),
        },
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Object(_) => String::new(),
    }
}

/// What was written under a key, as JSON. What is no number stays text, for `parse` to refuse by its own words.
pub(super) fn read(name: &str, text: &str) -> Value {
    match name {
        "kind" | "backend" | "spectrum" => text.into(),
        "conflict" | "mixed" => match text {
            "true" => true.into(),
            "false" => false.into(),
            other => other.into(),
        },
        // A count under one task, a list of names under the other.
        "domains" if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => text.split('~').collect(),
        _ => number(text),
    }
}

fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    decimal::parse(text).map_or_else(|| text.into(), Value::from)
}

/// A lane as `molora.n4.r2.k2`: experts and rank always, the rest where it differs from the method's defaults.
fn write_lane(lane: &Lane) -> String {
    let default = match lane.method {
        Method::Full => Method::Full,
        Method::Lora { .. } => Method::lora(),
        Method::Variant { form, .. } => Method::variant(form),
        Method::Molora { .. } => Method::molora(),
        Method::Mor1e { .. } => Method::mor1e(),
    };
    let ours = Config { lanes: vec![lane.clone(), default.into()], ..Config::default() }.to_value();
    let (ours, theirs) = (&ours["lanes"][0], &ours["lanes"][1]);
    let mut parts = vec![lane.method.name().to_string()];
    for (letter, key) in NUMBERS {
        let value = &ours[key];
        if !value.is_null() && (value != &theirs[key] || matches!(*key, "experts" | "rank")) {
            parts.push(format!("{letter}{}", plain(value)));
        }
    }
    if ours["rslora"] == true {
        parts.push("rs".into());
    }
    if ours["renormalize"] == true {
        parts.push("norm".into());
    }
    for gate in ["token", "prototype"] {
        if ours["gate"] == gate {
            parts.push(gate.into());
        }
    }
    let balance = &ours["balance"];
    if balance != &theirs["balance"] {
        parts.push(plain(&balance["kind"]) + &plain(&balance["coefficient"]));
    }
    for (word, key) in OPTIONS {
        if !ours[key].is_null() {
            parts.push(format!("{word}{}", plain(&ours[key])));
        }
    }
    for key in ["init", "weights"] {
        if !ours[key].is_null() {
            parts.push(plain(&ours[key]));
        }
    }
    for (word, key) in SIZES {
        if !ours[key].is_null() {
            parts.push(format!("{word}{}", plain(&ours[key]).replace('~', "-")));
        }
    }
    if let Some(layers) = &lane.layers {
        let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
        parts.push(format!("l{}", layers.join("-")));
    }
    parts.join(".")
}

impl Lane {
    /// The lane as a link has it.
    pub fn to_text(&self) -> String {
        write_lane(self)
    }

    /// The inverse of `to_text`. What must hold between lane and task is not checked.
    ///
    /// # Errors
    /// As [`Config::from_query`].
    pub fn from_text(text: &str) -> Result<Self> {
        lane(&read_lane(text, "lane")?, "lane")
    }
}

pub(super) fn read_lane(text: &str, path: &str) -> Result<Value> {
    let mut pieces = text.split('.');
    let mut map = Map::new();
    map.insert("method".into(), pieces.next().unwrap_or_default().into());
    let mut parts: Vec<String> = Vec::new();
    for piece in pieces {
        match parts.last_mut() {
            // Every part begins with a letter, so this is what follows a decimal point.
            Some(last) if piece.starts_with(|c: char| c.is_ascii_digit()) => {
                last.push('.');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_string()),
        }
    }
    for part in &parts {
        let end = part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let number_key = NUMBERS.iter().chain(OPTIONS).find(|(letter, _)| *letter == name);
        let sizes_key = SIZES.iter().find(|(word, _)| *word == name);
        let (key, value) = match (name, number_key) {
            (_, Some((_, key))) if !rest.is_empty() => (*key, number(rest)),
            ("rs", _) if rest.is_empty() => ("rslora", true.into()),
            ("norm", _) if rest.is_empty() => ("renormalize", true.into()),
            ("token" | "prototype", _) if rest.is_empty() => ("gate", name.into()),
            ("none" | "entropy" | "switch", _) if !rest.is_empty() => {
                let balance = json!({ "kind": name, "coefficient": number(rest) });
                ("balance", balance)
            }
            ("pissa", _) if rest.is_empty() => ("init", name.into()),
            ("ternary" | "binary", _) if rest.is_empty() => ("weights", name.into()),
            _ if let Some((_, key)) = sizes_key => (*key, rest.split('-').map(number).collect()),
            ("l", _) => ("layers", rest.split('-').map(number).collect()),
            _ => {
                return Err(refuse(
                    path,
                    &part.as_str().into(),
                    "a part is n (experts), r (rank), a (alpha), k (top_k), h (hidden), entropy or switch \
                     with a number, plus (lr_ratio), temp, noise, orth, flex, to (target_rank), begin or end (of its budget) with a number, l with layers as in \
                     l0-2, nl or rl with experts or ranks by layer as in nl8-2-2-8, or rs, norm, token, prototype, pissa, \
                     ternary, binary",
                ));
            }
        };
        if map.insert(key.into(), value).is_some() {
            return Err(refuse(format!("{path}.{key}"), &part.as_str().into(), "it may be given once only"));
        }
    }
    Ok(Value::Object(map))
}
