//! What a method is, as data: everything that documents, links, menus, tables, sweeps, experiments and files need to know of
//! it, so that none of them asks which method it is. Knows no method.

use std::fmt;

use crate::args::{Setting, Settings};
use crate::error::Result;
use crate::graph::Arena;
use crate::method::resize::Tensors;
use crate::method::site::{AdapterPasses, LayerSite};
use crate::order::Few;

/// One way of adapting a linear layer. `y += x ΔWᵀ`, whatever ΔW is made of.
pub struct Method {
    /// In documents and links: "lora".
    pub name: &'static str,
    /// In prose: "LoRA", "full fine-tuning".
    pub title: &'static str,
    /// In a menu.
    pub short: &'static str,
    /// One sentence on what ΔW is.
    pub why: &'static str,
    /// The paper or the library that defines it.
    pub source: &'static str,
    /// Those of its own; modifiers add theirs.
    pub settings: &'static [Setting],
    /// The factor s before the adapter's output.
    pub scaling: fn(&Settings) -> f64,
    /// All that it holds on a layer, in the order in which it is stored. Counts, formula, bytes, tables and initial values
    /// follow from it.
    pub parameters: fn(&Settings, Widths) -> Vec<Parameter>,
    /// Its passes at a layer, and where what they read and leave is.
    pub record: fn(&Settings, &LayerSite, &mut Arena) -> AdapterPasses,
    /// What ΔW is made of.
    pub change: fn(&Settings, Widths) -> Change,
    /// Multiply-adds per token, for tokens that come in sequences of this length.
    pub products: fn(&Settings, Widths, usize) -> Products,
    /// What theory knows of the changes it can make.
    pub reach: fn(&Settings) -> Reach,
    pub extras: Extras,
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What not every method has.
pub struct Extras {
    /// The setting that the lane's slider moves.
    pub size: Option<Size>,
    /// How its gate is computed, in a sentence; `None` for a method without one.
    pub gate: Option<fn(&Settings) -> &'static str>,
    /// How a trained adapter takes another size; `None` where it has to begin again.
    pub resize: Option<Resize>,
    /// What stands behind the title where the settings make it another thing than usual.
    pub mark: fn(&Settings) -> &'static str,
    /// What a setting may be at most beside the others, and in words why.
    pub most: fn(&Settings, &str) -> Option<Most>,
    /// Why a setting must stay at its default beside the others.
    pub refuses: fn(&Settings, &str) -> Option<&'static str>,
    /// A budget of directions that falls while training.
    pub budget: Option<fn(&Settings) -> Budget>,
    /// Whether its first few directions can be looked at alone.
    pub cut: Option<Cut>,
    /// As a PEFT adapter.
    pub peft: Option<Peft>,
    /// Whether the scripts of `lab::python` have it.
    pub scripted: fn(&Settings) -> bool,
    /// What its gate reads, of a method with one.
    pub reads: fn(&Settings) -> Reads,
    /// What it does without numbers of its own before and behind its parameters, in a word each, and how.
    pub folds: Option<[Fold; 2]>,
    /// For a method whose gates may read tokens that come later.
    pub causal: Option<Causal>,
}

/// A rule's name, and what it makes of entries, to so many.
pub type Fold = (&'static str, fn(&[f64], usize) -> Vec<f64>);

/// What a gate is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Each token's own input.
    Token,
    /// The mean of its sequence.
    Sequence,
    /// The mean of the sequence up to it.
    SoFar,
}

/// Of gates that may read tokens that come later: where a model predicts those, they would have the answer before them.
#[derive(Clone, Copy, Debug)]
pub struct Causal {
    /// The setting that decides it.
    pub key: &'static str,
    pub reads_ahead: fn(&Settings) -> bool,
    /// What takes its place there.
    pub instead: &'static str,
    /// What is allowed there, for a message.
    pub allowed: &'static str,
}

impl Extras {
    pub const NONE: Self = Self {
        size: None,
        gate: None,
        resize: None,
        mark: |_| "",
        most: |_, _| None,
        refuses: |_, _| None,
        budget: None,
        cut: None,
        peft: None,
        scripted: |_| false,
        reads: |_| Reads::Token,
        folds: None,
        causal: None,
    };
}

/// Inputs and outputs of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    pub inputs: usize,
    pub outputs: usize,
}

