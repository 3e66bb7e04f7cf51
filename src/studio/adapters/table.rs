//! The overview's columns: what each is, how a row's value is written, in which order rows come and which are shown.
//! Knows nothing of markup.

use std::cmp::Ordering;

use crate::lang::tr;
use crate::order::sorted;
use crate::peft::overview::{Outlier, Overview};
use crate::view::format::{count, percent, three};

/// A column of the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Name,
    Rank,
    Scaling,
    Dtype,
    Norm,
    Ratio,
    EffectiveRank,
    StableRank,
    TopEnergy,
    RankInUse,
    Parameters,
}

impl Column {
    pub const ALL: [Self; 11] = [
        Self::Name,
        Self::Norm,
        Self::Ratio,
        Self::EffectiveRank,
        Self::RankInUse,
        Self::StableRank,
        Self::TopEnergy,
        Self::Rank,
        Self::Scaling,
        Self::Dtype,
        Self::Parameters,
    ];

    /// Those that can be drawn as a map.
    pub fn measured() -> Vec<Self> {
        Self::ALL.into_iter().filter(|column| !matches!(column, Self::Name | Self::Dtype)).collect()
    }

    pub fn name(self) -> String {
        match self {
            Self::Name => tr!("module"),
            Self::Rank => tr!("rank"),
            Self::Scaling => tr!("scaling"),
            Self::Dtype => tr!("dtype"),
            Self::Norm => "‖ΔW‖".into(),
            Self::Ratio => "‖ΔW‖ / ‖W0‖".into(),
            Self::EffectiveRank => tr!("effective rank"),
            Self::StableRank => tr!("stable rank"),
            Self::TopEnergy => tr!("top direction"),
            Self::RankInUse => tr!("rank in use"),
            Self::Parameters => tr!("parameters"),
        }
    }

    pub fn why(self) -> String {
        match self {
            Self::Name => tr!("The adapted module, as in the base model."),
            Self::Rank => tr!("Directions the adapter may use: columns of lora_B."),
            Self::Scaling => tr!("What B·A is multiplied by: alpha / rank, with rsLoRA alpha / √rank."),
            Self::Dtype => tr!("How the numbers are stored."),
            Self::Norm => tr!("Size of the change: the root of the sum of all its squared entries."),
            Self::Ratio => tr!("Size of the change against that of the weight it changes. Takes the base."),
            Self::EffectiveRank => {
                tr!("exp of the entropy of the singular values' shares: over how many directions the change is spread.")
            }
            Self::StableRank => {
                tr!("‖ΔW‖² / σ₁²: how many directions as strong as the first would make up the change.")
            }
            Self::TopEnergy => tr!("Share of ‖ΔW‖² that lies in the first direction."),
            Self::RankInUse => tr!("Directions that hold 99 % of ‖ΔW‖², over the rank."),
            Self::Parameters => tr!("Numbers that were trained."),
        }
    }

    /// `None` where it is not known, and for text.
    pub fn value(self, row: &Overview) -> Option<f64> {
        match self {
            Self::Name | Self::Dtype => None,
            Self::Rank => (!row.form.is_whole()).then_some(row.rank as f64),
            Self::Scaling => (!row.form.is_whole()).then_some(row.scaling),
            Self::Norm => row.norm,
            Self::Ratio => row.ratio(),
            Self::EffectiveRank => row.effective_rank(),
            Self::StableRank => row.stable_rank(),
            Self::TopEnergy => row.top_energy(),
            Self::RankInUse => row.rank_in_use(),
            Self::Parameters => Some(row.parameters as f64),
        }
    }

    pub fn text(self, row: &Overview) -> String {
        match self {
            Self::Name => row.name.clone(),
            Self::Dtype => row.dtype.name().to_owned(),
            Self::Rank if row.form.is_whole() => tr!("whole"),
            _ => self.value(row).map_or_else(|| "–".into(), |value| self.written(value)),
        }
    }

    pub fn written(self, value: f64) -> String {
        match self {
            Self::TopEnergy | Self::RankInUse | Self::Ratio => percent(value),
            Self::Rank | Self::Parameters => count(value as usize),
            _ => three(value),
        }
    }

    /// The name under which the engine counts outliers.
    pub fn outlier(self) -> Option<&'static str> {
        match self {
            Self::Norm => Some("norm"),
            Self::EffectiveRank => Some("effective rank"),
            _ => None,
        }
    }
}

/// In which order rows come: by a column, largest first or smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub falling: bool,
}

impl Sort {
    /// As the adapter has them.
    pub const NATURAL: Self = Self { column: Column::Name, falling: false };

    /// What a press on this column's heading leads to: numbers largest first.
    pub fn pressed(self, column: Column) -> Self {
        let first = column != Column::Name && column != Column::Dtype;
        Self { column, falling: if self.column == column { !self.falling } else { first } }
    }
}

/// Which rows are shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Words that all must be in the name, in any order; one that begins with "-" must not.
    pub words: String,
    pub outliers: bool,
}

impl Filter {
    pub fn shows(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        self.words.to_ascii_lowercase().split_whitespace().all(|word| match word.strip_prefix('-') {
            Some("") => true,
            Some(not) => !name.contains(not),
            None => name.contains(word),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.words.trim().is_empty() && !self.outliers
    }
}

/// The rows that are shown, in order. What is not known comes last either way.
pub fn arranged(rows: &[Overview], outliers: &[Outlier], filter: &Filter, sort: Sort) -> Vec<usize> {
    let marked = |at: usize| !filter.outliers || outliers.iter().any(|outlier| outlier.row == at);
    let shown: Vec<usize> = (0..rows.len()).filter(|&at| marked(at) && filter.shows(&rows[at].name)).collect();
    let turned = |order: Ordering| if sort.falling { order.reverse() } else { order };
    match sort.column {
        // Rows are in the order in which a person counts already.
        Column::Name if sort.falling => shown.into_iter().rev().collect(),
        Column::Name => shown,
        Column::Dtype => sorted(shown, |&a, &b| turned(rows[a].dtype.name().cmp(rows[b].dtype.name()))),
        column => sorted(shown, |&a, &b| match (column.value(&rows[a]), column.value(&rows[b])) {
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }),
    }
}

/// Smallest and largest value of a column that are known and finite.
pub fn span(rows: &[Overview], column: Column) -> Option<(f64, f64)> {
    let known = rows.iter().filter_map(|row| column.value(row)).filter(|value| value.is_finite());
    known.fold(None, |span: Option<(f64, f64)>, v| Some(span.map_or((v, v), |(low, high)| (low.min(v), high.max(v)))))
}
