//! What an adapter did to each module, in a few numbers, one module at a time so that a caller can show progress and
//! stop. Spectra come from small matrices of the rank's size. Knows nothing of how the numbers are drawn.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::adapter::Adapter;
use super::keys::Part;
use super::loaded::{Loaded, Target};
use super::module::{Kind, Module};
use crate::error::Result;
use crate::files::{Checkpoint, Dtype, Source};
use crate::method;
use crate::order::{grouped, sorted};
use crate::tensor;

/// Narrowest axis of a full matrix whose singular values are still computed: seconds, not minutes.
pub const WIDEST_DENSE: usize = 512;
/// Share of the energy that the directions in use hold.
const ENERGY_IN_USE: f64 = 0.99;

/// What is adapted, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    Lora,
    Dora,
    AdaLora,
    /// Another method's, by its name.
    Method(String),
    /// The weight is stored whole.
    Whole,
}

impl Form {
    /// As the API says it.
    pub fn name(&self) -> &str {
        match self {
            Self::Lora => "lora",
            Self::Dora => "dora",
            Self::AdaLora => "adalora",
            Self::Method(name) => name,
            Self::Whole => "whole",
        }
    }

    /// As a person reads it.
    pub fn title(&self) -> &str {
        match self {
            Self::Lora => "LoRA",
            Self::Dora => "DoRA",
            Self::AdaLora => "AdaLoRA",
            Self::Method(name) => method::find(name).map_or(name.as_str(), |method| method.title),
            Self::Whole => "Weights",
        }
    }

    pub fn is_whole(&self) -> bool {
        *self == Self::Whole
    }

    /// What it changes depends on the base's own values, so that without these it is not known, nor can it be added to another.
    pub fn takes_the_base(&self) -> bool {
        *self == Self::Dora
    }
}

/// One row of the overview.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    pub name: String,
    pub form: Form,
    pub kind: Kind,
    pub dtype: Dtype,
    /// 0 for a whole weight.
    pub rank: usize,
    pub scaling: f64,
    pub parameters: usize,
    /// As the base stores the weight.
    pub shape: (usize, usize),
    /// ‖ΔW‖, Frobenius; `None` where it takes a base that is not there, or a value is not finite.
    pub norm: Option<f64>,
    /// ‖W0‖; `None` without a base.
    pub base_norm: Option<f64>,
    /// Largest first. Of the low-rank part alone where `exact` is false; none where it would take too long.
    pub singular: Vec<f64>,
    /// `norm` and `singular` are those of ΔW itself, not of DoRA's low-rank part.
    pub exact: bool,
    /// A stored value is NaN or infinite.
    pub not_finite: bool,
    /// Why something is not known although a base is open, in words.
    pub why: Option<String>,
}

impl Overview {
    /// ‖ΔW‖ / ‖W0‖.
    pub fn ratio(&self) -> Option<f64> {
        self.norm.zip(self.base_norm).map(|(norm, base)| norm / base)
    }

    /// exp of the entropy of the singular values' shares (Roy and Vetterli): how many directions it is spread over.
    pub fn effective_rank(&self) -> Option<f64> {
        let sum: f64 = self.singular.iter().sum();
        let entropy = |v: f64| if v > 0.0 { -v / sum * libm::log(v / sum) } else { 0.0 };
        (sum > 0.0).then(|| libm::exp(self.singular.iter().map(|&v| entropy(v)).sum()))
    }

    /// ‖ΔW‖² / σ₁².
    pub fn stable_rank(&self) -> Option<f64> {
        self.top_energy().map(|share| 1.0 / share)
    }

    /// Share of ‖ΔW‖² in the first direction.
    pub fn top_energy(&self) -> Option<f64> {
        let energy: f64 = self.singular.iter().map(|v| v * v).sum();
        self.singular.first().filter(|_| energy > 0.0).map(|first| first * first / energy)
    }

