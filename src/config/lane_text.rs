//! A lane as a link has it, `molora.n4.r2.k2`: the method, then what differs from its defaults, by the words that its
//! settings declare. Knows no method.

use serde_json::{Map, Value as Json, json};

use super::lane::{read, shown};
use crate::args::object::refuse;
use crate::args::{Kind, Named, Projection, SavedModule, Setting, Value};
use crate::decimal;
use crate::error::{Error, Result};
use crate::lang::tr;
use crate::method::{Lane, find};

impl Lane {
    /// The lane as a link has it.
    pub fn to_text(&self) -> String {
        let mut parts = vec![self.method.name.to_string()];
        for setting in self.described() {
            let value = |key: &str| self.settings.get(key).cloned().unwrap_or(Value::Unset);
            let (own, number) = (value(setting.key), setting.with.map(value));
            let differs = own != setting.default || number.as_ref().is_some_and(|number| *number != Value::Real(0.0));
            if own == Value::Unset || !(differs || setting.always) {
                continue;
            }
            let text = plain(&shown(&own));
            match setting.kind {
                Kind::Flag => parts.push(setting.link.into()),
                Kind::Choice(_) => parts.push(text + &number.map_or(String::new(), |number| plain(&shown(&number)))),
                Kind::PerLayer(..) => parts.push(format!("{}{}", setting.link, text.replace('~', "-"))),
                _ if setting.link.is_empty() => {}
                Kind::Whole(_) | Kind::Real(_) | Kind::Divisor(_) => parts.push(format!("{}{text}", setting.link)),
            }
        }
        if let Some(layers) = &self.layers {
            let layers: Vec<String> = layers.iter().map(usize::to_string).collect();
            parts.push(format!("l{}", layers.join("-")));
        }
        if let Some(targets) = &self.targets {
            parts.push(targets.iter().map(|one| one.name()).collect::<Vec<_>>().join("-"));
        }
        if !self.modules_to_save.is_empty() {
            parts.push(self.modules_to_save.iter().map(|one| one.name()).collect::<Vec<_>>().join("-"));
        }
        if let Some(lr) = self.lr {
            parts.push(format!("lr{}", decimal::plain(lr)));
        }
        if let Some(begin) = &self.begin {
            parts.push(format!("from_{begin}"));
        }
        parts.join(".")
    }

    /// The inverse of `to_text`. What must hold between lane and task is not checked.
    ///
    /// # Errors
    /// As `Config::from_query`.
    pub fn from_text(text: &str) -> Result<Self> {
        let mut errors = Vec::new();
        let lane = read_lane(text, "lane", &mut errors);
        errors.into_iter().next().map_or_else(|| read(&lane, "lane"), Err)
    }
}

/// The document of a lane in a link, without the parts that cannot be read.
pub fn read_lane(text: &str, path: &str, errors: &mut Vec<Error>) -> Json {
    let mut pieces = text.split('.');
    let name = pieces.next().unwrap_or_default();
    let mut map = Map::new();
    map.insert("method".into(), name.into());
    // The document's reader says what is wrong with the name.
    let Some(method) = find(name) else { return Json::Object(map) };
    let described = Lane::from(method).described();
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
        let shown = part.as_str().into();
        match read_part(part, &described) {
            None => errors.push(refuse(path, &shown, words(name, &described))),
            Some((key, _)) if map.contains_key(key) => {
                errors.push(refuse(format!("{path}.{key}"), &shown, tr!("it may be given once only")));
            }
            Some((key, value)) => drop(map.insert(key.to_owned(), value)),
        }
    }
    Json::Object(map)
}

/// Key and value of one part; a choice with a number gives the object that holds both.
fn read_part<'a>(part: &str, described: &[&'a Setting]) -> Option<(&'a str, Json)> {
    if let Some(name) = part.strip_prefix("from_") {
        return Some(("begin", name.into()));
    }
    let end = part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len());
    let (word, rest) = part.split_at(end);
    if word == "l" {
        return Some(("layers", rest.split('-').map(number).collect()));
    }
    if word == "lr" && !rest.is_empty() {
        return Some(("lr", number(rest)));
    }
    if part.split('-').all(|name| Projection::from_name(name).is_some()) {
        return Some(("targets", part.split('-').collect()));
    }
    if part.split('-').all(|name| SavedModule::from_name(name).is_some()) {
        return Some(("modules_to_save", part.split('-').collect()));
    }
    described.iter().find_map(|setting| match setting.kind {
        Kind::Flag => (word == setting.link && rest.is_empty()).then(|| (setting.key, true.into())),
        Kind::Choice(names) => {
            let &name = names.iter().find(|name| **name == word)?;
            match (setting.with, setting.key.split_once('.'), rest.is_empty()) {
                (None, _, true) => Some((setting.key, name.into())),
                (Some(with), Some((object, key)), false) => {
                    let (_, with) = with.split_once('.')?;
                    Some((object, json!({ (key): name, (with): number(rest) })))
                }
                _ => None,
            }
        }
        _ if setting.link.is_empty() || word != setting.link || rest.is_empty() => None,
        Kind::PerLayer(..) => Some((setting.key, rest.split('-').map(number).collect())),
        Kind::Whole(_) | Kind::Real(_) | Kind::Divisor(_) => Some((setting.key, number(rest))),
    })
}

/// What a part may be, in words.
fn words(name: &str, described: &[&Setting]) -> String {
    let mut words: Vec<String> = described
        .iter()
        .filter_map(|setting| match setting.kind {
            Kind::Flag => Some(setting.link.to_owned()),
            Kind::Choice(names) if setting.with.is_some() => Some(tr!("{} with a number", names.join(" or "))),
            Kind::Choice(names) => Some(names.join(" or ")),
            _ if setting.link.is_empty() => None,
            Kind::PerLayer(of, _) => Some(tr!("{0} ({of} by layer, as in {0}8-2-2-8)", setting.link, of)),
            _ => Some(tr!("{} ({}) with a number", setting.link, setting.key)),
        })
        .collect();
    words.push(tr!("l with layers as in l0-2, projections as in q_proj-v_proj, what trains whole as in embed_tokens-lm_head, lr with its own learning rate, from_ with the name of an opened adapter"));
    tr!("a part of {name} is {}", words.join(", "), name)
}

/// A value without quotes or brackets; every character it can have stands for itself in a URL.
pub fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("~"),
        Json::Number(number) => match number.as_f64() {
            Some(float) => decimal::plain(float),
            None => String::new(),
        },
        Json::Bool(flag) => flag.to_string(),
        Json::Null | Json::Object(_) => String::new(),
    }
}

pub fn number(text: &str) -> Json {
    if let Ok(whole) = text.parse::<u64>() {
        return whole.into();
    }
    decimal::parse(text).map_or_else(|| text.into(), Json::from)
}
