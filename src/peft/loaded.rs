//! One module with its factors read and its base at hand: rows of the base, of the change and of the merged weight,
//! whatever kind of adapter made it. Knows nothing of what is measured on them.

use std::ops::Range;

use super::adapter::Adapter;
use super::change::Change;
use super::config::Init;
use super::find::{Found, find};
use super::keys::{Held, Part};
use super::module::{Factors, Magnitudes, Module, Whole};
use super::origin::taken_out;
use super::weight::{BaseWeight, Of};
use crate::error::Result;
use crate::files::{Checkpoint, Source, blocks};
use crate::lang::tr;

/// What is looked at: an adapted module, or a weight that the adapter holds whole.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    Module(&'a Module),
    Whole(&'a Whole),
}

impl<'a> Target<'a> {
    pub fn name(self) -> &'a str {
        match self {
            Self::Module(module) => &module.name,
            Self::Whole(whole) => &whole.name,
        }
    }

    /// As the base stores the weight, as a matrix.
    pub fn shape(self) -> (usize, usize) {
        match self {
            Self::Module(module) => module.shape(),
            Self::Whole(Whole { shape, .. }) => (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product()),
        }
    }
}

impl<S> Adapter<S> {
    /// Number of what can be looked at.
    pub fn targets(&self) -> usize {
        self.modules.len() + self.whole.len()
    }

    /// Target `at`: modules first, then whole weights.
    pub fn target(&self, at: usize) -> Option<Target<'_>> {
        let whole = || self.whole.get(at.checked_sub(self.modules.len())?).map(Target::Whole);
        self.modules.get(at).map(Target::Module).or_else(whole)
    }

    /// The target of that name.
    pub fn named(&self, name: &str) -> Option<Target<'_>> {
        (0..self.targets()).filter_map(|at| self.target(at)).find(|target| target.name() == name)
    }
}

/// A module or whole weight of an adapter, in the orientation in which the base stores it.
#[derive(Debug)]
pub struct Loaded<'a, S, B> {
    pub adapter: &'a Adapter<S>,
    pub target: Target<'a>,
    /// The low-rank change; `None` for a whole weight, and where it takes a base that is not there. DoRA rescales its sum
    /// with the base.
    pub change: Option<Change>,
    /// scaling · bias of lora_B.
    pub bias: Option<Vec<f64>>,
    pub rows: usize,
    pub columns: usize,
    /// Why the base that is open says nothing of it, or too little, in words.
    pub why: Option<String>,
    base: Option<BaseWeight<'a, B>>,
    /// The base's own weight, where the adapter carries it.
    stored: Option<&'a str>,
    dora: Dora,
}

#[derive(Debug)]
enum Dora {
    No,
    /// The base that its norms depend on is not there.
    Unknown,
    /// magnitude / norm, one for each output, or for each input.
    Known(Vec<f64>, Magnitudes),
}

