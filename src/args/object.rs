//! Reading one JSON object key by key, with errors that name the full path. Knows JSON, not configurations.

use serde_json::{Map, Value};

use super::Named;
use super::limits::{self, Real, Whole};
use crate::lang::tr;
use crate::{
    decimal,
    error::{Error, Result},
};

/// Longer values are cut in error messages: they may come from a hostile link.
const SHOWN: usize = 80;

/// The error that `value` at `key` is not allowed.
pub fn refuse(key: impl Into<String>, value: &Value, allowed: impl std::fmt::Display) -> Error {
    let mut text = shown(value);
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    Error::Config { key: key.into(), value: text, allowed: allowed.to_string() }
}

/// A value as JSON writes it, with numbers as a link has them: 8, not 8.0.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(whole), ..) => whole.to_string(),
            (_, Some(whole), _) => whole.to_string(),
            (.., real) => decimal::plain(real.unwrap_or(f64::NAN)),
        },
        Value::String(text) => format!("\"{text}\""),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("\"{key}\":{}", shown(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        }
    }
}

/// The error that `key` was left out.
fn absent(key: String) -> Error {
    Error::Config { key, value: tr!("leaving it out"), allowed: tr!("it must be given") }
}

/// A JSON object whose keys are known to be among those asked for.
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Object<'a> {
    /// `what` names the object in the message about an unknown key: "the document", "task \"digits\"".
    pub fn new(value: &'a Value, path: &'a str, what: &str, keys: &[&str]) -> Result<Self> {
        let map = Self::map(value, path)?;
        let object = Self { map, path };
        match map.iter().find(|(key, _)| !keys.contains(&key.as_str())) {
            None => Ok(object),
            Some((key, value)) => Err(refuse(
                object.key(&key.chars().take(SHOWN).collect::<String>()),
                value,
                tr!("there is no such key; {what} has {}", keys.join(", "), what),
            )),
        }
    }

    /// The text under `key`, read before it is known which other keys there may be.
    pub fn peek(value: &'a Value, path: &str, key: &str, default: &'a str) -> Result<&'a str> {
        match Self::map(value, path)?.get(key) {
            None => Ok(default),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(refuse(format!("{path}.{key}"), other, tr!("a text in quotes"))),
        }
    }

    fn map(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>> {
        let key = if path.is_empty() { tr!("the configuration") } else { path.into() };
        value.as_object().ok_or_else(|| refuse(key, value, tr!("an object, {…}")))
    }

    /// Full path of a key of this object.
    pub fn key(&self, key: &str) -> String {
        match self.path {
            "" => key.to_string(),
            path => format!("{path}.{key}"),
        }
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }

    pub fn required(&self, key: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| absent(self.key(key)))
    }

    pub fn whole(&self, key: &str, limit: Whole, default: usize) -> Result<usize> {
        Ok(self.maybe_whole(key, limit)?.unwrap_or(default))
    }

    pub fn maybe_whole(&self, key: &str, limit: Whole) -> Result<Option<usize>> {
        self.get(key).map(|value| whole(value, limit, || self.key(key))).transpose()
    }

    pub fn real(&self, key: &str, limit: Real, default: f64) -> Result<f64> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        value.as_f64().filter(|number| limit.contains(*number)).ok_or_else(|| refuse(self.key(key), value, limit))
    }

    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        value.as_bool().ok_or_else(|| refuse(self.key(key), value, tr!("true or false")))
    }

    pub fn choice<T: Named>(&self, key: &str, default: T) -> Result<T> {
        self.get(key).map_or(Ok(default), |value| choice(value, || self.key(key)))
    }

    /// A list of whole numbers, one per layer.
    pub fn sizes(&self, key: &str, limit: Whole) -> Result<Option<Vec<usize>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let path = self.key(key);
        let items = value
            .as_array()
            .filter(|items| limits::DEPTH.contains(items.len()))
            .ok_or_else(|| refuse(&path, value, tr!("a list with {} for each layer", limit)))?;
        items
            .iter()
            .enumerate()
            .map(|(i, item)| whole(item, limit, || format!("{path}[{i}]")))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// The elements of a list that must not be empty nor hold anything twice, each with its path.
    pub fn set(&self, key: &str) -> Result<Option<Vec<(String, &'a Value)>>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let path = self.key(key);
        let items = value
            .as_array()
            .filter(|items| !items.is_empty())
            .ok_or_else(|| refuse(&path, value, tr!("a list of at least one")))?;
        for (i, item) in items.iter().enumerate() {
            if items[..i].contains(item) {
                return Err(refuse(format!("{path}[{i}]"), item, tr!("each may be there once only")));
            }
        }
        Ok(Some(items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect()))
    }
}

/// A whole number in `limit`; `8.0` counts as 8, as in JavaScript.
pub fn whole(value: &Value, limit: Whole, key: impl Fn() -> String) -> Result<usize> {
    let number = match (value.as_u64(), value.as_f64()) {
        (Some(number), _) => usize::try_from(number).ok(),
        // Every limit is far below 2^53, so a float in range converts exactly.
        (None, Some(number)) if number.fract() == 0.0 && number >= 0.0 && number <= limit.max as f64 => {
            Some(number as usize)
        }
        _ => None,
    };
    number.filter(|number| limit.contains(*number)).ok_or_else(|| refuse(key(), value, limit))
}

/// The value of that name.
pub fn choice<T: Named>(value: &Value, key: impl Fn() -> String) -> Result<T> {
    value.as_str().and_then(T::from_name).ok_or_else(|| {
        let names: Vec<String> = T::ALL.iter().map(|one| format!("\"{}\"", one.name())).collect();
        refuse(key(), value, tr!("one of {}", names.join(", ")))
    })
}
