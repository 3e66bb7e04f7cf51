//! Weights of a base by the names that adapters give their modules, with dots or flattened: prefixes and wrappers are stripped on
//! both sides, and what is left has to be the same. Knows nothing of values.

use super::names::{Component, component, flat_component, rootless, unwrapped};
use crate::files::{Checkpoint, Source, TensorInfo};
use crate::lang::{marked, said, tr};

/// What a base has for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The tensor of that name.
    Here(String),
    /// The head has none of its own: it is tied to these embeddings.
    Tied(String),
    /// Not to be read as numbers: how it is quantised, in words.
    Quantised(String),
    /// Several that might be meant.
    Several(String, String),
    Nothing,
}

impl Found {
    /// The tensor that the values are read from.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Here(key) | Self::Tied(key) => Some(key),
            _ => None,
        }
    }
}

/// Tensors beside a weight, or in its place, that say that it is quantised, and by what.
const BESIDE: &[(&str, &str)] = &[
    (".weight.absmax", marked!("to 4 bits by bitsandbytes")),
    (".weight.quant_map", marked!("to 4 bits by bitsandbytes")),
    (".SCB", marked!("to 8 bits by bitsandbytes")),
    (".weight_packed", marked!("by compressed-tensors")),
    (".qweight", marked!("by GPTQ or AWQ")),
    (".W_q", marked!("by HQQ")),
    (".weight_scale_2", marked!("to 4 bits by NVIDIA's Model Optimizer")),
];
/// The same of experts' parameters.
const BESIDE_PARAMETERS: &[(&str, &str)] =
    &[("_blocks", marked!("to MXFP4")), (".absmax", marked!("to 4 bits by bitsandbytes"))];

/// Embeddings that a head may be tied to, and heads, without roots.
const EMBEDDINGS: &[&str] =
    &["embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings", "embeddings.word_embeddings"];
const HEADS: &[&str] = &["lm_head", "embed_out", "output"];

/// The tensor `module` + `ending` (".weight", ".bias", or "" for a parameter by itself). Names without a dot are flattened ones.
pub fn find<B: Source>(base: &Checkpoint<B>, module: &str, ending: &str) -> Found {
    let exact = format!("{module}{ending}");
    if base.find(&exact).is_some() {
        return checked(base, exact, ending);
    }
    let wanted = Wanted::new(module);
    match wanted.among(base, ending) {
        Found::Here(key) => return checked(base, key, ending),
        Found::Nothing => {}
        found => return found,
    }
    let beside = if ending.is_empty() { BESIDE_PARAMETERS } else { BESIDE };
    let quantised = |(mark, how): &(&str, &str)| wanted.among(base, mark).key().map(|_| said(how));
    if let (Some(how), true) = (beside.iter().find_map(quantised), ending != ".bias") {
        return Found::Quantised(how);
    }
    if ending == ".weight" && HEADS.contains(&wanted.rest.as_str()) {
        let tied = EMBEDDINGS.iter().find_map(|name| Wanted::new(name).among(base, ending).key().map(str::to_owned));
        if let Some(key) = tied {
            return Found::Tied(key);
        }
    }
    Found::Nothing
}

/// Parameters of several experts, whatever they are called, of the layer of that name.
pub fn parameters<'a, B: Source>(base: &'a Checkpoint<B>, layer: &str) -> Vec<&'a TensorInfo> {
    let wanted = Wanted::new(layer);
    let of_layer = |info: &&TensorInfo| {
        let stem = info.name.rsplit_once('.').map(|(stem, _)| stem);
        info.shape.len() == 3 && stem.is_some_and(|stem| wanted.is(stem, ""))
    };
    base.tensors().filter(of_layer).collect()
}

