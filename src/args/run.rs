//! The plain values of a run: task, optimiser, schedule, and where it trains, with their defaults. Knows nothing of how
//! they are written or what they do.

use super::Named;

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
    Sensors(Sensors),
    Text(Text),
    Custom,
}

impl Task {
    /// Layers of the task's network, which lanes choose from by number; `None` where a given model brings its own.
    pub fn layer_count(&self) -> Option<usize> {
        match self {
            Self::Domains(domains) => Some(domains.depth),
            Self::Custom => Some(1),
            Self::Digits(_) | Self::Sensors(_) => Some(3),
            Self::Text(Text { model: Model::Small, .. }) => Some(SMALL_LAYERS),
            Self::Text(Text { model: Model::Custom, .. }) => None,
        }
    }

    /// Linear layers of the network, where they are known beforehand; of a given model, one at least.
    pub fn site_count(&self) -> usize {
        let each = if self.has_projections() { Projection::ALL.len() } else { 1 };
        self.layer_count().map_or(1, |layers| layers * each)
    }

    /// The layer that a linear layer is in.
    pub fn layer_of(&self, site: usize) -> usize {
        if self.has_projections() { site / Projection::ALL.len() } else { site }
    }

    /// Whether its layers are a transformer's blocks, of which a lane may adapt some projections alone.
    pub fn has_projections(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

/// Blocks of the small language model.
const SMALL_LAYERS: usize = 4;

/// A language model on text in several languages, which predicts each token from those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub model: Model,
    /// Codes of the languages trained on ("deu_1996"), in this order.
    pub languages: Vec<String>,
    /// Tokens of a passage.
    pub sequence: usize,
    /// Passages per batch.
    pub batch: usize,
    /// Allows gates that read a whole passage at once, and so the tokens that are to be predicted.
    pub cheat: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The small one that comes with the page: bytes for tokens.
    Small,
    /// Given by the caller.
    Custom,
}

/// A linear layer of a transformer's block, as Llama names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Projection {
    Query,
    Key,
    Value,
    Output,
    Gate,
    Up,
    Down,
}

impl Projection {
    /// Its module within the block: "self_attn.q_proj".
    pub fn module(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }
}

/// A table of a language model beside its blocks, by the names that PEFT's `modules_to_save` has for them. A lane that trains
/// one trains a copy of its own, as PEFT's does: where the base ties the head to the embedding, the embedding by itself leaves
/// the head at the base's weight, and both named are two weights from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SavedModule {
    Embedding,
    Head,
}

impl SavedModule {
    /// As transformers has it: "model.embed_tokens".
    pub fn module(self) -> &'static str {
        match self {
            Self::Embedding => "model.embed_tokens",
            Self::Head => "lm_head",
        }
    }
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

/// Handwritten digits seen by two sensors, one for each half, either of which may be missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensors {
    /// What there is of the images that are trained on, each pattern as often as another.
    pub patterns: Vec<Pattern>,
    pub form: Form,
    /// Images per batch.
    pub batch: usize,
    /// Steps of pretraining of the base on whole digits.
    pub pretrain: usize,
}

/// What the sensors tell of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    Both,
    /// The other sensor is not there.
    Left,
    Right,
    /// Both are there, with their upper half alone, or their lower one.
    Top,
    Bottom,
    /// Both are there, and the right one tells nothing but noise.
    Noise,
}

/// How the sensors reach the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Each is a token through the same layers; the head reads the mean of those that are there.
    Tokens,
    /// Both are inputs of one network, 0 where one is missing.
    Inputs,
}

impl Form {
    /// Tokens of an image.
    pub fn tokens(self) -> usize {
        match self {
            Self::Tokens => 2,
            Self::Inputs => 1,
        }
    }
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

impl Default for Domains {
    fn default() -> Self {
        Self {
            dim: 64,
            depth: 1,
            domains: 4,
            true_rank: 2,
            conflict: true,
            spectrum: Spectrum::Flat,
            sequence: 8,
            mixed: false,
            noise: 0.0,
            batch: 32,
        }
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self {
            domains: vec![DigitDomain::Inverted, DigitDomain::Rotated, DigitDomain::Mirrored, DigitDomain::Shifted],
            batch: 64,
            pretrain: 1500,
        }
    }
}

impl Default for Sensors {
    fn default() -> Self {
        let patterns = vec![Pattern::Both, Pattern::Left, Pattern::Right];
        Self { patterns, form: Form::Tokens, batch: 64, pretrain: 1000 }
    }
}

impl Default for Text {
    fn default() -> Self {
        let languages = ["deu_1996", "swh", "rus", "tur"].map(str::to_owned).into();
        Self { model: Model::Small, languages, sequence: 64, batch: 8, cheat: false }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self { lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self { warmup: 50, total: 2000 }
    }
}
