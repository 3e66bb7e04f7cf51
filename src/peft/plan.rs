//! What a merge will change, add and leave out, and why, from names and shapes alone. Knows nothing of how it is written.

use super::adapter::Adapter;
use super::config::Init;
use super::find::{Found, find, is_tied, untied};
use super::keys::{Held, Part};
use super::loaded::{Target, lacking};
use super::module::{Module, Whole};
use super::origin::unknown;
use super::weight::scales;
use crate::error::Result;
use crate::files::{Checkpoint, Source, about, broken};
use crate::lang::tr;
use crate::order::sorted;

/// What happens to a tensor of the base, or to one expert's part of it.
#[derive(Clone, Copy, Debug)]
pub enum Becomes<'a> {
    Merged(&'a Module),
    /// Held whole by the adapter, or its difference is.
    Replaced(&'a Whole),
    /// Some of its rows are.
    Rows(&'a Whole),
    /// Plus the bias of lora_B.
    Biased(&'a Module),
}

/// Neighbouring values of a tensor, as a matrix.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    pub becomes: Becomes<'a>,
    /// Values before it.
    pub first: u64,
    pub shape: (usize, usize),
}

impl Piece<'_> {
    /// It stands for the whole tensor, however large that was.
    pub fn is_all(&self) -> bool {
        !matches!(self.becomes, Becomes::Merged(module) if module.slice.is_some())
    }
}

/// A tensor that the base does not have.
#[derive(Clone, Debug)]
pub struct Added<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    /// Beside this one, in its file and dtype.
    pub like: String,
    pub piece: Piece<'a>,
}

#[derive(Clone, Debug, Default)]
pub struct Plan<'a> {
    /// By the tensor's name; pieces in the order of their values.
    pub changes: Vec<(String, Vec<Piece<'a>>)>,
    pub added: Vec<Added<'a>>,
    /// Tensors of another shape than before.
    grown: Vec<(String, Vec<usize>)>,
    pub left_out: Vec<String>,
    pub notes: Vec<String>,
}

impl<'a> Plan<'a> {
    /// The new shape of a tensor that gets one.
    pub fn grown(&self, name: &str) -> Option<&[usize]> {
        self.grown.iter().find(|(key, _)| key == name).map(|(_, shape)| shape.as_slice())
    }

    fn change(&mut self, key: &str, piece: Piece<'a>) -> std::result::Result<(), String> {
        let twice = || tr!("\"{key}\" is changed by two modules of the adapter", key);
        match self.changes.iter_mut().find(|(other, _)| other == key) {
            None => self.changes.push((key.to_owned(), vec![piece])),
            Some((_, pieces)) if !piece.is_all() && pieces.iter().all(|p| !p.is_all() && p.first != piece.first) => {
                pieces.push(piece)
            }
            Some(_) => return Err(twice()),
        }
        Ok(())
    }
}

/// Why a module is not merged: it alone, or nothing of the adapter can be.
enum Trouble {
    Alone(String),
    All(String),
}

/// # Errors
/// As `Merge::new`.
pub fn plan<'a, S: Source, B: Source>(adapter: &'a Adapter<S>, base: &Checkpoint<B>) -> Result<Plan<'a>> {
    adapter.check_shapes()?;
    let refused = |problem: String| broken(&base.file(), problem);
    if adapter.scaling_unknown {
        let file = adapter.file.file();
        return Err(broken(&file, tr!("its scalings are in adapter_config.json; open that with it before merging")));
    }
    let mut plan = Plan::default();
    let mut first = None;
    for module in adapter.modules.iter().filter(|module| module.rank > 0) {
        let done = of_module(adapter, base, module, &mut plan);
        leave(&mut plan, &mut first, &module.name, done).map_err(refused)?;
    }
    for whole in &adapter.whole {
        let done = of_whole(base, whole, &mut plan);
        leave(&mut plan, &mut first, &whole.name, done).map_err(refused)?;
    }
    plan.left_out.extend(adapter.unresolved());
    plan.left_out.extend(adapter.not_understood.iter().cloned());
    plan.notes.extend(adapter.said.iter().cloned());
    if plan.changes.is_empty() && plan.added.is_empty() {
        let nothing = tr!("none of what the adapter holds changes a weight of the base");
        return Err(refused(first.or_else(|| plan.left_out.first().cloned()).unwrap_or(nothing)));
    }
    for (_, pieces) in &mut plan.changes {
        *pieces = sorted(std::mem::take(pieces), |a, b| a.first.cmp(&b.first));
    }
    let embeddings =
        plan.changes.iter().filter(|(key, _)| is_tied(base, key)).map(|(key, _)| {
            about(key, &tr!("the base has no head of its own; if that is tied to it, it changes with it"))
        });
    if plan.added.is_empty() {
        plan.notes.extend(embeddings.collect::<Vec<_>>());
    }
    if base.shards.len() > 1 {
        let new = plan
            .added
            .iter()
            .map(|added| about(&added.name, &tr!("is not in model.safetensors.index.json; add it there")));
        plan.notes.extend(new.collect::<Vec<_>>());
    }
    Ok(plan)
}