/// A tensor that is there, unless it holds codes rather than numbers.
fn checked<B: Source>(base: &Checkpoint<B>, key: String, ending: &str) -> Found {
    let Some(stem) = key.strip_suffix(ending).filter(|_| ending == ".weight") else {
        return Found::Here(key);
    };
    let beside = |(mark, how): &(&str, &str)| base.find(&format!("{stem}{mark}")).map(|_| said(how));
    if let Some(how) = BESIDE.iter().find_map(beside) {
        return Found::Quantised(how);
    }
    match base.find(&key) {
        Some(info) if !info.dtype.is_float() => Found::Quantised(tr!("to whole numbers ({})", info.dtype)),
        _ => Found::Here(key),
    }
}

/// Whether the tensor is embeddings that the base's head may be tied to, as there is none.
pub fn is_tied<B: Source>(base: &Checkpoint<B>, key: &str) -> bool {
    let stem = key.strip_suffix(".weight").unwrap_or(key);
    let embeddings = EMBEDDINGS.contains(&rootless(component(stem).1).0);
    embeddings && HEADS.iter().all(|head| Wanted::new(head).among(base, ".weight") == Found::Nothing)
}

/// A head's name as a base that ties it to `embeddings` would have it.
pub fn untied(embeddings: &str, module: &str) -> String {
    let (rest, _) = rootless(module);
    // Where the checkpoint is of the whole model its head stands beside "model".
    let around = embeddings.find("model.embed_tokens").map_or("", |at| &embeddings[..at]);
    let around = if around.ends_with("language_") { "" } else { around };
    format!("{around}{rest}.weight")
}

struct Wanted {
    component: Component,
    flat: bool,
    rest: String,
    root: Option<&'static str>,
}

impl Wanted {
    fn new(module: &str) -> Self {
        let flat = !module.contains('.') && module.contains('_') && flat_component(module).1 != module;
        let name = unwrapped(module);
        let (component, rest) = if flat { flat_component(&name) } else { component(&name) };
        let (rest, root) = if flat { (rest, None) } else { rootless(rest) };
        Self { component, flat, rest: rest.to_owned(), root }
    }

    fn among<B: Source>(&self, base: &Checkpoint<B>, ending: &str) -> Found {
        let mut matches = base.tensors().filter(|info| self.is(&info.name, ending));
        let Some(first) = matches.next() else {
            return Found::Nothing;
        };
        match matches.next() {
            None if self.is_said(base, &first.name) => Found::Here(first.name.clone()),
            None => Found::Nothing,
            Some(second) => Found::Several(first.name.clone(), second.name.clone()),
        }
    }

    fn is(&self, name: &str, ending: &str) -> bool {
        let Some(stem) = name.strip_suffix(ending) else { return false };
        // Most are another module by their last letters, and nothing has to be stripped to see it.
        let plain = |byte: u8| if byte == b'.' { b'_' } else { byte };
        let mut last = stem.bytes().rev().zip(self.rest.bytes().rev()).take(8);
        if !last.all(|(a, b)| plain(a) == plain(b)) && !stem.contains("._") && !stem.contains("base_layer") {
            return false;
        }
        let stem = unwrapped(stem);
        let (component, rest) = component(&stem);
        if !together(self.component, component) {
            return false;
        }
        let (bare, root) = rootless(rest);
        if self.flat {
            return flattened(rest, &self.rest) || flattened(bare, &self.rest);
        }
        bare == self.rest && (root == self.root || root.is_none() || self.root.is_none())
    }

    /// A name that does not say its component is not an encoder's where there are several.
    fn is_said<B: Source>(&self, base: &Checkpoint<B>, found: &str) -> bool {
        let Component::Encoder(of) = component(found).0 else { return true };
        let others = |name: &str| matches!(component(name).0, Component::Encoder(other) if other != of);
        self.component != Component::Unsaid || !base.tensors().any(|info| others(&info.name))
    }
}

/// Whether what two names say of their components allows that they are of the same.
fn together(a: Component, b: Component) -> bool {
    a == b || a == Component::Unsaid || b == Component::Unsaid
}

/// Whether `stem`, every dot an underscore, is `flat`.
fn flattened(stem: &str, flat: &str) -> bool {
    let same = |(s, f): (u8, u8)| s == f || s == b'.' && f == b'_';
    stem.len() == flat.len() && stem.bytes().zip(flat.bytes()).all(same)
}