impl<'a, S: Source, B: Source> Loaded<'a, S, B> {
    /// What is looked at, and its weight in `base` if that is there.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn of(adapter: &'a Adapter<S>, target: Target<'a>, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        match target {
            Target::Module(module) => Self::module(adapter, module, base).await,
            Target::Whole(whole) => Self::whole(adapter, whole, base).await,
        }
    }

    /// A module, and its weight in `base` if that is there.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn module(adapter: &'a Adapter<S>, module: &'a Module, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        let Factors { a, b, bias, magnitude } = adapter.factors(module).await?;
        let (rows, columns) = module.shape();
        let change =
            Change::new(module.rank, (&a, module.inputs), (&b, module.outputs), module.scaling, module.transposed);
        let mut loaded = Self {
            adapter,
            target: Target::Module(module),
            change: Some(change),
            bias: bias.map(|bias| bias.iter().map(|&v| module.scaling * f64::from(v)).collect()),
            rows,
            columns,
            why: None,
            base: None,
            stored: module.keys.get(&Part::StoredBase).map(String::as_str),
            dora: Dora::No,
        };
        if let Some(base) = base {
            let of = module.slice.map_or(Of::All, |slice| Of::One(slice.expert, slice.of));
            loaded.take(base, &adapter.base_of(module, base), of).await?;
        }
        loaded.less_origin(module).await?;
        if let (Some(magnitude), Some(kind)) = (magnitude, module.magnitudes) {
            loaded.dora = Dora::Unknown;
            if loaded.has_base() {
                let mut squares = vec![0.0; magnitude.len()];
                let at = loaded.magnitude(kind);
                loaded
                    .merged(&mut |start, values| {
                        values.iter().enumerate().for_each(|(i, v)| squares[at(start, i)] += v * v);
                    })
                    .await?;
                let scale = squares.iter().zip(magnitude).map(|(s, m)| f64::from(m) / libm::sqrt(*s)).collect();
                loaded.dora = Dora::Known(scale, kind);
            }
        }
        Ok(loaded)
    }

    /// A weight that the adapter holds whole.
    ///
    /// # Errors
    /// `Error::File` where the base's scales cannot be read.
    pub async fn whole(adapter: &'a Adapter<S>, whole: &'a Whole, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        let (rows, columns) = Target::Whole(whole).shape();
        let mut loaded = Self {
            adapter,
            target: Target::Whole(whole),
            change: None,
            bias: None,
            rows,
            columns,
            why: None,
            base: None,
            stored: None,
            dora: Dora::No,
        };
        if let Some(base) = base {
            let of = if whole.held == Held::Rows { Of::Rows(&whole.rows) } else { Of::All };
            let (module, ending) = whole.weight();
            loaded.take(base, &find(base, module, ending), of).await?;
        }
        Ok(loaded)
    }

    /// The weight that was found, if it is one of this shape; else why not.
    async fn take(&mut self, base: &'a Checkpoint<B>, found: &Found, of: Of<'_>) -> Result<()> {
        let name = self.name();
        let Some(key) = found.key() else {
            self.why = lacking(name, found);
            return Ok(());
        };
        let grown = self.grown(base, key);
        match BaseWeight::open(base, key, (self.rows, self.columns), of).await? {
            Ok(weight) => self.base = Some(weight),
            Err(_) if grown.is_some() && self.stored.is_some() => {}
            Err(problem) => self.why = Some(grown.unwrap_or(problem)),
        }
        Ok(())
    }

    /// What is to be said where the adapter has rows for another number of tokens than the base.
    fn grown(&self, base: &Checkpoint<B>, key: &str) -> Option<String> {
        let (rows, columns) = base.find(key).filter(|info| info.shape.len() == 2)?.matrix();
        let whole = matches!(self.target, Target::Whole(Whole { held: Held::Replaces, .. })) || self.stored.is_some();
        (whole && columns == self.columns && rows != self.rows).then(|| {
            let (has, count) = (self.rows, self.rows.abs_diff(rows));
            match has > rows {
                true => tr!(
                    "holds {has} rows where the base has {rows}: {count} tokens were added, and the rows cannot be compared",
                    has,
                    rows,
                    count
                ),
                false => tr!(
                    "holds {has} rows where the base has {rows}: {count} tokens were taken out, and the rows cannot be compared",
                    has,
                    rows,
                    count
                ),
            }
        })
    }

    /// Takes out what the base's own directions were to its factors; without them the change is not known.
    async fn less_origin(&mut self, module: &Module) -> Result<()> {
        let init = self.adapter.init(&module.name);
        let known = match (init, &self.base) {
            (Init::Base | Init::Quantised, _) => return Ok(()),
            (Init::Lost(setting), _) => Err(tr!(
                "init_lora_weights is \"{setting}\", which changed the base in a way that cannot be found again here",
                setting
            )),
            (_, None) => Err(tr!("what its factors began as takes the base")),
            (_, Some(base)) => taken_out(base, init, module).await?,
        };
        match (known, self.change.take()) {
            (Ok(out), Some(change)) => self.change = Some(change.less(&out)),
            (Err(why), _) => {
                self.why.get_or_insert(why);
                self.base = None;
            }
            (Ok(_), None) => {}
        }
        Ok(())
    }

    /// Which of the magnitudes an entry of a block that begins at some row is scaled by.
    fn magnitude(&self, kind: Magnitudes) -> impl Fn(usize, usize) -> usize + use<S, B> {
        let columns = self.columns.max(1);
        let transposed = matches!(self.target, Target::Module(module) if module.transposed);
        move |start, i| match kind {
            Magnitudes::Outputs if transposed => i % columns,
            Magnitudes::Outputs => start + i / columns,
            Magnitudes::Inputs(each) => i % columns / each.max(1),
        }
    }

    pub fn name(&self) -> &'a str {
        self.target.name()
    }

    /// The weight before the change can be read.
    pub fn has_base(&self) -> bool {
        self.base.is_some() || self.stored.is_some()
    }

    /// The change of weight is `change`, to the last digit: neither a whole weight nor DoRA.
    pub fn is_low_rank(&self) -> bool {
        self.change.is_some() && matches!(self.dora, Dora::No)
    }

    /// The change can be told without a base, or its base is there.
    pub fn is_known(&self) -> bool {
        self.is_low_rank() || self.has_base() || self.adds()
    }

    /// What the adapter holds is a difference.
    fn adds(&self) -> bool {
        matches!(self.target, Target::Whole(Whole { held: Held::Adds, .. }))
    }

    /// Its rows, as many at a time as are read at once.
    pub fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<S, B> {
        blocks(0..self.rows, self.columns)
    }

    /// Rows of the base's weight, row-major; `None` where it is not there.
    ///
    /// # Errors
    /// `Error::File` where it cannot be read.
    pub async fn base_rows(&self, rows: Range<usize>) -> Result<Option<Vec<f32>>> {
        match (self.stored, &self.base) {
            (Some(key), _) => self.adapter.file.read_rows(key, rows).await.map(Some),
            (None, Some(base)) => base.rows(rows).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Rows of the merged weight; `None` where the base is not there.
    ///
    /// # Errors
    /// As `base_rows`.
    pub async fn merged_rows(&self, rows: Range<usize>) -> Result<Option<Vec<f64>>> {
        if let Target::Whole(whole) = self.target {
            let values = self.held(whole, rows.clone()).await?;
            if !self.adds() {
                return Ok(Some(values));
            }
            let base = self.base_rows(rows).await?;
            return Ok(base.map(|base| values.iter().zip(base).map(|(v, b)| v + f64::from(b)).collect()));
        }
        let base = self.base_rows(rows.clone()).await?;
        Ok(base.map(|base| self.merge_rows(rows, &base)))
    }

    async fn held(&self, whole: &Whole, rows: Range<usize>) -> Result<Vec<f64>> {
        let values = self.adapter.file.read_rows(&whole.key, rows).await?;
        Ok(values.into_iter().map(f64::from).collect())
    }

    /// `rows` of the merged weight from those of the base.
    pub(super) fn merge_rows(&self, rows: Range<usize>, base: &[f32]) -> Vec<f64> {
        let Some(change) = &self.change else {
            return base.iter().map(|&v| f64::from(v)).collect();
        };
        let mut out = change.tile(rows.clone(), 0..self.columns);
        out.iter_mut().zip(base).for_each(|(o, &b)| *o += f64::from(b));
        if let Dora::Known(scale, kind) = &self.dora {
            let of = self.magnitude(*kind);
            out.iter_mut().enumerate().for_each(|(at, v)| *v *= scale[of(rows.start, at)]);
        }
        out
    }

    /// By what DoRA multiplies the sum's rows and columns; nothing of them for others.
    pub(super) fn rescaled(&self) -> Option<(&[f64], impl Fn(usize, usize) -> usize + use<S, B>)> {
        match &self.dora {
            Dora::Known(scale, kind) => Some((scale, self.magnitude(*kind))),
            _ => None,
        }
    }

    /// Rows of the change of weight. Where it depends on a base that is not there, those of the low-rank part, or
    /// nothing for a whole weight.
    ///
    /// # Errors
    /// As `base_rows`.
    pub async fn change_rows(&self, rows: Range<usize>) -> Result<Option<Vec<f64>>> {
        if let (Some(change), true) = (&self.change, self.is_low_rank() || !self.has_base()) {
            return Ok(Some(change.tile(rows, 0..self.columns)));
        }
        if let (Target::Whole(whole), true) = (self.target, self.adds()) {
            return self.held(whole, rows).await.map(Some);
        }
        let Some(base) = self.base_rows(rows.clone()).await? else {
            return Ok(None);
        };
        let merged = match self.target {
            Target::Whole(_) => self.merged_rows(rows).await?.unwrap_or_default(),
            Target::Module(_) => self.merge_rows(rows, &base),
        };
        Ok(Some(merged.into_iter().zip(base).map(|(m, b)| m - f64::from(b)).collect()))
    }

    /// Every block of the merged weight in turn, with its first row.
    async fn merged(&self, visit: &mut dyn FnMut(usize, &[f64])) -> Result<()> {
        for rows in self.blocks() {
            let start = rows.start;
            if let Some(values) = self.merged_rows(rows).await? {
                visit(start, &values);
            }
        }
        Ok(())
    }

    /// The base's weight, where it is in the base model.
    pub fn base_key(&self) -> Option<&str> {
        self.base.as_ref().map(|base| base.key.as_str())
    }
}

impl Whole {
    /// The base's name for it, as its module and what follows.
    pub fn weight(&self) -> (&str, &'static str) {
        let endings = [".weight", ".bias"];
        let apart = endings.into_iter().find_map(|ending| Some((self.name.strip_suffix(ending)?, ending)));
        apart.unwrap_or((&self.name, ""))
    }
}

/// Why a base has no weight for a module, in words; nothing where it has one.
pub(super) fn lacking(name: &str, found: &Found) -> Option<String> {
    Some(match found {
        Found::Here(_) | Found::Tied(_) => return None,
        Found::Quantised(how) => {
            tr!("the weight of \"{name}\" is quantised {how}; open the base that was not quantised", name, how)
        }
        Found::Several(one, other) => {
            tr!(
                "which weight \"{name}\" is of cannot be told: \"{one}\" or \"{other}\"; open that model's file alone",
                name,
                one,
                other
            )
        }
        Found::Nothing => {
            tr!("the base has no weight for \"{name}\"; this part of the adapter is for another base", name)
        }
    })
}
