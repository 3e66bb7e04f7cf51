//! What the page and the worker say to each other: commands in, events out. Plain data, sent as postcard bytes.
//! Knows nothing of how training runs or how it is drawn, so either side can be replaced or tested alone.

pub mod text;

use serde::{Deserialize, Serialize};

use crate::config::{Config, Edit, Lane, SavedModule, What};
pub use crate::task::floors::{Binds, Floor};
use crate::task::network::LinearSite;
use crate::task::text::own::About;

/// From the page to the trainer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Begin a new run, dropping the present one.
    Start {
        config: Config,
        paused: bool,
        /// What is to be changed on its way, by step.
        then: Vec<Edit>,
    },
    Run,
    /// Train until so many steps are done, then pause.
    Until(usize),
    Pause,
    /// One step, then paused.
    Step,
    /// At most this many steps per second; `None` is as fast as the backend goes.
    Speed(Option<u32>),
    /// Change rank (LoRA, MoLoRA) or number of experts (MoR1E) of a trained lane, in place.
    SetRank {
        lane: usize,
        rank: usize,
    },
    /// Give a trained lane other weights for the terms of its loss, other noise or temperature, in place.
    Tune {
        lane: usize,
        to: Lane,
    },
    /// The lane's adapter as files, or a language model with the lane merged into it.
    Save {
        lane: usize,
        merged: bool,
    },
    /// What the inspector shows from now on.
    Watch(Watch),
    /// Show what one expert carries: its gate is zero in the probe evaluation (training is not touched).
    Ablate(Option<Ablate>),
    /// A drawn digit; `None` clears the pad.
    Draw(Option<Sketch>),
    /// Which passage of text is shown, and whose gates with it.
    Look(text::Look),
    /// A prompt that base and lanes go on from as they train; `None` to stop.
    Write(Option<String>),
    /// A visitor's own model and texts.
    Bring(text::Bring),
    /// The tab was hidden or shown; hidden tabs do not train.
    Visible(bool),
    /// Whether somebody looks at the losses of cut factors, which are measured only then.
    Cuts(bool),
    /// The probe token whose way through the watched layer is looked at.
    Flow(Option<usize>),
    /// Another page begins to look at the run under way, and is to hear what was.
    Join,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ablate {
    pub lane: usize,
    pub layer: usize,
    pub expert: usize,
}

impl Edit {
    /// What makes this change in a run under way.
    pub fn command(self) -> Command {
        let lane = self.lane;
        match self.what {
            What::Lane(to) => Command::Tune { lane, to },
            What::Off(off) => Command::Ablate(off.map(|(layer, expert)| Ablate { lane, layer, expert })),
        }
    }
}

/// The lane and layer under inspection and, for mixtures, which merge is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub lane: usize,
    pub layer: usize,
    pub merge: MergeMode,
    /// Domain for (c) and (d).
    pub domain: usize,
    /// Token of the probe batch for (a).
    pub token: usize,
}

/// How a mixture is turned into one weight; the letters are those of the inspector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeMode {
    /// (a) the chosen token's own gate: exact for that token.
    PerInput,
    /// (b) the mean gate.
    MeanGate,
    /// (c) the mean gate of each domain.
    MeanGatePerDomain,
    /// (d) each domain's top expert alone.
    TopExpertPerDomain,
    /// (e) least squares over the data.
    LeastSquares,
}

/// From the trainer to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// What is being done before training can begin ("compiling shaders", "pretraining the base").
    Stage(String),
    /// Pretraining of the `digits` base.
    Pretraining {
        step: usize,
        total: usize,
        loss: f32,
        accuracy: f32,
    },
    /// Which share of a visitor's own model has been read for the run asked for.
    Reading(f32),
    /// Another run takes the place of the one before; `Started` follows.
    Begins(Box<Config>),
    /// A run is set up.
    Started(Box<Started>),
    /// For pages that have come late: what holds, and each lane's losses so far.
    Again {
        started: Box<Started>,
        losses: Vec<Vec<f32>>,
    },
    Frame(Box<Frame>),
    /// Of a language model, what was read and written since the last of these.
    Text(Box<text::TextFrame>),
    /// What of their own a visitor has brought so far.
    Brought(Box<About>),
    /// What was to be saved: files by name, and none where that failed, so that whoever waits is answered in turn.
    Saved(Vec<(String, Vec<u8>)>),
    /// The run asked for cannot begin, because it insists on WebGPU, which cannot be had: what is missing and what helps, in
    /// words. On the CPU it could.
    NoGpu {
        reason: String,
    },
    /// Something went wrong that the person should know; the run, if any, is unharmed unless `fatal`.
    Problem {
        message: String,
        fatal: bool,
    },
}