fn leave(
    plan: &mut Plan<'_>,
    first: &mut Option<String>,
    name: &str,
    done: std::result::Result<(), Trouble>,
) -> std::result::Result<(), String> {
    match done {
        Ok(()) => Ok(()),
        Err(Trouble::All(why)) => Err(why),
        Err(Trouble::Alone(why)) => {
            plan.left_out.push(about(name, &why));
            first.get_or_insert(why);
            Ok(())
        }
    }
}

fn of_module<'a, S: Source, B: Source>(
    adapter: &Adapter<S>,
    base: &Checkpoint<B>,
    module: &'a Module,
    plan: &mut Plan<'a>,
) -> std::result::Result<(), Trouble> {
    let (name, shape) = (&module.name, module.shape());
    let why = match adapter.init(name) {
        Init::Quantised => Some(tr!("it belongs to the quantised base that its factors began with (loftq)")),
        Init::Lost(setting) => {
            Some(tr!("init_lora_weights is \"{setting}\", and the base that is left cannot be found again", setting))
        }
        init => unknown(init, shape, module.transposed),
    };
    if let Some(why) = why {
        return Err(Trouble::All(tr!("\"{name}\" cannot be merged: {why}", name, why)));
    }
    let found = adapter.base_of(module, base);
    let key = key(base, name, &found)?.to_owned();
    let info = base.find(&key).ok_or_else(|| Trouble::Alone(tr!("the base has no \"{key}\"", key)))?;
    let values = shape.0 as u64 * shape.1 as u64;
    let first = module.slice.map_or(0, |slice| slice.expert as u64 * values);
    let piece = Piece { becomes: Becomes::Merged(module), first, shape };
    let fits = match module.slice {
        Some(slice) => info.count() as u64 == values * slice.of as u64,
        None => info.matrix() == shape,
    };
    if let Found::Tied(_) = found {
        return add(base, plan, &key, name, vec![shape.0, shape.1], piece);
    }
    let grows = module.has(Part::StoredBase) && info.shape.len() == 2 && info.matrix().1 == shape.1;
    if !fits && !grows {
        return Err(Trouble::Alone(other_shape(&key, &info.shape, shape)));
    }
    if module.has(Part::Bias) {
        let bias = format!("{}.bias", key.strip_suffix(".weight").unwrap_or(&key));
        let shape = (module.outputs, 1);
        let there = base.find(&bias).ok_or_else(|| {
            Trouble::Alone(tr!(
                "the base has no \"{bias}\", which the adapter adds to; it cannot be merged into this base",
                bias
            ))
        })?;
        if there.matrix() != shape || !there.dtype.is_float() {
            return Err(Trouble::Alone(tr!(
                "of another shape is \"{bias}\", which the adapter adds to; it cannot be merged into this base",
                bias
            )));
        }
        plan.change(&bias, Piece { becomes: Becomes::Biased(module), first: 0, shape }).map_err(Trouble::All)?;
    }
    if !fits {
        grow(plan, &key, vec![shape.0, shape.1], info.matrix().0);
    }
    plan.change(&key, piece).map_err(Trouble::All)
}

