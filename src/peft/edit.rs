//! Changes to one adapter: rank, scale, modules, dtype. Knows nothing of files beyond what a draft needs.

use serde_json::{Map, Value};

use super::adapter::Adapter;
use super::config::PeftType;
use super::draft::{Draft, DraftModule, How, Scalings};
use super::keys::{Held, Part};
use super::saved::{is_bound, metadata, understood};
use crate::error::{Error, Result};
use crate::files::{Dtype, Source, about};
use crate::lang::{marked, tr};

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
    let wrong = |what: String, expected: String, got: String| Err(Error::Data { what, expected, got });
    adapter.check_shapes()?;
    if edit.rank == Some(0) {
        return wrong(tr!("rank"), tr!("at least 1"), "0".into());
    }
    if !edit.scale.is_finite() {
        return wrong("scale".into(), tr!("a finite number"), edit.scale.to_string());
    }
    if let Some(dtype) = edit.dtype.filter(|d| !d.is_float()) {
        return wrong(tr!("dtype"), tr!("a floating-point format"), dtype.to_string());
    }
    for name in &edit.drop {
        if adapter.find(name).is_none() && adapter.whole.iter().all(|whole| whole.name != *name) {
            let hint = tr!("it can drop only what its overview lists");
            return Err(Error::Missing { what: marked!("module"), name: name.clone(), hint });
        }
    }
    let scalings = adapter.scalings();
    let mut left_out = edit.drop.clone();
    let mut modules = Vec::new();
    let (packed, own): (Vec<_>, Vec<_>) = adapter.modules.iter().partition(|module| module.slice.is_some());
    for module in own.iter().filter(|module| !edit.drop.contains(&module.name)) {
        if module.rank == 0 {
            left_out.push(about(&module.name, &tr!("its rank is 0")));
            continue;
        }
        let rank = edit.rank.map_or(module.rank, |rank| rank.min(module.rank));
        if is_bound(adapter.init(&module.name)) && (rank < module.rank || edit.scale != 1.0) {
            let expected = tr!(
                "the rank and scale that it has, since its factors began as the base's own directions and belong to what is left of the base (init_lora_weights); convert it with PEFT's path_initial_model_for_weight_conversion first"
            );
            return wrong(module.name.clone(), expected, tr!("rank {rank}, scale {scale}", rank, scale = edit.scale));
        }
        let said = if scalings == Scalings::Nowhere { 1.0 } else { module.scaling * edit.scale };
        modules.push(DraftModule {
            name: module.name.clone(),
            rank,
            scaling: said,
            times: if scalings == Scalings::Nowhere { module.scaling * edit.scale } else { 1.0 },
            dtype: edit.dtype.unwrap_or(module.dtype),
            how: if rank < module.rank { How::Svd } else { How::Keep },
            parts: vec![(adapter, *module, edit.scale)],
        });
    }
    let mut copies = Vec::new();
    for layer in &adapter.packed {
        let of_layer = |name: &str| name.strip_prefix(&*layer.name).is_some_and(|rest| rest.starts_with('.'));
        let smaller = edit.rank.is_some_and(|rank| {
            packed.is_empty() || packed.iter().any(|module| of_layer(&module.name) && module.rank > rank)
        });
        if smaller || edit.scale != 1.0 || edit.drop.iter().any(|name| of_layer(name)) {
            left_out.push(about(&layer.name, &tr!("its experts are saved only as they are")));
            continue;
        }
        for info in layer.pairs.iter().flat_map(|pair| [&pair.a, &pair.b]) {
            copies.push((adapter, info.name.as_str(), edit.dtype.unwrap_or(info.dtype)));
        }
    }
    let kept = adapter.whole.iter().filter(|whole| !edit.drop.contains(&whole.name));
    // A difference grows with the rest; what takes a weight's place does not.
    let times = |held: Held| if held == Held::Adds { edit.scale } else { 1.0 };
    let whole: Vec<_> = kept.map(|w| (adapter, w, edit.dtype.unwrap_or(w.dtype), times(w.held))).collect();
    let dora = modules.iter().filter(|m| m.parts[0].1.has(Part::Magnitude)).count();
    if dora > 0 && dora < modules.len() && scalings == Scalings::Config {
        return wrong(
            tr!("modules"),
            tr!("DoRA in all of them or in none, since the configuration says it for all"),
            tr!("{dora} with it", dora),
        );
    }
    if modules.is_empty() && whole.is_empty() && copies.is_empty() {
        return wrong(tr!("modules"), tr!("at least one that stays"), tr!("none"));
    }
    left_out.extend(adapter.not_understood.iter().cloned());
    let mut draft = Draft {
        scalings,
        same_targets: modules.len() == own.len(),
        modules,
        whole,
        copies,
        metadata: metadata(adapter),
        left_out,
        raw: raw(adapter),
    };
    if edit.rank.is_some() || edit.scale != 1.0 || !edit.drop.is_empty() {
        draft.settle(&adapter.settings);
    }
    Ok(draft)
}

/// The configuration to start from; of another kind's, what plain LoRA knows too.
pub(super) fn raw<S>(adapter: &Adapter<S>) -> Map<String, Value> {
    let shared =
        ["auto_mapping", "base_model_name_or_path", "modules_to_save", "revision", "target_modules", "task_type"];
    let Some(config) = &adapter.config else {
        return Map::new();
    };
    let mut raw = understood(config);
    if !matches!(config.peft_type, PeftType::Lora) {
        raw.retain(|key, _| shared.contains(&key.as_str()));
    }
    raw
}