/// What holds for a whole run (or until a rank changes).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub config: Config,
    /// "webgpu" or "cpu".
    pub backend: String,
    /// The GPU's name, or "CPU".
    pub adapter: String,
    /// Why WebGPU is not used, when `auto` fell back to the CPU.
    pub fallback: Option<String>,
    pub layers: Vec<LayerInfo>,
    /// Tables of a language model that a lane may train whole, with their parameters.
    pub tables: Vec<(SavedModule, usize)>,
    /// Names of the domains, in the order of every per-domain value.
    pub domains: Vec<String>,
    /// Mean squared target change per element: losses divided by it are shares of the target's energy.
    /// 1 for cross-entropy.
    pub energy: f32,
    /// Rank of a true change, where the task has one.
    pub true_rank: Option<usize>,
    pub floors: Vec<Floor>,
    /// Of a language model.
    pub text: Option<text::TextInfo>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerInfo {
    pub site: LinearSite,
    /// "gelu" or "" for none.
    pub activation: String,
}

/// One displayed moment of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Steps done.
    pub step: usize,
    pub running: bool,
    pub steps_per_second: f32,
    /// Learning rate of the next step.
    pub lr: f32,
    pub lanes: Vec<LaneFrame>,
    /// One per adapted layer of every lane that has a gate.
    pub gates: Vec<GateFrame>,
    pub weight: Option<WeightFrame>,
    /// Answers for the drawn digit, when there is one: the frozen base first, then each lane.
    pub drawing: Vec<DrawAnswer>,
    pub ranks: RanksFrame,
    /// What was changed since the last frame.
    pub edits: Vec<Edit>,
    /// There while somebody looks at it.
    pub flow: Option<FlowFrame>,
    /// Of a language model, every linear layer summed up; there when measured anew.
    pub map: Option<text::MapFrame>,
}

/// What is to be seen of ranks that are not one fixed number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RanksFrame {
    /// One per AdaLoRA lane, in frames that follow a step in which its budget was kept.
    pub budgets: Vec<BudgetFrame>,
    /// Present when measured anew.
    pub cuts: Option<CutsFrame>,
}

/// How an AdaLoRA lane's budget is shared out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetFrame {
    pub lane: usize,
    /// The step (0-based) after which this was so.
    pub step: usize,
    /// Each adapted layer, and its directions in use.
    pub layers: Vec<(usize, usize)>,
}

/// Loss of lanes whose factors are cut to their first directions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutsFrame {
    /// Steps done when it was measured.
    pub step: usize,
    /// Tokens of the training data that it was measured on.
    pub tokens: usize,
    pub lanes: Vec<CutLane>,
    /// Rank, and the share that the best single weight of that rank leaves; none where nothing is proved.
    pub floors: Vec<(usize, f64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutLane {
    pub lane: usize,
    /// Directions kept, and the loss (share of the target's energy on these tokens, or cross-entropy); the last is the lane
    /// as it is.
    pub losses: Vec<(usize, f32)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaneFrame {
    /// As it is now: a rank slider moves this, not the configuration the run began with.
    pub lane: Lane,
    /// Trainable parameters.
    pub parameters: usize,
    /// Frozen weights of the adapted layers, biases left out, which `parameters` is a share of.
    pub base_parameters: usize,
    /// How `parameters` comes about, with the values in it: "2 · 64 · 8".
    pub formula: String,
    /// The step at which the loss stopped being a number.
    pub diverged: Option<usize>,
    /// Steps that were done when it last changed other than by training, as by its rank; 0 if it never did.
    pub since: usize,
    /// Its loss as it is now, where it changed and no step was made since: the mean of the last batches trained on.
    pub measured: Option<f32>,
    /// Step of the first of `losses`; the page appends them to what it has.
    pub losses_from: usize,
    /// Task loss before each step, without the balance term.
    pub losses: Vec<f32>,
    /// `digits`: accuracy on the held-out images of each domain, then on the old task; present when measured anew.
    pub accuracy: Option<Accuracy>,
    /// Singular values of ΔW of the watched layer (mean gate for mixtures), largest first.
    pub spectrum: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    pub step: usize,
    pub domains: Vec<f32>,
    /// Upright digits, before adaptation learned by the base.
    pub old: f32,
}

/// The gate of one lane's layer on the fixed probe batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateFrame {
    pub lane: usize,
    pub layer: usize,
    pub experts: usize,
    /// Domain of each probe token (columns of `tokens`).
    pub token_domains: Vec<usize>,
    /// `[tokens, experts]`, row-major.
    pub tokens: Vec<f32>,
    /// Mean gate per domain, `[domains, experts]`.
    pub domains: Vec<f32>,
    /// Mean gate over all probe tokens, `[experts]`: one column of the picture over training time.
    pub mean: Vec<f32>,
    /// Share of tokens whose largest gate is this expert's, `[experts]`.
    pub utilisation: Vec<f32>,
    /// Mean over tokens of the gate's entropy, divided by log N: 1 is uniform, 0 is one expert only. Of a gate of two
    /// parts, of its router's softmax, for the gate itself is no share of 1.
    pub entropy: f32,
    /// The two parts of a prototype gate.
    pub parts: Option<GateParts>,
    /// The expert that is switched off, and the loss on each domain with and without it.
    pub ablation: Option<AblationFrame>,
}

/// A prototype gate, `4(1−ω)⟨cᵢ, e⟩ + N·ω·softmax(W_r x)ᵢ`, taken apart: means by domain, `[domains, experts]` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateParts {
    /// ω, the router's share: 0 is intuition alone, 1 the router alone.
    pub share: f32,
    pub intuition: Vec<f32>,
    pub router: Vec<f32>,
}

