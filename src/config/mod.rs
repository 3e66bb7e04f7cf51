//! The configuration: one JSON document that is at once the URL state, the API argument and the worker's
//! message. Plain validated data; knows nothing of models, engines or views.
//!
//! `Config::from_json` and `Config::from_query` are the only ways in from outside; both reject unknown keys,
//! wrong types and values out of range with an error that names the key, its value and what is allowed.

mod check;
mod default;
pub mod limits;
mod link;
mod name;
mod object;
mod parse;
mod query;
mod wire;
mod write;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

pub use link::PAGE_KEYS;
pub use name::Named;

/// A complete run: task, lanes, optimiser and schedule, reproducible from `seed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub seed: u32,
    pub backend: BackendChoice,
    pub task: Task,
    pub lanes: Vec<Lane>,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
}

/// Where training runs. `Auto` is WebGPU where an adapter exists, else the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    Auto,
    WebGpu,
    Cpu,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    Domains(Domains),
    Digits(Digits),
    Custom,
}

/// Teacher–student on `depth` linear layers: in each, every domain has its own true change of rank `true_rank`.
#[derive(Clone, Debug, PartialEq)]
pub struct Domains {
    pub dim: usize,
    /// Linear layers, with GELU between them. Theory's floors are those of one.
    pub depth: usize,
    pub domains: usize,
    pub true_rank: usize,
    /// All domains read the same input directions and write orthogonal outputs.
    pub conflict: bool,
    pub spectrum: Spectrum,
    /// Tokens per sequence.
    pub sequence: usize,
    /// Domains vary per token instead of per sequence.
    pub mixed: bool,
    /// Standard deviation of the noise added to the targets.
    pub noise: f64,
    /// Sequences per batch.
    pub batch: usize,
}

/// Singular values of a true change: all 1, or 1/i.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spectrum {
    Flat,
    Harmonic,
}

/// Handwritten digits under new domains; the upright ones are the old task.
#[derive(Clone, Debug, PartialEq)]
pub struct Digits {
    /// Which domains are trained on, in this order.
    pub domains: Vec<DigitDomain>,
    /// Images per batch.
    pub batch: usize,
    /// Steps of pretraining of the base on upright digits.
    pub pretrain: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitDomain {
    Inverted,
    Rotated,
    Permuted,
    Mirrored,
    Shifted,
}

/// One lane: a method, the layers it adapts (`None`: all of them), and what it does otherwise than usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    pub method: Method,
    pub layers: Option<Vec<usize>>,
    pub options: Options,
}

/// Switches of the literature; which method has which, `parse` says. The defaults are the plain methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub init: Init,
    /// LoRA+ (arXiv 2402.12354): the learning rate of lora_B over that of lora_A.
    pub lr_ratio: f64,
    pub weights: Weights,
    /// Logits of a router are divided by this before the softmax.
    pub temperature: f64,
    /// Standard deviation of the noise added to a router's logits while training.
    pub noise: f64,
    /// Coefficient of `Σ_{i<j} cos²(vᵢ, vⱼ)` in a MoR1E lane's loss.
    pub orthogonality: f64,
    /// AdaLoRA: directions kept at the end, on average per layer; `None` is half of `rank`.
    pub target_rank: Option<usize>,
    /// Steps from which on and until which its budget falls.
    pub budget_begin: usize,
    pub budget_end: usize,
    /// MoLA (arXiv 2402.08562): sizes by layer, in place of the method's one for all.
    pub experts_per_layer: Option<Vec<usize>>,
    pub rank_per_layer: Option<Vec<usize>>,
}

/// Where low-rank factors begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// A uniform, B zero.
    Kaiming,
    /// From the frozen weight's largest singular directions, which the frozen weight then lacks (arXiv 2404.02948).
    Pissa,
}

/// What a factor's entries may be in the forward pass; training keeps full precision behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    Float,
    /// `γ · {−1, 0, 1}` (BitNet b1.58, arXiv 2402.17764).
    Ternary,
    /// `β · {−1, 1}` (BitNet, arXiv 2310.11453).
    Binary,
}

/// Low-rank changes of another form than `B A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Direction by LoRA, length of every output row trained apart (arXiv 2402.09353).
    Dora,
    /// One square matrix between fixed folds of input and output (arXiv 2405.12130).
    Mora,
    /// `P Λ Q` whose singular values are pruned to a falling budget (arXiv 2303.10512).
    Adalora,
    /// LoRA of which each step trains the first few directions only (arXiv 2210.07558).
    Dylora,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    Full,
    Lora {
        rank: usize,
        alpha: f64,
        rslora: bool,
    },
    Variant {
        form: Form,
        rank: usize,
        /// MoRA has none.
        alpha: f64,
    },
    Molora {
        experts: usize,
        rank: usize,
        alpha: f64,
        /// Gates kept per token; 0 keeps all (soft routing).
        top_k: usize,
        renormalize: bool,
        balance: Balance,
    },
    Mor1e {
        experts: usize,
        alpha: f64,
        gate: Gate,
        /// Width of the intuition gate; `None` is `max(4, in / 8)`.
        hidden: Option<usize>,
        balance: Balance,
        /// Flex: `p` vectors that read, shared by `experts / p` that write; expert `i·q + j` reads by the i-th and writes
        /// by the j-th. `None` gives every expert two of its own.
        flex: Option<usize>,
    },
}

