//! Changes to one adapter: rank, scale, modules, dtype. Knows nothing of files beyond what a draft needs.

use serde_json::{Map, Value};

use super::adapter::Adapter;
use super::config::PeftType;
use super::draft::{Draft, DraftModule, How};
use super::keys::Part;
use crate::error::{Error, Result};
use crate::files::{Dtype, Source};

/// What to change.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// Modules of a larger rank keep their leading directions, this many.
    pub rank: Option<usize>,
    /// Times every module's scaling. Weights held whole stay as they are.
    pub scale: f64,
    /// Modules and whole weights to leave out, by name.
    pub drop: Vec<String>,
    /// Of every tensor written.
    pub dtype: Option<Dtype>,
}

impl Default for Edit {
    fn default() -> Self {
        Self { rank: None, scale: 1.0, drop: Vec::new(), dtype: None }
    }
}

/// `adapter` as `edit` would have it. Whatever is a product of two factors becomes plain LoRA; AdaLoRA without the modules
/// it pruned to nothing.
///
/// # Errors
/// `Error::Data` where the rank is 0, the scale is not finite, a shape takes a base that is not open, or nothing would be
/// left; `Error::Missing` where a module to drop is not there.
pub fn edit<'a, S: Source>(adapter: &'a Adapter<S>, edit: &Edit) -> Result<Draft<'a, S>> {
    let wrong = |what: &str, expected: &str, got: String| {
        Err(Error::Data { what: what.into(), expected: expected.into(), got })
    };
    adapter.check_shapes()?;
    if edit.rank == Some(0) {
        return wrong("rank", "at least 1", "0".into());
    }
    if !edit.scale.is_finite() {
        return wrong("scale", "a finite number", edit.scale.to_string());
    }
    if let Some(dtype) = edit.dtype.filter(|d| !d.is_float()) {
        return wrong("dtype", "a floating-point format", dtype.to_string());
    }
    for name in &edit.drop {
        if adapter.find(name).is_none() && adapter.whole.iter().all(|whole| whole.name != *name) {
            let hint = "it can drop only what its overview lists".to_owned();
            return Err(Error::Missing { what: "module", name: name.clone(), hint });
        }
    }
    let mut left_out = edit.drop.clone();
    let mut modules = Vec::new();
    for module in adapter.modules.iter().filter(|module| !edit.drop.contains(&module.name)) {
        if module.rank == 0 {
            left_out.push(format!("{}: its rank is 0", module.name));
            continue;
        }
        let rank = edit.rank.map_or(module.rank, |rank| rank.min(module.rank));
        modules.push(DraftModule {
            name: module.name.clone(),
            rank,
            scaling: module.scaling * edit.scale,
            dtype: edit.dtype.unwrap_or(module.dtype),
            how: if rank < module.rank { How::Svd } else { How::Keep },
            parts: vec![(adapter, module, edit.scale)],
        });
    }
    let kept = adapter.whole.iter().filter(|whole| !edit.drop.contains(&whole.name));
    let whole: Vec<_> =
        kept.filter(|w| w.dtype.is_float()).map(|w| (adapter, w, edit.dtype.unwrap_or(w.dtype))).collect();
    let dora = modules.iter().filter(|m| m.parts[0].1.has(Part::Magnitude)).count();
    if dora > 0 && dora < modules.len() {
        return wrong(
            "modules",
            "DoRA in all of them or in none, since the configuration says it for all",
            format!("{dora} with it"),
        );
    }
    if modules.is_empty() && whole.is_empty() {
        return wrong("modules", "at least one that stays", "none".into());
    }
    Ok(Draft {
        style: adapter.style,
        same_targets: modules.len() == adapter.modules.len(),
        modules,
        whole,
        left_out,
        raw: raw(adapter),
    })
}

/// The configuration to start from; of another kind's, what plain LoRA knows too.
pub(super) fn raw<S>(adapter: &Adapter<S>) -> Map<String, Value> {
    let shared =
        ["auto_mapping", "base_model_name_or_path", "modules_to_save", "revision", "target_modules", "task_type"];
    let Some(config) = &adapter.config else {
        return Map::new();
    };
    let mut raw = config.raw.clone();
    if !matches!(config.peft_type, PeftType::Lora) {
        raw.retain(|key, _| shared.contains(&key.as_str()));
    }
    raw
}
