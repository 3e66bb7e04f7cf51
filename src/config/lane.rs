//! A lane as a JSON object, written and read by loops over the settings that its method declares. Knows no method.

use serde_json::{Map, Value as Json, json};

use super::limits::Whole;
use crate::args::object::{self, Object, refuse};
use crate::args::{Kind, Named, Setting, Value, limits};
use crate::error::Result;
use crate::lang::tr;
use crate::method::{Lane, METHODS, USUAL, find};

/// Every setting that has a value; layers and projections where they are not all, and the lane's own learning rate.
pub fn write(lane: &Lane) -> Json {
    let mut map = Map::new();
    map.insert("method".into(), lane.method.name.into());
    for setting in lane.described() {
        let Some(value) = lane.settings.get(setting.key).and_then(json_of) else { continue };
        match setting.key.split_once('.') {
            None => {
                map.insert(setting.key.into(), value);
            }
            Some((object, key)) => {
                if let Some(inner) = map.entry(object).or_insert_with(|| json!({})).as_object_mut() {
                    inner.insert(key.into(), value);
                }
            }
        }
    }
    if let Some(layers) = &lane.layers {
        map.insert("layers".into(), json!(layers));
    }
    if let Some(targets) = &lane.targets {
        map.insert("targets".into(), targets.iter().map(|one| one.name()).collect());
    }
    if !lane.modules_to_save.is_empty() {
        map.insert("modules_to_save".into(), lane.modules_to_save.iter().map(|one| one.name()).collect());
    }
    if let Some(lr) = lane.lr {
        map.insert("lr".into(), json!(lr));
    }
    if let Some(begin) = &lane.begin {
        map.insert("begin".into(), json!(begin));
    }
    Json::Object(map)
}

fn json_of(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Whole(value) => json!(value),
        Value::Real(value) => json!(value),
        Value::Flag(value) => json!(value),
        Value::Choice(value) => json!(value),
        Value::Sizes(sizes) => json!(sizes),
        Value::Unset => return None,
    })
}

/// A value as an error message shows it.
pub fn shown(value: &Value) -> Json {
    json_of(value).unwrap_or(Json::Null)
}

/// A lane by itself; what must hold between its settings is not checked.
///
/// # Errors
/// `Error::Config` with the key's path, its value and what is allowed there.
pub fn read(value: &Json, path: &str) -> Result<Lane> {
    let name = Object::peek(value, path, "method", USUAL.name)?;
    let Some(method) = find(name) else {
        let names: Vec<String> = METHODS.iter().map(|method| format!("\"{}\"", method.name)).collect();
        return Err(refuse(format!("{path}.method"), &name.into(), tr!("one of {}", names.join(", "))));
    };
    let mut lane = Lane::from(method);
    let described = lane.described();
    let what = tr!("method \"{name}\"", name);
    let mut keys = vec!["method"];
    for setting in &described {
        let key = setting.key.split('.').next().unwrap_or(setting.key);
        if keys.last() != Some(&key) {
            keys.push(key);
        }
    }
    keys.extend(["layers", "targets", "modules_to_save", "lr", "begin"]);
    let object = Object::new(value, path, &what, &keys)?;
    for setting in &described {
        match setting.key.split_once('.') {
            None => read_setting(&object, setting, setting.key, &mut lane)?,
            Some((outer, key)) => {
                let Some(inner) = object.get(outer) else { continue };
                let inner_path = object.key(outer);
                let prefix = format!("{outer}.");
                let known: Vec<&str> = described.iter().filter_map(|s| s.key.strip_prefix(&prefix)).collect();
                let inner = Object::new(inner, &inner_path, outer, &known)?;
                read_setting(&inner, setting, key, &mut lane)?;
            }
        }
    }
    let every = Whole { min: 0, max: usize::MAX };
    lane.layers = object
        .set("layers")?
        .map(|items| items.into_iter().map(|(key, item)| object::whole(item, every, || key.clone())).collect())
        .transpose()?;
    lane.targets = object
        .set("targets")?
        .map(|items| items.into_iter().map(|(key, item)| object::choice(item, || key.clone())).collect())
        .transpose()?;
    lane.modules_to_save = object
        .set("modules_to_save")?
        .unwrap_or_default()
        .into_iter()
        .map(|(key, item)| object::choice(item, || key.clone()))
        .collect::<Result<_>>()?;
    lane.lr = object.get("lr").map(|_| object.real("lr", limits::LR, 0.0)).transpose()?;
    lane.begin = object.get("begin").map(|begin| read_begin(begin, || object.key("begin"))).transpose()?;
    Ok(lane)
}

/// An adapter's name, of characters that stand for themselves in links.
fn read_begin(value: &Json, key: impl Fn() -> String) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match value.as_str() {
        Some(name) if !name.is_empty() && name.chars().all(plain) => Ok(name.to_owned()),
        _ => Err(refuse(key(), value, "the name of an opened adapter: letters, digits, - and _")),
    }
}

/// Takes over the value under `key`, if there is one.
fn read_setting(object: &Object<'_>, setting: &Setting, key: &str, lane: &mut Lane) -> Result<()> {
    let Some(given) = object.get(key) else { return Ok(()) };
    let path = || object.key(key);
    let value: Value = match setting.kind {
        Kind::Whole(range) => object::whole(given, range, path)?.into(),
        Kind::Divisor(_) => object::whole(given, limits::EXPERTS, path)?.into(),
        Kind::Real(range) => object.real(key, range, 0.0)?.into(),
        Kind::Flag => object.flag(key, false)?.into(),
        Kind::PerLayer(_, range) => object.sizes(key, range)?.map_or(Value::Unset, Value::Sizes),
        Kind::Choice(names) => match names.iter().find(|name| given.as_str() == Some(name)) {
            Some(&name) => name.into(),
            None => {
                let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                return Err(refuse(path(), given, tr!("one of {}", quoted.join(", "))));
            }
        },
    };
    lane.settings.set(setting.key, value);
    Ok(())
}