/// Where MoR1E's gates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A network, once per sequence, from its mean.
    Pooled,
    /// The same per token.
    Token,
    /// What the paper's own code does: fixed prototypes and a router, once per sequence. Not normalised; may be negative.
    Prototype,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Balance {
    pub kind: BalanceKind,
    pub coefficient: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceKind {
    None,
    Entropy,
    Switch,
}

/// AdamW as PyTorch defines it: decoupled decay, bias correction, eps outside the root.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub weight_decay: f64,
}

/// Linear warmup from 0, then linear decay to 0 at `total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub warmup: usize,
    pub total: usize,
}

impl Options {
    /// AdaLoRA: directions kept at the end, on average per layer of `rank`.
    pub fn target(&self, rank: usize) -> usize {
        self.target_rank.unwrap_or(rank.div_ceil(2)).min(rank)
    }
}

impl Lane {
    /// The method as it is on one layer, where sizes differ between them.
    pub fn method_at(&self, layer: usize) -> Method {
        let of = |sizes: &Option<Vec<usize>>| sizes.as_ref().and_then(|sizes| sizes.get(layer)).copied();
        let (own_experts, own_rank) = (of(&self.options.experts_per_layer), of(&self.options.rank_per_layer));
        let mut method = self.method.clone();
        match &mut method {
            Method::Full => {}
            Method::Lora { rank, .. } | Method::Variant { rank, .. } => *rank = own_rank.unwrap_or(*rank),
            Method::Molora { experts, rank, top_k, .. } => {
                *rank = own_rank.unwrap_or(*rank);
                *experts = own_experts.unwrap_or(*experts);
                *top_k = (*top_k).min(*experts);
            }
            Method::Mor1e { experts, .. } => *experts = own_experts.unwrap_or(*experts),
        }
        method
    }

    /// Whether a lane's rank can change in mid-training. MoRA's matrix has no part of smaller rank, AdaLoRA's ranks follow
    /// its budget, PiSSA's frozen weight lacks as many directions as it began with, another number of prototypes is another
    /// clustering, and shared vectors are not one expert's to keep or drop.
    pub fn can_resize(&self) -> bool {
        !matches!(self.method, Method::Full | Method::Variant { form: Form::Mora | Form::Adalora, .. })
            && self.options.init == Init::Kaiming
            && !self.method.is_other_mor1e()
    }

    /// Whether the lane is more than the four methods as they are in their papers.
    pub fn is_variant(&self) -> bool {
        matches!(self.method, Method::Variant { .. })
            || self.method.is_other_mor1e()
            || self.options != Options::default()
    }

    /// Whether a lane under way can become `other` without starting again: only the weights of terms of the loss, a
    /// router's noise and temperature, and the ratio of rates differ.
    pub fn tunes_to(&self, other: &Self) -> bool {
        let Options { lr_ratio, temperature, noise, orthogonality, .. } = other.options;
        let mut tuned = self.clone();
        tuned.options = Options { lr_ratio, temperature, noise, orthogonality, ..tuned.options };
        if let Method::Molora { balance, .. } | Method::Mor1e { balance, .. } = &mut tuned.method
            && let Method::Molora { balance: to, .. } | Method::Mor1e { balance: to, .. } = &other.method
        {
            *balance = *to;
        }
        tuned == *other
    }

    /// AdaLoRA: directions kept at the end, on average per layer.
    pub fn target_rank(&self) -> Option<usize> {
        match self.method {
            Method::Variant { form: Form::Adalora, rank, .. } => Some(self.options.target(rank)),
            _ => None,
        }
    }

    /// The lane at another size, one for all layers: the rank (of a mixture: of each expert), or the number of MoR1E's
    /// experts. Full fine-tuning has none.
    pub fn resized(&self, size: usize) -> Self {
        let mut lane = self.clone();
        let readers = self.method.readers();
        match &mut lane.method {
            Method::Full => {}
            Method::Lora { rank, .. } | Method::Variant { rank, .. } | Method::Molora { rank, .. } => {
                *rank = size;
                lane.options.rank_per_layer = None;
                lane.options.target_rank = lane.options.target_rank.map(|target| target.min(size));
            }
            Method::Mor1e { experts, .. } => {
                // Vectors that read stay as many.
                *experts = readers.map_or(size, |p| (size / p).max(1) * p);
                lane.options.experts_per_layer = None;
            }
        }
        lane
    }

    /// Whether the lane adapts this layer.
    pub fn adapts(&self, layer: usize) -> bool {
        self.layers.as_ref().is_none_or(|layers| layers.contains(&layer))
    }
}

impl Method {
    /// MoR1E with the gate of the paper's code, or with shared vectors.
    pub fn is_other_mor1e(&self) -> bool {
        matches!(self, Self::Mor1e { gate: Gate::Prototype, .. } | Self::Mor1e { flex: Some(_), .. })
    }

    /// Whether its gates come from prototypes.
    pub fn has_prototypes(&self) -> bool {
        matches!(self, Self::Mor1e { gate: Gate::Prototype, .. })
    }

    /// Vectors that read, where MoR1E's experts share them.
    pub fn readers(&self) -> Option<usize> {
        match self {
            Self::Mor1e { flex, .. } => *flex,
            _ => None,
        }
    }
}