/// One axis of a parameter: what it counts, so that a formula can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Inputs,
    Outputs,
    Experts(usize),
    Rank(usize),
    /// A width of the method's own.
    Width(usize),
}

impl Axis {
    pub fn len(self, widths: Widths) -> usize {
        match self {
            Self::Inputs => widths.inputs,
            Self::Outputs => widths.outputs,
            Self::Experts(n) | Self::Rank(n) | Self::Width(n) => n,
        }
    }
}

/// A tensor that a method holds on a layer.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub axes: Vec<Axis>,
    pub start: Start,
    pub trained: bool,
    /// Parts of the formula that belong together under one word: "router". "" is the adapter itself.
    pub part: &'static str,
    /// In drawings; "" is the end of its name.
    symbol: &'static str,
}

impl Parameter {
    pub fn trained(name: &'static str, axes: impl Into<Vec<Axis>>, start: Start) -> Self {
        Self { name, axes: axes.into(), start, trained: true, part: "", symbol: "" }
    }

    pub fn frozen(name: &'static str, axes: impl Into<Vec<Axis>>, start: Start) -> Self {
        Self { trained: false, ..Self::trained(name, axes, start) }
    }

    pub fn part(self, part: &'static str) -> Self {
        Self { part, ..self }
    }

    /// Drawn under this sign.
    pub fn drawn(self, symbol: &'static str) -> Self {
        Self { symbol, ..self }
    }

    pub fn symbol(&self) -> &'static str {
        if self.symbol.is_empty() { self.name.rsplit(['.', '_']).next().unwrap_or(self.name) } else { self.symbol }
    }

    pub fn shape(&self, widths: Widths) -> Vec<usize> {
        self.axes.iter().map(|axis| axis.len(widths)).collect()
    }

    pub fn len(&self, widths: Widths) -> usize {
        self.shape(widths).iter().product()
    }
}

/// Where a parameter begins.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Zero,
    One,
    Constant(f64),
    /// Uniform in ±1/√fan-in, which PEFT's `kaiming_uniform(a=√5)` comes to.
    Uniform {
        fan_in: usize,
    },
    /// Normal with this standard deviation.
    Normal(f64),
    /// Made from what is known of the layer before training.
    Made(fn(&Settings, &Layer) -> Vec<f32>),
    /// k-means centroids of the layer's mean inputs over each sequence, at length 1.
    InputCentroids,
}

/// A layer before training.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    pub widths: Widths,
    /// The frozen weight, `[outputs, inputs]`.
    pub weight: &'a [f32],
    /// Of the run: what all layers are to share is drawn from a generator that begins with it.
    pub seed: u64,
}

/// What ΔW is made of, by the names of the tensors that the layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A matrix `[outputs, inputs]`, under this name.
    Dense(&'static str),
    Product(Product),
}

/// `ΔW = s Σₙ gₙ Bₙ Aₙ`; without gates, of one expert, `s B A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// `[experts, rank, inputs]`.
    pub a: &'static str,
    /// `[experts, outputs, rank]`.
    pub b: &'static str,
    pub experts: usize,
    pub rank: usize,
    pub gated: bool,
    /// Gates are shares of 1.
    pub shares: bool,
    /// Vectors that read, where rank-1 experts share them: expert `i·q + j` has the i-th, and the j-th that writes.
    pub readers: Option<usize>,
    /// What the factors began with was taken out of the frozen weight, and is no part of the change.
    pub from_weight: bool,
}

impl Product {
    /// Factors without a gate.
    pub const fn plain(a: &'static str, b: &'static str, rank: usize) -> Change {
        Change::Product(Self { a, b, experts: 1, rank, gated: false, shares: true, readers: None, from_weight: false })
    }
}

/// Multiply-adds per token of an adapter's products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Products {
    /// The change is merged into the weight before it is applied, so the layer's own product is all.
    InTheWeight,
    Apart {
        /// From x.
        down: usize,
        inner: usize,
        /// To y.
        up: usize,
        /// Of these, what has no gradient of its own.
        untrained: usize,
    },
}

