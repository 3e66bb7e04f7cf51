//! Everything that can happen to what is open. Knows nothing of what it changes.

use super::wire::{Change, Id, Region, Report};
use crate::peft::combine::Combination;

/// Which of the parts is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Overview,
    Module,
    Compare,
    Combine,
    Save,
}

/// Anything that happens.
#[derive(Clone, Debug)]
pub enum Msg {
    /// Files of these paths are handed over, beside this.
    Open(Vec<String>),
    /// The same of two adapters that are to be compared.
    OpenPair(Vec<String>),
    Choose(usize),
    /// Call an adapter otherwise.
    Rename(Id, String),
    Show(Part),
    Close(Id),
    CloseBase,
    Look {
        row: usize,
        region: Option<Region>,
    },
    Intruders,
    Compare(Id, Id),
    /// Adapters, each times a weight.
    Combine {
        parts: Vec<(Id, f64)>,
        how: Combination,
        dtype: Option<String>,
    },
    Save(Change),
    /// A merge; where it goes lies beside this.
    Merge,
    Cancel,
    /// Measure again what a cancel left unmeasured.
    Measure,
    Report(Report),
    Gone(String),
    Say(String),
    Dismiss,
}
