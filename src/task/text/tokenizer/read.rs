//! `tokenizer.json`, as Hugging Face's `tokenizers` writes it. What is not computed here is refused by name, since it would
//! cut text otherwise than the model learnt it. Knows no text.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::bpe::{Bpe, Merge};
use super::cut::{Cutter, Normalizer, Prepend, SPACE, WORDS, shown};
use super::unicode::Pattern;
use crate::error::{Error, Result};
use crate::files::broken;
use crate::lang::tr;

const FILE: &str = "tokenizer.json";
/// Far beyond any model's, so that a wrong id does not take the memory.
const MOST_TOKENS: u64 = 1 << 22;

fn refused(problem: impl Into<String>) -> Error {
    broken(FILE, problem)
}

/// A text of the file as JSON writes it, for messages.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

pub fn bpe(file: &Value) -> Result<Bpe> {
    let model = object(file, "model")?;
    match kind(model) {
        "BPE" => (),
        // Older files leave the type out.
        "" if model.contains_key("merges") => (),
        other => return Err(refused(tr!("model is {}; byte-pair encodings (\"BPE\") are read", quoted(other)))),
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
        if let Some(text) = model.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()) {
            return Err(refused(tr!(
                "model.{key} is {text}; only encodings without one are read",
                key,
                text = quoted(text)
            )));
        }
    }
    if let Some(rate) = model.get("dropout").and_then(Value::as_f64).filter(|&rate| rate > 0.0) {
        return Err(refused(tr!("model.dropout is {rate}: the same text would be cut otherwise each time", rate)));
    }
    let vocabulary = vocabulary(model)?;
    let added = added(file)?;
    let flag = |key: &str| model.get(key).and_then(Value::as_bool).unwrap_or(false);
    let unknown = match model.get("unk_token").and_then(Value::as_str) {
        None => None,
        Some(name) => Some(id_of(name, &vocabulary, &added)?),
    };
    let steps = |key: &str, list: &str| sequence(file.get(key).unwrap_or(&Value::Null), list);
    let mut normalizers = Vec::new();
    for step in steps("normalizer", "normalizers") {
        normalizers.push(normalizer(step)?);
    }
    let mut cutters = Vec::new();
    for step in steps("pre_tokenizer", "pretokenizers") {
        cutters.extend(cutter(step)?);
    }
    let decoder = steps("decoder", "decoders");
    let mut begin = 0;
    for step in steps("post_processor", "processors") {
        begin = beginning(step)?.unwrap_or(begin);
    }
    Ok(Bpe {
        merges: merges(model, &vocabulary)?,
        bytes: bytes(&vocabulary, &added, &decoder)?,
        unknown,
        fuse_unknown: flag("fuse_unk"),
        byte_fallback: flag("byte_fallback"),
        ignore_merges: flag("ignore_merges"),
        added,
        normalizers,
        cutters,
        vocabulary,
        begin,
    })
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>> {
    value.get(key).and_then(Value::as_object).ok_or_else(|| refused(tr!("has no object {}", quoted(key))))
}

fn kind(object: &Map<String, Value>) -> &str {
    object.get("type").and_then(Value::as_str).unwrap_or("")
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or("")
}

/// One step, or those of a "Sequence" one after another; none where there is nothing.
fn sequence<'a>(value: &'a Value, list: &str) -> Vec<&'a Value> {
    match (value, text(value, "type")) {
        (Value::Null, _) => Vec::new(),
        (_, "Sequence") => {
            let steps = value.get(list).and_then(Value::as_array).into_iter().flatten();
            steps.flat_map(|step| sequence(step, list)).collect()
        }
        _ => vec![value],
    }
}

fn id(value: &Value, what: &str) -> Result<u32> {
    let id = value.as_u64().filter(|&id| id < MOST_TOKENS);
    id.map(|id| id as u32)
        .ok_or_else(|| refused(tr!("{what} has the id {value}; ids are whole numbers from 0", what, value)))
}

