//! Weights of a base by the names that adapters give their modules: PEFT's, with or without the first components, and kohya's.
//! Knows nothing of shapes.

use super::keys::{Style, unprefixed};
use crate::files::{Checkpoint, Source};

/// Name of a module's weight in a base.
pub fn base_weight<B: Source>(base: &Checkpoint<B>, module: &str, style: Style) -> Option<String> {
    match style {
        Style::Peft => find(base, &format!("{module}.weight")),
        Style::Kohya => {
            let flat = unprefixed(module);
            let matches = |name: &str| name.strip_suffix(".weight").is_some_and(|stem| flattened(stem, flat));
            unique(base, &matches)
        }
    }
}

/// Whether `stem`, every dot an underscore, is `flat` or ends in `_flat`.
fn flattened(stem: &str, flat: &str) -> bool {
    let Some(from) = stem.len().checked_sub(flat.len()) else {
        return false;
    };
    let same = stem.bytes().skip(from).zip(flat.bytes()).all(|(s, f)| s == f || s == b'.' && f == b'_');
    same && (from == 0 || stem.as_bytes()[from - 1] == b'.')
}

/// The base's name for the tensor `name`. Checkpoints of the bare model lack the first components that the full one has
/// ("transformer.h.0" is "h.0"), or the adapter does.
pub fn find<B: Source>(base: &Checkpoint<B>, name: &str) -> Option<String> {
    let mut rest = name;
    loop {
        if base.find(rest).is_some() {
            return Some(rest.to_owned());
        }
        // A bare "weight" would be anybody's.
        match rest.split_once('.') {
            Some((_, shorter)) if shorter.contains('.') => rest = shorter,
            _ => break,
        }
    }
    let ending = format!(".{name}");
    unique(base, &|candidate| candidate.ends_with(&ending))
}

fn unique<B: Source>(base: &Checkpoint<B>, matches: &dyn Fn(&str) -> bool) -> Option<String> {
    let mut found = base.tensors().filter(|info| matches(&info.name));
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one.name.clone()),
        _ => None,
    }
}
