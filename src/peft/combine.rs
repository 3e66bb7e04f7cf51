//! Several adapters made into one, as PEFT's `add_weighted_adapter` does. Knows nothing of files beyond what a draft
//! needs.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::adapter::Adapter;
use super::draft::{Draft, DraftModule, How, Scalings};
use super::edit::raw;
use super::keys::distinct_names;
use super::module::Module;
use super::saved::is_bound;
use crate::error::{Error, Result};
use crate::files::write::pytorch;
use crate::files::{Dtype, Source, about};
use crate::lang::tr;

/// PEFT's combination types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combination {
    /// Factors added, which needs equal ranks and is only near the sum of the changes.
    Linear,
    /// Factors side by side: the sum exactly, at the sum of the ranks.
    Cat,
    /// The best approximation of the sum at this rank; `None`: the largest of the module's ranks.
    Svd(Option<usize>),
}

/// The weighted sum of `adapters`; a module that only some have is theirs. Weights held whole are left out, as there is
/// no saying which to take. Stored as `dtype`, or else as the first adapter that has the module stores it.
///
/// # Errors
/// `Error::Data` where there is nothing to combine, shapes or (for `Linear`) ranks differ, a shape takes a base that is not
/// open, a module is DoRA's, or a weight is not finite.
pub fn combine<'a, S: Source>(
    adapters: &[(&'a Adapter<S>, f64)],
    how: Combination,
    dtype: Option<Dtype>,
) -> Result<Draft<'a, S>> {
    let wrong = |what: String, expected: String, got: String| Err(Error::Data { what, expected, got });
    let Some((first, _)) = adapters.first() else {
        return wrong(tr!("adapters"), tr!("at least one"), tr!("none"));
    };
    for (adapter, _) in adapters {
        adapter.check_shapes()?;
    }
    if let Some((_, weight)) = adapters.iter().find(|(_, weight)| !weight.is_finite()) {
        return wrong(tr!("weights"), tr!("finite numbers"), weight.to_string());
    }
    if adapters.iter().any(|(adapter, _)| adapter.style != first.style) {
        return wrong(tr!("adapters"), tr!("names of one kind"), tr!("PEFT's and others"));
    }
    if let Some(dtype) = dtype.filter(|d| !d.is_float()) {
        return wrong(tr!("dtype"), tr!("a floating-point format"), dtype.to_string());
    }
    if how == Combination::Svd(Some(0)) {
        return wrong(tr!("rank"), tr!("at least 1"), "0".into());
    }
    // Experts lie in one tensor, whose parts are not written one by one.
    let own = adapters.iter().flat_map(|(a, _)| a.modules.iter()).filter(|module| module.slice.is_none());
    let adapted = own.map(|m| m.name.as_str());
    let mut modules = Vec::new();
    for name in distinct_names(adapted) {
        let part = |&(adapter, weight): &(&'a Adapter<S>, f64)| {
            let module = &adapter.modules[adapter.find(name)?];
            (module.rank > 0).then_some((adapter, module, weight))
        };
        let parts: Vec<_> = adapters.iter().filter_map(part).collect();
        let Some(&(_, like, _)) = parts.first() else {
            continue;
        };
        if let Some((_, other, _)) = parts.iter().find(|(_, module, _)| !alike(module, like)) {
            let shape = |m: &Module| format!("{:?} of {:?}", m.kind, m.shape());
            return wrong(name.into(), tr!("{}, as in the first adapter", shape(like)), shape(other));
        }
        if let Some((adapter, ..)) = parts.iter().find(|(adapter, ..)| is_bound(adapter.init(name))) {
            let expected = tr!(
                "an adapter of the base as it is; convert it with PEFT's path_initial_model_for_weight_conversion first"
            );
            return wrong(name.into(), expected, format!("init_lora_weights {:?}", adapter.init(name)));
        }
        if parts.iter().any(|(_, module, _)| module.magnitudes.is_some()) {
            return wrong(name.into(), tr!("no DoRA, whose changes cannot be added without the base"), "DoRA".into());
        }
        let ranks = parts.iter().map(|(_, module, _)| module.rank);
        let (rank, how) = match how {
            Combination::Linear if ranks.clone().any(|rank| rank != like.rank) => {
                let ranks: Vec<_> = ranks.collect();
                return wrong(name.into(), tr!("one rank in all adapters; cat and svd take any"), format!("{ranks:?}"));
            }
            Combination::Linear => (like.rank, How::Linear),
            Combination::Cat => (ranks.sum(), How::Cat),
            Combination::Svd(rank) => {
                let most = ranks.clone().sum::<usize>();
                (rank.or(ranks.max()).map_or(most, |rank| rank.min(most)), How::Svd)
            }
        };
        modules.push(DraftModule {
            name: name.to_owned(),
            rank,
            scaling: 1.0,
            times: 1.0,
            dtype: dtype.unwrap_or(like.dtype),
            how,
            parts,
        });
    }
    if modules.is_empty() {
        return wrong(tr!("adapters"), tr!("at least one module"), tr!("none"));
    }
    let mut config = raw(first);
    config.insert("use_rslora".into(), json!(false));
    config.insert("modules_to_save".into(), json!(null));
    config.insert("bias".into(), json!("none"));
    let mut left_out = Vec::new();
    for (adapter, _) in adapters {
        left_out.extend(adapter.whole.iter().map(|whole| whole.name.clone()));
        let alone = |name: &str| about(name, &tr!("experts are not combined"));
        left_out.extend(adapter.packed.iter().map(|layer| alone(&layer.name)));
        left_out.extend(adapter.not_understood.iter().cloned());
    }
    // What is not stored of a scaling is 1, and so are those of a combination.
    let scalings = adapters.iter().map(|(adapter, _)| adapter.scalings());
    let scalings = scalings.into_iter().find(|s| *s != Scalings::Nowhere).unwrap_or(Scalings::Nowhere);
    let mut draft = Draft {
        scalings,
        modules,
        whole: Vec::new(),
        copies: Vec::new(),
        metadata: pytorch(),
        left_out,
        raw: config,
        same_targets: false,
    };
    draft.settle(&first.settings);
    Ok(draft)
}

fn alike(a: &Module, b: &Module) -> bool {
    a.kind == b.kind && a.shape() == b.shape() && a.a_shape[1..] == b.a_shape[1..] && a.transposed == b.transposed
}
