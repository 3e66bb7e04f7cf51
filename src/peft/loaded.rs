//! One module with its factors read and its base at hand: rows of the base, of the change and of the merged weight,
//! whatever kind of adapter made it. Knows nothing of what is measured on them.

use std::ops::Range;

use super::adapter::{Adapter, Factors, Module, Whole};
use super::change::Change;
use super::find::{base_weight, find};
use super::keys::Part;
use crate::error::Result;
use crate::files::{Checkpoint, Source, blocks, broken};

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
    /// The low-rank change; `None` for a whole weight. DoRA rescales its sum with the base.
    pub change: Option<Change>,
    /// scaling · bias of lora_B.
    pub bias: Option<Vec<f64>>,
    pub rows: usize,
    pub columns: usize,
    base: Option<(&'a Checkpoint<B>, String)>,
    /// The base's own weight, where the adapter carries it.
    stored: Option<&'a str>,
    dora: Dora,
}

#[derive(Debug)]
enum Dora {
    No,
    /// The base that its norms depend on is not there.
    Unknown,
    /// magnitude / norm, one for each output.
    Known(Vec<f64>),
}

impl<'a, S: Source, B: Source> Loaded<'a, S, B> {
    /// What is looked at, and its weight in `base` if that is there.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read, or the base's has another shape.
    pub async fn of(adapter: &'a Adapter<S>, target: Target<'a>, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        match target {
            Target::Module(module) => Self::module(adapter, module, base).await,
            Target::Whole(whole) => Self::whole(adapter, whole, base),
        }
    }

    /// A module, and its weight in `base` if that is there.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read, or the base's has another shape.
    pub async fn module(adapter: &'a Adapter<S>, module: &'a Module, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        let factors = adapter.factors(module).await?;
        Self::with(adapter, module, factors, base).await
    }

    async fn with(
        adapter: &'a Adapter<S>,
        module: &'a Module,
        factors: Factors,
        base: Option<&'a Checkpoint<B>>,
    ) -> Result<Self> {
        let Factors { a, b, bias, magnitude } = factors;
        let (rows, columns) = module.shape();
        let (inputs, outputs) = (module.inputs, module.outputs);
        let change = Change::new(module.rank, (&a, inputs), (&b, outputs), module.scaling, module.transposed);
        let base = base.and_then(|base| base_weight(base, &module.name, adapter.style).map(|key| (base, key)));
        let stored = module.keys.get(&Part::StoredBase).map(String::as_str);
        let mut loaded = Self {
            adapter,
            target: Target::Module(module),
            change: Some(change),
            bias: bias.map(|bias| bias.iter().map(|&v| module.scaling * f64::from(v)).collect()),
            rows,
            columns,
            base,
            stored,
            dora: Dora::No,
        };
        loaded.check_base()?;
        if let Some(magnitude) = magnitude {
            loaded.dora = Dora::Unknown;
            if loaded.has_base() {
                let mut squares = vec![0.0; outputs];
                loaded
                    .merged(&mut |start, values| {
                        for (at, v) in values.iter().enumerate() {
                            let output = if module.transposed { at % columns } else { start + at / columns };
                            squares[output] += v * v;
                        }
                    })
                    .await?;
                let scale = squares.iter().zip(magnitude).map(|(s, m)| f64::from(m) / libm::sqrt(*s)).collect();
                loaded.dora = Dora::Known(scale);
            }
        }
        Ok(loaded)
    }

    /// A weight that the adapter holds whole.
    ///
    /// # Errors
    /// `Error::File` where the base's has another shape.
    pub fn whole(adapter: &'a Adapter<S>, whole: &'a Whole, base: Option<&'a Checkpoint<B>>) -> Result<Self> {
        let (rows, columns) = Target::Whole(whole).shape();
        let base = base.and_then(|base| find(base, &whole.name).map(|key| (base, key)));
        let loaded = Self {
            adapter,
            target: Target::Whole(whole),
            change: None,
            bias: None,
            rows,
            columns,
            base,
            stored: None,
            dora: Dora::No,
        };
        loaded.check_base()?;
        Ok(loaded)
    }

    fn check_base(&self) -> Result<()> {
        let Some((base, key)) = &self.base else {
            return Ok(());
        };
        let shape = base.find(key).map_or((0, 0), |info| info.matrix());
        if shape == (self.rows, self.columns) {
            return Ok(());
        }
        let (expected, has) = ((self.rows, self.columns), format!("{}×{}", shape.0, shape.1));
        let problem =
            format!("\"{key}\" is {has}, but the adapter's is {}×{}; it is for another base", expected.0, expected.1);
        Err(broken(&base.file(), problem))
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
        self.is_low_rank() || self.has_base()
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
            (None, Some((base, key))) => base.read_rows(key, rows).await.map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Rows of the merged weight; `None` where the base is not there.
    ///
    /// # Errors
    /// As `base_rows`.
    pub async fn merged_rows(&self, rows: Range<usize>) -> Result<Option<Vec<f64>>> {
        if let Target::Whole(whole) = self.target {
            let values = self.adapter.file.read_rows(&whole.key, rows).await?;
            return Ok(Some(values.into_iter().map(f64::from).collect()));
        }
        let base = self.base_rows(rows.clone()).await?;
        Ok(base.map(|base| self.merge_rows(rows, &base)))
    }

    /// `rows` of the merged weight from those of the base.
    pub(super) fn merge_rows(&self, rows: Range<usize>, base: &[f32]) -> Vec<f64> {
        let Some(change) = &self.change else {
            return base.iter().map(|&v| f64::from(v)).collect();
        };
        let mut out = change.tile(rows.clone(), 0..self.columns);
        out.iter_mut().zip(base).for_each(|(o, &b)| *o += f64::from(b));
        if let Dora::Known(scale) = &self.dora {
            let transposed = matches!(self.target, Target::Module(module) if module.transposed);
            for (at, v) in out.iter_mut().enumerate() {
                *v *= scale[if transposed { at % self.columns } else { rows.start + at / self.columns }];
            }
        }
        out
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
        self.base.as_ref().map(|(_, key)| key.as_str())
    }
}