fn vocabulary(model: &Map<String, Value>) -> Result<HashMap<String, u32>> {
    let Some(entries) = model.get("vocab").and_then(Value::as_object) else {
        return Err(refused(tr!("model.vocab is no object of tokens and ids")));
    };
    entries.iter().map(|(token, value)| Ok((token.clone(), id(value, &quoted(token))?))).collect()
}

fn added(file: &Value) -> Result<Vec<(String, u32)>> {
    let mut out = Vec::new();
    for token in file.get("added_tokens").and_then(Value::as_array).into_iter().flatten() {
        let content = text(token, "content");
        for key in ["single_word", "lstrip", "rstrip"] {
            if token.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(refused(tr!(
                    "added token {content} has {key}, which is not read",
                    content = quoted(content),
                    key
                )));
            }
        }
        if !content.is_empty() {
            out.push((content.to_owned(), id(token.get("id").unwrap_or(&Value::Null), &quoted(content))?));
        }
    }
    Ok(out)
}

fn id_of(name: &str, vocabulary: &HashMap<String, u32>, added: &[(String, u32)]) -> Result<u32> {
    let found = added.iter().find(|(content, _)| content == name).map(|&(_, id)| id);
    found
        .or_else(|| vocabulary.get(name).copied())
        .ok_or_else(|| refused(tr!("{} is not in the vocabulary", quoted(name))))
}

/// `["a", "b"]`, or `"a b"` as older files have it.
fn merges(model: &Map<String, Value>, vocabulary: &HashMap<String, u32>) -> Result<HashMap<(u32, u32), Merge>> {
    let Some(list) = model.get("merges").and_then(Value::as_array) else {
        return Err(refused(tr!("model.merges is no list")));
    };
    let mut out = HashMap::new();
    for (rank, merge) in list.iter().enumerate() {
        let pair = match merge {
            Value::String(both) => both.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(a), Value::String(b)] => Some((a.as_str(), b.as_str())),
                _ => None,
            },
            _ => None,
        };
        let Some((a, b)) = pair else {
            return Err(refused(tr!("model.merges[{rank}] is {merge}; a merge is two tokens", rank, merge)));
        };
        let token = |text: &str| {
            let found = vocabulary.get(text).copied();
            found.ok_or_else(|| {
                let text = quoted(text);
                refused(tr!("model.merges[{rank}] names {text}, which is not in the vocabulary", rank, text))
            })
        };
        out.insert((token(a)?, token(b)?), Merge { rank: rank as u32, token: token(&format!("{a}{b}"))? });
    }
    Ok(out)
}

fn normalizer(step: &Value) -> Result<Normalizer> {
    Ok(match text(step, "type") {
        form @ ("NFC" | "NFD" | "NFKC" | "NFKD") => Normalizer::Unicode(form.into()),
        "Prepend" => Normalizer::Prepend(text(step, "prepend").into()),
        "Lowercase" => Normalizer::Lowercase,
        "Replace" => match step.pointer("/pattern/String").and_then(Value::as_str) {
            Some(from) => Normalizer::Replace { from: from.into(), to: text(step, "content").into() },
            None => return Err(refused(tr!("normalizer Replace by a regular expression is not read"))),
        },
        other => return Err(refused(tr!("normalizer {} is not read", quoted(other)))),
    })
}

