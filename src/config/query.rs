//! A `Config` as the query of a link, in which only what differs from the defaults is written, under short
//! readable keys: `seed=7&dim=32&lanes=full~lora.r4~molora.n4.r2.k2&lr=0.02`. What is read becomes a document
//! first, so a link is checked exactly as a document is. Knows nothing of browsers.

use serde_json::{Value, json};

use super::lane_text::{number, plain, read_lane};
use super::{Config, Digits, Domains, Lane, Task};
use crate::args::object::refuse;
use crate::error::{Error, Result};

/// Keys of the query that speak to the page itself, not to the run. "all" once chose a larger build of the page; links
/// that have it still open.
pub const PAGE_KEYS: [&str; 3] = ["embed", "paused", "all"];

/// Key in the query, and object and key in the document. Lanes have their own form.
const KEYS: &[(&str, &str, &str)] = &[
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
            let lanes: Vec<String> = self.lanes.iter().map(Lane::to_text).collect();
            pairs.push(format!("lanes={}", lanes.join("~")));
        }
        pairs.join("&")
    }

    /// Reads a query, with or without its "?". The page's own keys (`PAGE_KEYS`) are passed over.
    ///
    /// # Errors
    /// `Error::Config` with the key as it stands in the query (a lane's as in the document), its value and what
    /// is allowed there.
    pub fn from_query(query: &str) -> Result<Self> {
        let mut document = Self::default().to_value();
        // Only the keys that were given: the defaults depend on the kind of task.
        document["task"] = json!({});
        document["schedule"] = json!({});
        let mut seen: Vec<String> = Vec::new();
        let query = query.strip_prefix('?').unwrap_or(query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, text) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decode(key).ok_or_else(|| undecodable(pair))?;
            if PAGE_KEYS.contains(&key.as_str()) {
                continue;
            }
            let text = decode(text).ok_or_else(|| undecodable(pair))?;
            if seen.contains(&key) {
                return Err(refuse(key, &text.into(), "a key may be given once only"));
            }
            if key == "lanes" {
                document["lanes"] = read_lanes(&text)?;
            } else if let Some((_, object, name)) = KEYS.iter().find(|(known, ..)| *known == key) {
                let value = read(name, &text);
                match *object {
                    "" => document[*name] = value,
                    object => document[object][*name] = value,
                }
            } else {
                let known: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
                let shown: String = key.chars().take(80).collect();
                return Err(refuse(
                    shown,
                    &text.into(),
                    format_args!("there is no such key; a link has lanes, {}", known.join(", ")),
                ));
            }
            seen.push(key);
        }
        Self::from_value(&document).map_err(as_in_query)
    }
}

fn field<'a>(document: &'a Value, object: &str, name: &str) -> &'a Value {
    match object {
        "" => &document[name],
        object => &document[object][name],
    }
}

/// What was written under a key, as JSON. What is no number stays text, for `parse` to refuse by its own words.
fn read(name: &str, text: &str) -> Value {
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

fn read_lanes(text: &str) -> Result<Value> {
    text.split('~').enumerate().map(|(i, lane)| read_lane(lane, &format!("lanes[{i}]"))).collect()
}

/// Names the key as it stands in the query ("lr") instead of the document ("optimizer.lr").
fn as_in_query(error: Error) -> Error {
    match error {
        Error::Config { key, value, allowed } => {
            let short = KEYS
                .iter()
                .find(|(_, object, name)| {
                    key.strip_prefix(object).and_then(|rest| rest.strip_prefix('.')) == Some(name)
                })
                .map_or(key.clone(), |(short, ..)| short.to_string());
            Error::Config { key: short, value, allowed }
        }
        other => other,
    }
}

fn undecodable(pair: &str) -> Error {
    refuse("the link", &pair.into(), "percent signs must encode UTF-8")
}

/// Percent-decoding as forms do it, "+" being a space; `None` where a percent sign begins no UTF-8 byte.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = (bytes.next()? as char).to_digit(16)?;
                let low = (bytes.next()? as char).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