    /// Directions that hold 99 % of ‖ΔW‖², over the rank: the share of it that is in use.
    pub fn rank_in_use(&self) -> Option<f64> {
        let energy: f64 = self.singular.iter().map(|v| v * v).sum();
        if self.rank == 0 || energy <= 0.0 {
            return None;
        }
        let mut held = 0.0;
        let used = self.singular.iter().take_while(|&&v| {
            let more = held < ENERGY_IN_USE * energy;
            held += v * v;
            more
        });
        // A change that the base's own directions were taken out of has more of them than the factors.
        Some(used.count() as f64 / self.rank.max(self.singular.len()) as f64)
    }
}

/// Row `at` of the overview: modules first, then whole weights.
///
/// # Errors
/// `Error::File` where a tensor cannot be read or the base has another shape.
pub async fn overview<S: Source, B: Source>(
    adapter: &Adapter<S>,
    base: Option<&Checkpoint<B>>,
    at: usize,
) -> Result<Option<Overview>> {
    let Some(target) = adapter.target(at) else { return Ok(None) };
    let loaded = Loaded::of(adapter, target, base).await?;
    row(&loaded).await.map(Some)
}

/// The overview of a loaded module.
///
/// # Errors
/// `Error::File` where the base cannot be read.
pub async fn row<S: Source, B: Source>(loaded: &Loaded<'_, S, B>) -> Result<Overview> {
    let mut out = blank(loaded.target);
    let mut base_square = 0.0;
    out.why.clone_from(&loaded.why);
    if loaded.is_low_rank() || !loaded.is_known() {
        if let Some(change) = &loaded.change {
            out.not_finite = !change.is_finite();
            out.singular = change.singular_values();
            let low_rank = libm::sqrt(out.singular.iter().map(|v| v * v).sum());
            out.norm = (!out.not_finite).then_some(low_rank);
        }
        out.exact = loaded.is_low_rank();
        if loaded.has_base() {
            for rows in loaded.blocks() {
                let base = loaded.base_rows(rows).await?.unwrap_or_default();
                base_square += base.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
            }
        }
    } else {
        let mut dense = Dense::new(loaded.rows, loaded.columns);
        for rows in loaded.blocks() {
            let base = loaded.base_rows(rows.clone()).await?.unwrap_or_default();
            base_square += base.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
            dense.add(&loaded.change_rows(rows).await?.unwrap_or_default());
        }
        out.not_finite = !dense.square.is_finite();
        out.norm = (!out.not_finite).then(|| libm::sqrt(dense.square));
        out.singular = dense.singular_values();
        out.exact = true;
    }
    if loaded.has_base() {
        out.base_norm = Some(libm::sqrt(base_square)).filter(|norm| norm.is_finite());
    }
    Ok(out)
}

/// Row `at` without what takes reading: names, ranks, shapes.
pub fn outline<S>(adapter: &Adapter<S>, at: usize) -> Option<Overview> {
    adapter.target(at).map(blank)
}

fn blank(target: Target) -> Overview {
    let (form, kind, dtype, rank, scaling, parameters) = match target {
        Target::Module(m) => (form(m), m.kind, m.dtype, m.rank, m.scaling, m.parameters),
        Target::Whole(w) => (Form::Whole, Kind::Linear, w.dtype, 0, 1.0, w.shape.iter().product()),
    };
    Overview {
        name: target.name().to_owned(),
        form,
        kind,
        dtype,
        rank,
        scaling,
        parameters,
        shape: target.shape(),
        norm: None,
        base_norm: None,
        singular: Vec::new(),
        exact: false,
        not_finite: false,
        why: None,
    }
}

fn form(module: &Module) -> Form {
    match (&module.described, module.magnitudes.is_some(), module.has(Part::E)) {
        (Some(described), ..) => Form::Method(described.method.name.to_owned()),
        (None, true, _) => Form::Dora,
        (None, false, true) => Form::AdaLora,
        (None, false, false) => Form::Lora,
    }
}

