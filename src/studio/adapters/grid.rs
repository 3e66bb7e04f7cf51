//! Layers × modules: where each row of an overview stands, from its name alone. Knows nothing of what is shown there.

use crate::order::{distinct, sorted};
use crate::peft::keys::distinct_names;

/// Rows of an overview by layer and by what they are in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    /// As short as they can be told apart.
    pub layers: Vec<String>,
    pub kinds: Vec<String>,
    /// Kind by kind: the row that stands there.
    pub cells: Vec<Option<usize>>,
}

impl Grid {
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let places: Vec<(String, String)> = names.map(apart).collect();
        let layers = distinct_names(places.iter().map(|(layer, _)| layer.as_str()));
        let mut kinds: Vec<&str> = Vec::new();
        for (_, kind) in &places {
            if !kinds.contains(&kind.as_str()) {
                kinds.push(kind);
            }
        }
        let layer_at = sorted(layers.iter().copied().zip(0..).collect(), |(a, _): &(&str, usize), (b, _)| a.cmp(b));
        let mut cells = vec![None; layers.len() * kinds.len()];
        for (row, (layer, kind)) in places.iter().enumerate() {
            let kind = kinds.iter().position(|k| *k == kind);
            if let (Some(kind), Ok(at)) = (kind, layer_at.binary_search_by(|(one, _)| (*one).cmp(layer))) {
                cells[kind * layers.len() + layer_at[at].1] = Some(row);
            }
        }
        Self { layers: short(&layers), kinds: short(&kinds), cells }
    }

    /// The row at a kind and a layer.
    pub fn at(&self, kind: usize, layer: usize) -> Option<usize> {
        self.cells.get(kind * self.layers.len() + layer).copied().flatten()
    }

    /// Kind and layer of a row.
    pub fn place(&self, row: usize) -> Option<(usize, usize)> {
        let at = self.cells.iter().position(|&cell| cell == Some(row))?;
        Some((at / self.layers.len(), at % self.layers.len()))
    }
}

/// "model.layers.3", "self_attn.q_proj": up to the last number, and what follows it. A number at the end names a part,
/// not a layer.
fn apart(name: &str) -> (String, String) {
    let dot = if name.contains('.') { '.' } else { '_' };
    let parts: Vec<&str> = name.split(dot).collect();
    let number = |part: &&str| part.parse::<u32>().is_ok();
    let last = parts.iter().take(parts.len().saturating_sub(1)).rposition(number);
    let (layer, kind) = parts.split_at(last.map_or(0, |at| at + 1));
    let dot = dot.to_string();
    (layer.join(&dot), kind.join(&dot))
}

/// Without the components that all of them begin with, and without those that all end in.
fn short(names: &[&str]) -> Vec<String> {
    let split: Vec<Vec<&str>> = names.iter().map(|name| name.split('.').collect()).collect();
    let Some(first) = split.first() else { return Vec::new() };
    let least = split.iter().map(Vec::len).min().unwrap_or(1);
    let alike = |at: usize| split.iter().all(|parts| parts[at] == first[at]);
    let common = (0..least.saturating_sub(1)).take_while(|&at| alike(at)).count();
    let shown: Vec<String> = split.iter().map(|parts| parts[common..].join(".")).collect();
    // "self_attn.q_proj" is known as "q_proj", unless there are others of that name.
    let last: Vec<&str> = split.iter().map(|parts| parts[parts.len() - 1]).collect();
    let distinct = distinct(last.clone());
    let number = last.iter().any(|part| part.parse::<u32>().is_ok());
    match distinct.len() == last.len() && (!number || shown.iter().all(|name| !name.contains('.'))) {
        true => last.into_iter().map(|name| if name.is_empty() { "–".into() } else { name.to_owned() }).collect(),
        false => shown,
    }
}
