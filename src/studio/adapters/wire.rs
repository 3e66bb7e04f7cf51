//! What the page and the worker that holds the files say to each other, as plain data. Files themselves travel beside an
//! order, and what was written beside a report, since neither is bytes. Knows nothing of what is shown.

use serde::{Deserialize, Serialize};

use crate::peft::combine::Combination;
use crate::peft::compare::Comparison;
use crate::peft::intruders::Direction as Leading;
use crate::peft::overview::Overview;
use crate::peft::view::{Direction, Norms, Weight};

/// An opened adapter; never used for another.
pub type Id = u32;

/// A part of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub row: usize,
    pub col: usize,
    pub rows: usize,
    pub cols: usize,
}

/// Changes to be saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub rank: Option<usize>,
    pub scale: f64,
    pub dtype: Option<String>,
    pub drop: Vec<String>,
}

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Open the files beside this order, of these paths.
    Open(Vec<String>),
    Close(Id),
    CloseBase,
    /// Measure every module; with the base where `base` says so.
    Measure {
        adapter: Id,
        base: bool,
    },
    /// The weights of one row of the overview, or a part of them. The newest such order is the one that counts.
    Look {
        adapter: Id,
        row: usize,
        region: Option<Region>,
    },
    Intruders {
        adapter: Id,
        row: usize,
    },
    Compare {
        first: Id,
        second: Id,
    },
    /// The weighted sum, opened under that name.
    Combine {
        parts: Vec<(Id, f64)>,
        how: Combination,
        dtype: Option<String>,
        name: String,
    },
    Save {
        adapter: Id,
        change: Change,
    },
    /// Into the file beside this order, or else into memory.
    Merge(Id),
    /// What a merge would do.
    Plan(Id),
    /// Give up whatever takes long.
    Stop,
}

impl Order {
    /// One at a time, and answered by `Done`, `Stopped` or `Failed`.
    pub fn is_long(&self) -> bool {
        use Order::{Combine, Compare, Intruders, Measure, Merge, Save};
        matches!(self, Measure { .. } | Intruders { .. } | Compare { .. } | Combine { .. } | Save { .. } | Merge(_))
    }

    /// It is about this adapter.
    pub fn concerns(&self, id: Id) -> bool {
        match self {
            Self::Measure { adapter, .. }
            | Self::Look { adapter, .. }
            | Self::Intruders { adapter, .. }
            | Self::Save { adapter, .. }
            | Self::Close(adapter)
            | Self::Plan(adapter)
            | Self::Merge(adapter) => *adapter == id,
            Self::Compare { first, second } => *first == id || *second == id,
            Self::Combine { parts, .. } => parts.iter().any(|(part, _)| *part == id),
            Self::Open(_) | Self::CloseBase | Self::Stop => false,
        }
    }
}

/// What an opened adapter is, before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub id: Id,
    pub name: String,
    /// Names, ranks, shapes; nothing measured.
    pub rows: Vec<Overview>,
    pub not_understood: Vec<String>,
    /// What has to be known of the numbers beside that.
    pub said: Vec<String>,
    /// As the configuration names it.
    pub base_name: Option<String>,
    pub bytes: f64,
    pub has_config: bool,
}

/// The open base model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    pub name: String,
    pub files: usize,
    pub bytes: f64,
    pub tensors: usize,
    pub dtype: Option<String>,
}

/// What a merge would do, before it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Tensors that will change, by name.
    pub changes: Vec<String>,
    /// What will not, each with why.
    pub left_out: Vec<String>,
    pub notes: Vec<String>,
}

/// Two modules of one name, held against each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub name: String,
    /// Why not, in words, where they cannot be.
    pub comparison: Result<Comparison, String>,
}

/// The weights of one module, shrunk to cells, row-major.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub adapter: Id,
    pub row: usize,
    pub shape: (usize, usize),
    pub region: Region,
    pub cells: (usize, usize),
    pub base: Option<Vec<f32>>,
    pub change: Option<Vec<f32>>,
    pub merged: Option<Vec<f32>>,
    /// Of the whole weight; not with a part of it.
    pub whole: Option<Whole>,
}

/// What is told of a whole weight beside its picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    pub base: Option<Norms>,
    pub change: Option<Norms>,
    pub merged: Option<Norms>,
    /// Of the change, the leading ones.
    pub directions: Vec<Direction>,
}

impl Whole {
    /// The norms of one of the three weights.
    pub fn norms_of(&mut self, weight: Weight) -> &mut Option<Norms> {
        match weight {
            Weight::Base => &mut self.base,
            Weight::Change => &mut self.change,
            Weight::Merged => &mut self.merged,
        }
    }
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// The worker listens.
    Ready,
    Opened {
        adapters: Vec<Listed>,
        base: Option<Base>,
        /// What could not be opened, each with why and what to do.
        refused: Vec<String>,
        /// Files that have no part in an adapter.
        passed_over: Vec<String>,
    },
    /// Rows of the overview as they are measured, and what could not be.
    Measured {
        adapter: Id,
        rows: Vec<(usize, Overview)>,
        problem: Option<String>,
    },
    Looked(Box<Look>),
    Intruders {
        adapter: Id,
        row: usize,
        directions: Option<Vec<Leading>>,
    },
    Compared(Vec<Pair>),
    /// What a merge would do, or why there can be none.
    Planned {
        adapter: Id,
        plan: Result<Planned, String>,
    },
    /// How much of the long work is done.
    Progress {
        done: f64,
        of: f64,
    },
    /// The long work is done; what was written, if anything, lies beside this report: name, and what to say of it.
    Done {
        saved: Vec<String>,
        said: Vec<String>,
    },
    Stopped,
    /// Why an order could not be carried out; `long` if it was the long work.
    Failed {
        message: String,
        long: bool,
    },
    /// Why the worker itself is of no more use.
    Crashed(String),
}