/// A full change of weight, gathered block by block: its norm, and itself where it is small enough to decompose.
struct Dense {
    shape: (usize, usize),
    square: f64,
    values: Option<Vec<f64>>,
}

impl Dense {
    fn new(rows: usize, columns: usize) -> Self {
        let small = rows.min(columns) <= WIDEST_DENSE && rows.max(columns) <= 64 * WIDEST_DENSE;
        Self { shape: (rows, columns), square: 0.0, values: small.then(Vec::new) }
    }

    fn add(&mut self, values: &[f64]) {
        self.square += values.iter().map(|v| v * v).sum::<f64>();
        if let Some(all) = &mut self.values {
            all.extend(values);
        }
    }

    fn singular_values(self) -> Vec<f64> {
        let (rows, columns) = self.shape;
        match self.values {
            Some(values) if values.len() == rows * columns && rows * columns > 0 && self.square.is_finite() => {
                dense_singular_values(&DMatrix::from_row_slice(rows, columns, &values))
            }
            _ => Vec::new(),
        }
    }
}

/// Singular values of a full matrix of finite entries, largest first: those of the triangle of its QR, which is no
/// larger than the narrower axis.
pub fn dense_singular_values(matrix: &DMatrix<f64>) -> Vec<f64> {
    let tall = if matrix.nrows() >= matrix.ncols() { matrix.clone() } else { matrix.transpose() };
    let size = tall.amax();
    if size == 0.0 || !size.is_finite() {
        return vec![0.0; tall.ncols()];
    }
    tensor::singular_values((tall / size).qr().r()).into_iter().map(|value| value * size).collect()
}

/// The adapter as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    pub modules: usize,
    pub parameters: usize,
    /// Norm over all modules together.
    pub norm: f64,
    /// The same over ‖W0‖ of the same modules; `None` where a base is missing.
    pub ratio: Option<f64>,
    /// Mean of the modules' effective ranks.
    pub effective_rank: f64,
    /// Mean share of rank in use.
    pub rank_in_use: f64,
}

pub fn totals(rows: &[Overview]) -> Totals {
    let square = |of: fn(&Overview) -> Option<f64>| -> f64 { rows.iter().filter_map(of).map(|v| v * v).sum() };
    let mean = |of: fn(&Overview) -> Option<f64>| {
        let known: Vec<f64> = rows.iter().filter_map(of).collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    };
    let (norm, base) = (square(|row| row.norm), square(|row| row.base_norm));
    let whole = !rows.is_empty() && rows.iter().all(|row| row.norm.is_some() && row.base_norm.is_some());
    Totals {
        modules: rows.len(),
        parameters: rows.iter().map(|row| row.parameters).sum(),
        norm: libm::sqrt(norm),
        ratio: whole.then(|| libm::sqrt(norm / base)),
        effective_rank: mean(Overview::effective_rank),
        rank_in_use: mean(Overview::rank_in_use),
    }
}

/// Deviations from the median, in robust standard deviations, that make an outlier.
const FAR: f64 = 3.5;

/// A module unlike the others of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlier {
    pub row: usize,
    /// Which column.
    pub column: &'static str,
    /// Robust standard deviations above (or below) the median of its type.
    pub deviations: f64,
}