impl GateFrame {
    /// Whether a token's gates are shares of 1, as all are but those by prototypes.
    pub fn is_shares(&self) -> bool {
        self.parts.is_none()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AblationFrame {
    pub expert: usize,
    /// Loss per domain as trained (share of the target's energy, or cross-entropy).
    pub with: Vec<f32>,
    /// The same with this expert's gate at zero.
    pub without: Vec<f32>,
}

/// The weight under inspection. `W0 + ΔW` is left to the reader of both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightFrame {
    pub watch: Watch,
    /// Outputs and inputs of the layer.
    pub rows: usize,
    pub cols: usize,
    /// `[rows, cols]`, row-major.
    pub w0: Vec<f32>,
    pub delta: Vec<f32>,
    /// Singular values of `delta`, largest first.
    pub singular: Vec<f32>,
    /// ‖ΔW‖ / ‖W0‖, Frobenius; `None` where W0 is 0.
    pub ratio: Option<f32>,
    pub merge: MergeFrame,
    /// The mixture's experts, where there are any.
    pub experts: Option<ExpertsFrame>,
}

/// A probe token's way through one layer, by the parts of the lane's [`crate::method::drawing::Drawing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowFrame {
    pub lane: usize,
    pub layer: usize,
    /// Of so many.
    pub token: usize,
    pub tokens: usize,
    /// In the order of [`Vector`].
    pub vectors: Vec<Vec<f32>>,
    /// Of each part: its numbers, and what leaves it.
    pub values: Vec<Vec<f32>>,
    pub outs: Vec<Vec<f32>>,
    /// The matrices that make the gates.
    pub gate: Vec<Vec<f32>>,
}

#[derive(Clone, Copy, Debug)]
pub enum Vector {
    /// What the layer reads.
    X,
    /// The frozen weight as the lane has it, `[outputs, inputs]`, and what it makes of x, with the layer's bias.
    Weight,
    Frozen,
    /// What leaves the last part, times the scaling.
    Added,
    /// What leaves the layer.
    Y,
    /// What the gate reads.
    Read,
    /// The numbers of what stands behind the sum.
    Behind,
}

impl FlowFrame {
    pub fn get(&self, vector: Vector) -> &[f32] {
        self.vectors.get(vector as usize).map_or(&[], Vec::as_slice)
    }
}

/// A mixture's experts by themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpertsFrame {
    pub count: usize,
    pub rank: usize,
    /// `[count · rank, inputs]`: v of rank-1 experts.
    pub a: Vec<f32>,
    /// `[count · rank, outputs]`: u of rank-1 experts, with the scaling in it.
    pub b: Vec<f32>,
    /// Vectors that read, where experts share them: expert `i·(count / shared) + j` has the i-th, and the j-th that writes.
    pub shared: Option<usize>,
    /// `[count, count]`: cosine between two experts' changes of the weight; 0 where one is zero.
    pub cosines: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MergeFrame {
    /// LoRA and full: `max |merged(x) − adapted(x)|` over the probe batch.
    Exact { error: f32 },
    /// Mixtures have no exact merge: the task loss of the routed model and of each merge, on so many tokens of the training
    /// data.
    Mixture { routed: f32, tokens: usize, modes: Vec<MergeResult> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeResult {
    pub mode: MergeMode,
    /// Task loss with this merge (share of these tokens' own energy, or cross-entropy); none for (a), which is one token's.
    pub loss: Option<f32>,
    /// `max |merged(x) − adapted(x)|` over the probe batch; for (a) over the chosen token.
    pub error: f32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawAnswer {
    /// `None` is the frozen base.
    pub lane: Option<usize>,
    /// Probability of each digit, `[10]`.
    pub probabilities: Vec<f32>,
    /// Gate of each adapted layer for this drawing, token by token.
    pub gates: Vec<Vec<f32>>,
    /// Tokens that it is told in: sensors that see it, where there are some.
    pub tokens: usize,
}

/// What a person draws, and what of it is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    /// 8×8, row-major, 0 (paper) to 16 (ink).
    pub pixels: Vec<f32>,
    /// Which sensors see it, where the task has two: the left one, the right one.
    pub there: [bool; 2],
}