/// The changes that a method can make, as far as theory has a bound near the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any single matrix, or any of at most this rank.
    Single {
        rank: Option<usize>,
    },
    /// Experts of this rank behind a gate; 0 keeps all gates. One gate may serve a whole sequence.
    Routed {
        experts: usize,
        rank: usize,
        top_k: usize,
        per_sequence: bool,
    },
    Unknown,
}

/// The setting that a lane's slider moves.
#[derive(Clone, Copy)]
pub struct Size {
    pub key: &'static str,
    /// What is said of it where it moves the trained adapter.
    pub why: &'static str,
    /// Furthest that the slider goes.
    pub furthest: usize,
    /// It comes in multiples of this.
    pub multiple_of: fn(&Settings) -> usize,
}

impl Size {
    pub const RANK: Self = Self {
        key: "rank",
        why: "Rank of ΔW. Changes the trained adapter in place: growing adds directions that change nothing yet, shrinking keeps the best part.",
        furthest: 32,
        multiple_of: |_| 1,
    };
}

#[derive(Clone, Copy)]
pub struct Resize {
    /// Whether these settings allow it.
    pub allowed: fn(&Settings) -> bool,
    /// Whether it takes the experts' mean gates.
    pub by_gate: bool,
    /// Makes of one layer's tensors under the old settings those under the new ones.
    pub run: fn(&Sizes, &mut dyn Tensors) -> Result<()>,
}

/// A layer's settings before and after a change of size, with the scalings under them.
#[derive(Clone, Copy)]
pub struct Sizes<'a> {
    pub old: &'a Settings,
    pub new: &'a Settings,
    pub scalings: (f64, f64),
    pub widths: Widths,
}

/// What a setting may be at most, and why.
pub struct Most {
    pub value: usize,
    pub why: String,
}

/// Directions kept: all until `begin`, then fewer by a cubic until `end`. The tensor's zeros are the pruned ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub tensor: &'static str,
    /// On one layer.
    pub first: usize,
    pub last: usize,
    pub begin: usize,
    pub end: usize,
    /// Directions are dropped every so many steps, and may come back in between.
    pub interval: usize,
}

/// Looking at the first few directions alone.
#[derive(Clone, Copy)]
pub struct Cut {
    /// The whole rank, where these settings allow it.
    pub rank: fn(&Settings) -> Option<usize>,
    /// The tensor `[outputs, rank]` whose columns are dropped.
    pub tensor: &'static str,
    /// Every smaller rank is trained for, so that it is worth showing.
    pub trained: bool,
}

/// How PEFT stores an adapter of this method.
#[derive(Clone, Copy)]
pub struct Peft {
    /// `peft_type` in adapter_config.json.
    pub kind: &'static str,
    /// Our tensors' names and PEFT's endings behind the module's name: `("lora_A", "lora_A.weight")`.
    pub tensors: &'static [(&'static str, &'static str)],
    /// Tensors that the file has once, for all modules: our names and PEFT's.
    pub shared: &'static [(&'static str, &'static str)],
    /// Keys of adapter_config.json beside those of every adapter.
    pub config: fn(&Settings) -> serde_json::Value,
    /// Whether these settings can be stored so; what else is to be said.
    pub allowed: fn(&Settings) -> bool,
    /// How such adapters are opened; `None` for LoRA's own, whose tensors go by more names than PEFT gives them.
    pub opens: Option<Opens>,
}

/// How tensors that PEFT stored make the factors of a low-rank change of scaling 1.
#[derive(Clone, Copy)]
pub struct Opens {
    /// A `[rank, inputs]` and B `[outputs, rank]` of `ΔW = B A`.
    pub factors: fn(&Held) -> (Vec<f32>, Vec<f32>),
    /// Why a file may lack what its modules share, and what to do about it.
    pub without_shared: &'static str,
}

/// What a file holds for one module, by our names. Each tensor has the axes that `parameters` declares: of what several
/// modules share, a module of fewer inputs or outputs has the first rows and columns.
#[derive(Clone, Debug)]
pub struct Held {
    pub rank: usize,
    pub widths: Widths,
    pub values: Few<&'static str, Vec<f32>>,
}

impl Held {
    /// Nothing where there is no tensor of that name.
    pub fn get(&self, name: &str) -> &[f32] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }
}