/// Modules whose norm or effective rank lies far from those of the same type (last component of the name), five or more
/// of them: by the median absolute deviation, which outliers do not widen. Norms are compared by their logarithms.
pub fn outliers(rows: &[Overview]) -> Vec<Outlier> {
    let types = rows.iter().enumerate().map(|(at, row)| (row.name.rsplit('.').next().unwrap_or(&row.name), at));
    type Column = fn(&Overview) -> Option<f64>;
    let log_norm: Column = |row| row.norm.filter(|&norm| norm > 0.0).map(libm::log);
    let columns: [(&str, Column); 2] = [("norm", log_norm), ("effective rank", Overview::effective_rank)];
    let mut found = Vec::new();
    for (_, members) in grouped(types.collect()) {
        for (column, of) in &columns {
            let known: Vec<(usize, f64)> = members.iter().filter_map(|&at| of(&rows[at]).map(|v| (at, v))).collect();
            if known.len() < 5 {
                continue;
            }
            let middle = median(known.iter().map(|&(_, v)| v).collect());
            // 1.4826 makes it a standard deviation where values are normal.
            let spread = 1.4826 * median(known.iter().map(|&(_, v)| (v - middle).abs()).collect());
            // Values that agree to a part in a thousand have no outliers that matter.
            let spread = spread.max(1e-3 * middle.abs().max(1.0));
            found.extend(known.iter().filter_map(|&(row, v)| {
                let deviations = (v - middle) / spread;
                (deviations.abs() > FAR).then_some(Outlier { row, column, deviations })
            }));
        }
    }
    sorted(found, |a, b| a.row.cmp(&b.row))
}

fn median(values: Vec<f64>) -> f64 {
    let values = sorted(values, f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, singular: &[f64]) -> Overview {
        Overview {
            name: name.into(),
            form: Form::Lora,
            kind: Kind::Linear,
            dtype: Dtype::F32,
            rank: singular.len(),
            scaling: 1.0,
            parameters: 10,
            shape: (8, 8),
            norm: Some(singular.iter().map(|v| v * v).sum::<f64>().sqrt()),
            base_norm: Some(10.0),
            singular: singular.to_vec(),
            exact: true,
            not_finite: false,
            why: None,
        }
    }

    #[test]
    fn known_ranks() {
        let flat = of("q", &[2.0; 4]);
        assert!((flat.effective_rank().unwrap() - 4.0).abs() < 1e-12);
        assert_eq!((flat.stable_rank(), flat.top_energy(), flat.rank_in_use()), (Some(4.0), Some(0.25), Some(1.0)));
        assert_eq!(flat.ratio(), Some(0.4));
        let one = of("q", &[3.0, 0.0, 0.0, 0.0]);
        assert!((one.effective_rank().unwrap() - 1.0).abs() < 1e-12);
        assert_eq!((one.stable_rank(), one.top_energy(), one.rank_in_use()), (Some(1.0), Some(1.0), Some(0.25)));
        // 98 % in the first, so that the second is needed.
        assert_eq!(of("q", &[7.0, 1.0, 0.0, 0.0]).rank_in_use(), Some(0.5));
        let none = of("q", &[0.0; 4]);
        assert_eq!((none.effective_rank(), none.stable_rank(), none.rank_in_use()), (None, None, None));
    }

    #[test]
    fn an_outlier_is_one_among_its_own_type() {
        let mut rows: Vec<Overview> =
            (0..8).map(|i| of(&format!("{i}.q"), &[1.0 + 0.01 * f64::from(i), 0.5])).collect();
        rows.extend((0..8).map(|i| of(&format!("{i}.v"), &[30.0 + 0.1 * f64::from(i), 15.0])));
        assert_eq!(outliers(&rows), []);
        rows[3] = of("3.q", &[30.0, 15.0]);
        rows[12] = of("4.v", &[30.0, 30.0]);
        let found: Vec<_> = outliers(&rows).into_iter().map(|o| (o.row, o.column, o.deviations > 0.0)).collect();
        assert_eq!(found, [(3, "norm", true), (12, "norm", true), (12, "effective rank", true)]);
        let totals = totals(&rows[..2]);
        assert_eq!((totals.modules, totals.parameters, totals.rank_in_use), (2, 20, 1.0));
        assert!((totals.ratio.unwrap() - (1.0f64 + 0.25 + 1.0201 + 0.25).sqrt() / 200f64.sqrt()).abs() < 1e-12);
    }
}
