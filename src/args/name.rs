//! The words by which choices are known in JSON, in the URL and to people. Knows nothing of documents.

use super::{BackendChoice, DigitDomain, Form, Model, Pattern, Projection, SavedModule, Spectrum, Task};

/// A closed choice whose values have names.
pub trait Named: Copy + 'static {
    /// Every value, in the order in which they are offered.
    const ALL: &'static [Self];

    /// The name in JSON and in the URL.
    fn name(self) -> &'static str;

    /// The value of that name.
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }
}

impl Named for BackendChoice {
    const ALL: &'static [Self] = &[Self::Auto, Self::WebGpu, Self::Cpu];

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }
}

impl Named for Spectrum {
    const ALL: &'static [Self] = &[Self::Flat, Self::Harmonic];

    fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Harmonic => "harmonic",
        }
    }
}

impl Named for DigitDomain {
    const ALL: &'static [Self] = &[Self::Inverted, Self::Rotated, Self::Permuted, Self::Mirrored, Self::Shifted];

    fn name(self) -> &'static str {
        match self {
            Self::Inverted => "inverted",
            Self::Rotated => "rotated",
            Self::Permuted => "permuted",
            Self::Mirrored => "mirrored",
            Self::Shifted => "shifted",
        }
    }
}

impl Named for Pattern {
    const ALL: &'static [Self] = &[Self::Both, Self::Left, Self::Right, Self::Top, Self::Bottom, Self::Noise];

    fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Left => "left",
            Self::Right => "right",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::Noise => "noise",
        }
    }
}

impl Named for Form {
    const ALL: &'static [Self] = &[Self::Tokens, Self::Inputs];

    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Inputs => "inputs",
        }
    }
}

impl Named for Model {
    const ALL: &'static [Self] = &[Self::Small, Self::Custom];

    fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Custom => "custom",
        }
    }
}

impl Named for Projection {
    const ALL: &'static [Self] = &[Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// As PEFT's `target_modules` has it.
    fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }
}

impl Named for SavedModule {
    const ALL: &'static [Self] = &[Self::Embedding, Self::Head];

    /// As PEFT's `modules_to_save` has it.
    fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embed_tokens",
            Self::Head => "lm_head",
        }
    }
}

impl Task {
    /// "domains", "digits", "sensors", "text" or "custom".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Domains(_) => "domains",
            Self::Digits(_) => "digits",
            Self::Sensors(_) => "sensors",
            Self::Text(_) => "text",
            Self::Custom => "custom",
        }
    }
}