fn cutter(step: &Value) -> Result<Vec<Cutter>> {
    let flag = |key: &str, default| step.get(key).and_then(Value::as_bool).unwrap_or(default);
    let isolate = |pattern: &str| {
        let made = Pattern::new(pattern).ok_or_else(|| refused(tr!("pattern {} is not understood", quoted(pattern))));
        made.map(Cutter::Isolate)
    };
    match text(step, "type") {
        "ByteLevel" => {
            let mut cutters = Vec::new();
            if flag("add_prefix_space", true) {
                cutters.push(Cutter::PrefixSpace);
            }
            if flag("use_regex", true) {
                cutters.push(isolate(WORDS)?);
            }
            cutters.push(Cutter::ByteLevel);
            Ok(cutters)
        }
        "Metaspace" => {
            let mark = text(step, "replacement");
            if mark != SPACE.to_string() {
                return Err(refused(tr!(
                    "Metaspace's replacement is {mark}; {SPACE} is read",
                    mark = quoted(mark),
                    SPACE = format!("{SPACE:?}")
                )));
            }
            // Older files say it by a flag.
            let by_flag = if flag("add_prefix_space", true) { "always" } else { "never" };
            let prepend = match step.get("prepend_scheme").and_then(Value::as_str).unwrap_or(by_flag) {
                "always" => Prepend::Always,
                "first" => Prepend::First,
                "never" => Prepend::Never,
                other => return Err(refused(tr!("Metaspace's prepend_scheme is {}", quoted(other)))),
            };
            Ok(vec![Cutter::Metaspace { prepend, split: flag("split", true) }])
        }
        "Digits" if flag("individual_digits", false) => Ok(vec![isolate(r"\p{N}")?]),
        "Digits" => Ok(vec![isolate(r"\p{N}+")?]),
        "Split" => {
            let behavior = text(step, "behavior");
            if behavior != "Isolated" || flag("invert", false) {
                return Err(refused(tr!("pre_tokenizer Split {} is not read; \"Isolated\" is", quoted(behavior))));
            }
            match step.pointer("/pattern/Regex").and_then(Value::as_str) {
                Some(pattern) => Ok(vec![isolate(pattern)?]),
                None => Err(refused(tr!("pre_tokenizer Split without a regular expression is not read"))),
            }
        }
        other => Err(refused(tr!("pre_tokenizer {} is not read", quoted(other)))),
    }
}

/// The token that is put before a text.
fn beginning(step: &Value) -> Result<Option<u32>> {
    match text(step, "type") {
        "ByteLevel" => Ok(None),
        "TemplateProcessing" => {
            let Some(name) = step.pointer("/single/0/SpecialToken/id").and_then(Value::as_str) else { return Ok(None) };
            let ids =
                step.get("special_tokens").and_then(|all| all.get(name)).and_then(|token| token.pointer("/ids/0"));
            ids.map(|value| id(value, &quoted(name))).transpose()
        }
        other => Err(refused(tr!("post_processor {} is not read", quoted(other)))),
    }
}

/// What each token stands for, by the decoder.
fn bytes(vocabulary: &HashMap<String, u32>, added: &[(String, u32)], decoder: &[&Value]) -> Result<Vec<Vec<u8>>> {
    let has = |kind: &str| decoder.iter().any(|step| text(step, "type") == kind);
    for step in decoder {
        let kind = text(step, "type");
        if !["ByteLevel", "Metaspace", "ByteFallback", "Replace", "Fuse", "Strip"].contains(&kind) {
            return Err(refused(tr!("decoder {} is not read", quoted(kind))));
        }
    }
    let by_character: HashMap<char, u8> = (0..=255).map(|byte| (shown(byte), byte)).collect();
    let (levels, fallback) = (has("ByteLevel"), has("ByteFallback"));
    let spaces = has("Metaspace") || has("Replace");
    let byte = |token: &str| {
        let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')).filter(|_| fallback)?;
        u8::from_str_radix(digits, 16).ok().map(|byte| vec![byte])
    };
    let read = |token: &str| {
        if let Some(byte) = byte(token) {
            return byte;
        }
        if levels && let Some(bytes) = token.chars().map(|c| by_character.get(&c).copied()).collect() {
            return bytes;
        }
        if spaces { token.replace(SPACE, " ").into_bytes() } else { token.as_bytes().to_vec() }
    };
    let ids = vocabulary.values().chain(added.iter().map(|(_, id)| id));
    let mut out = vec![Vec::new(); ids.max().map_or(0, |&last| last as usize + 1)];
    vocabulary.iter().for_each(|(token, &id)| out[id as usize] = read(token));
    added.iter().for_each(|(content, id)| {
        out[*id as usize] = byte(content).unwrap_or_else(|| content.as_bytes().to_vec());
    });
    Ok(out)
}