fn of_whole<'a, B: Source>(
    base: &Checkpoint<B>,
    whole: &'a Whole,
    plan: &mut Plan<'a>,
) -> std::result::Result<(), Trouble> {
    let (module, ending) = whole.weight();
    let found = find(base, module, ending);
    let key = key(base, &whole.name, &found)?.to_owned();
    let info = base.find(&key).ok_or_else(|| Trouble::Alone(tr!("the base has no \"{key}\"", key)))?;
    let (rows, width) = Target::Whole(whole).shape();
    let all = if whole.held == Held::Rows { info.matrix() } else { (rows, width) };
    let becomes = if whole.held == Held::Rows { Becomes::Rows(whole) } else { Becomes::Replaced(whole) };
    let piece = Piece { becomes, first: 0, shape: all };
    if let Found::Tied(_) = found {
        return match whole.held {
            Held::Replaces => add(base, plan, &key, module, whole.shape.clone(), piece),
            _ => Err(Trouble::Alone(tr!("the base has no such weight of its own: it is tied to \"{key}\"", key))),
        };
    }
    let fits = match whole.held {
        Held::Rows => info.matrix().1 == width && whole.rows.iter().all(|&row| row < info.matrix().0),
        _ => info.matrix() == (rows, width),
    };
    let grows = whole.held == Held::Replaces && info.shape.len() == 2 && info.matrix().1 == width;
    if !fits && !grows {
        let beyond = whole.rows.iter().find(|&&row| row >= info.matrix().0 && info.matrix().1 == width);
        return Err(Trouble::Alone(match beyond {
            Some(row) => {
                let all = info.matrix().0;
                tr!("token {row} is beyond the {all} of \"{key}\"; it is for another base", row, all, key)
            }
            None => other_shape(&key, &info.shape, (rows, width)),
        }));
    }
    if !fits {
        grow(plan, &key, whole.shape.clone(), info.matrix().0);
    }
    plan.change(&key, piece).map_err(Trouble::All)
}

/// The tensor that was found, where it can be written.
fn key<'f, B: Source>(base: &Checkpoint<B>, name: &str, found: &'f Found) -> std::result::Result<&'f str, Trouble> {
    let Some(key) = found.key() else {
        let why = lacking(name, found).unwrap_or_default();
        return Err(match found {
            Found::Quantised(how) => Trouble::All(tr!(
                "the weight of \"{name}\" is quantised {how}; merge into the base that was not quantised",
                name,
                how
            )),
            _ => Trouble::Alone(why),
        });
    };
    match base.find(key) {
        Some(info) if !info.dtype.is_float() => {
            let dtype = info.dtype;
            Err(Trouble::All(tr!("\"{key}\" is {dtype}; merge into the base that was not quantised", key, dtype)))
        }
        Some(info) if scales(base, info).is_some() => Err(Trouble::All(tr!(
            "\"{key}\" is {dtype} with scales beside it: it is quantised, and nothing is written into it; merge into the base that was not quantised",
            key,
            dtype = info.dtype
        ))),
        _ => Ok(key),
    }
}

fn other_shape(key: &str, has: &[usize], wanted: (usize, usize)) -> String {
    let (has, wanted) = (format!("{has:?}"), format!("{wanted:?}"));
    tr!("\"{key}\" is {has}, but the adapter's is {wanted}; it is for another base", key, has, wanted)
}

/// A head of its own beside the embeddings that it was tied to.
fn add<'a, B: Source>(
    base: &Checkpoint<B>,
    plan: &mut Plan<'a>,
    like: &str,
    module: &str,
    shape: Vec<usize>,
    piece: Piece<'a>,
) -> std::result::Result<(), Trouble> {
    let has = base.find(like).map_or((0, 0), |info| info.matrix());
    let replaced = match piece.becomes {
        Becomes::Merged(module) => module.has(Part::StoredBase),
        _ => true,
    };
    if has.1 != piece.shape.1 || !replaced && has != piece.shape {
        return Err(Trouble::Alone(other_shape(like, &[has.0, has.1], piece.shape)));
    }
    let name = untied(like, module);
    plan.notes.push(tr!(
        "{name}: is new, as the head was tied to \"{like}\" and now differs from it; set tie_word_embeddings to false in the model's config.json",
        name,
        like
    ));
    plan.added.push(Added { name, shape, like: like.to_owned(), piece });
    Ok(())
}

fn grow(plan: &mut Plan<'_>, key: &str, shape: Vec<usize>, before: usize) {
    let rows = shape.first().copied().unwrap_or(0);
    plan.notes.push(tr!(
        "{key}: has {rows} rows now and had {before}; set vocab_size in the model's config.json",
        key,
        rows,
        before
    ));
    plan.grown.push((key.to_owned(), shape));
}
