//! What page and worker say of language models: which passage is read and which prompt gone on from, and what base and lanes
//! make of them. Plain data.

use crate::lang::{marked, said, tr};
use serde::{Deserialize, Serialize};

/// A passage to be read, token by token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Passage {
    /// Of the held-out text in a language ("deu_1996"), the passage of that number; past the end, it begins again.
    Held { language: String, number: usize },
    /// Typed in; of a longer text its end is read.
    Typed(String),
}

/// What is looked at in text from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub passage: Passage,
    /// Linear layer whose gates are told, by its place in [`Started::layers`](super::Started).
    pub site: usize,
}

/// A visitor's own model and texts, on their way in or out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bring {
    /// The files beside this command, of these paths.
    Open(Vec<String>),
    /// The share of each text, at its end, that no lane trains on.
    HoldOut(f32),
    /// Let a text go, by its name, or the model.
    DropText(String),
    DropModel,
    /// Leave how long a step takes unmeasured.
    StopMeasuring,
    /// Leave the reading of the model, and the run that it was read for.
    Leave,
    /// Let an adapter go, by its name.
    DropAdapter(String),
    /// Take so many of a table's last columns as targets.
    Aim(usize),
    /// Whether a table's columns are standardised.
    Standardise(bool),
    DropTable,
}

/// How a language model's text is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextInfo {
    /// What a bit is counted by: "byte", or "token" of a model that has others.
    pub token: String,
    /// Bits of guessing uniformly.
    pub guessing: f32,
}

impl Default for TextInfo {
    /// The small model's.
    fn default() -> Self {
        Self { token: marked!("byte").into(), guessing: 8.0 }
    }
}

impl TextInfo {
    /// What a bit is counted by, in words.
    pub fn token(&self) -> String {
        said(&self.token)
    }

    /// "bits per byte".
    pub fn unit(&self) -> String {
        tr!("bits per {}", self.token())
    }
}

/// What is to be seen of text. Each part is there when it was measured anew, and stays true until it comes again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TextFrame {
    pub held: Option<HeldFrame>,
    pub passage: Option<PassageFrame>,
    /// Base first, then each lane.
    pub writing: Option<Vec<WritingFrame>>,
}

/// Bits per byte, or token, of held-out texts, each passage read from its own beginning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldFrame {
    pub text: TextInfo,
    /// Languages trained on, in their order, then those that the base has read.
    pub languages: Vec<HeldLanguage>,
    /// `None` until measured.
    pub base: Option<HeldScore>,
    pub lanes: Vec<Option<HeldScore>>,
    /// By lane, of those whose gates look at a whole passage.
    pub served: Vec<Option<ServedScore>>,
}

/// Bits per byte of the same held-out passages read in one go, and served byte by byte, as text that is not there yet must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedScore {
    /// Steps done when it was measured.
    pub step: usize,
    pub at_once: f32,
    pub served: f32,
    /// Bytes read.
    pub bytes: usize,
}

/// Of the base, or of one lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldScore {
    /// Steps done when it was measured.
    pub step: usize,
    /// Bits per byte by language.
    pub bits: Vec<f32>,
    /// Bytes of each language that were read: the first so many while training, all of them at rest.
    pub bytes: Vec<usize>,
    pub whole: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldLanguage {
    pub name: String,
    /// The base has read it: what rises here is being forgotten.
    pub old: bool,
    /// Bits per byte that its training text would take: by the frequencies of single bytes, and compressed by DEFLATE
    /// (gzip's method). `None` for old ones, which have no training text here.
    pub frequencies: Option<f32>,
    pub compressed: Option<f32>,
}

/// A passage as base and lanes read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassageFrame {
    pub look: Look,
    pub step: usize,
    /// Whole characters, and how many tokens (bytes, for the small model) each is made of.
    pub characters: Vec<(String, usize)>,
    pub base: Read,
    pub lanes: Vec<Read>,
    /// Of lanes with gates at the site.
    pub gates: Vec<PassageGates>,
}

/// What one model makes of a passage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Bits that each token cost.
    pub bits: Vec<f32>,
    /// The five most probable tokens at each place, as text ("e", "␠", "0xC3"), with their shares.
    pub expected: Vec<Vec<(String, f32)>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassageGates {
    pub lane: usize,
    pub experts: usize,
    /// `[tokens, experts]`: the gates that read each token's predecessor when the token was predicted.
    pub values: Vec<f32>,
}

/// A text that goes on from the prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WritingFrame {
    /// Steps done when it began.
    pub step: usize,
    pub text: String,
    pub done: bool,
}

/// Every linear layer of every lane, summed up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapFrame {
    pub step: usize,
    pub lanes: Vec<Vec<MapCell>>,
}

/// One linear layer of a lane; `None` where the lane does not adapt it or has no gates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapCell {
    /// ‖ΔW‖ / ‖W0‖, of a mixture with its mean gate.
    pub change: Option<f32>,
    /// Bits that the leading expert tells about a token's language, and about its kind of byte.
    pub language: Option<f32>,
    pub kind: Option<f32>,
    /// Mean entropy of the gates over log N.
    pub entropy: Option<f32>,
}
