//! The words by which choices are known in JSON, in the URL and to people. Knows nothing of documents.

use super::{BackendChoice, BalanceKind, DigitDomain, Form, Gate, Init, Method, Spectrum, Task, Weights};

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

impl Named for Gate {
    const ALL: &'static [Self] = &[Self::Pooled, Self::Token, Self::Prototype];

    fn name(self) -> &'static str {
        match self {
            Self::Pooled => "pooled",
            Self::Token => "token",
            Self::Prototype => "prototype",
        }
    }
}

impl Named for BalanceKind {
    const ALL: &'static [Self] = &[Self::None, Self::Entropy, Self::Switch];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Entropy => "entropy",
            Self::Switch => "switch",
        }
    }
}

impl Named for Form {
    const ALL: &'static [Self] = &[Self::Dora, Self::Mora, Self::Adalora, Self::Dylora];

    fn name(self) -> &'static str {
        match self {
            Self::Dora => "dora",
            Self::Mora => "mora",
            Self::Adalora => "adalora",
            Self::Dylora => "dylora",
        }
    }
}

impl Named for Init {
    const ALL: &'static [Self] = &[Self::Kaiming, Self::Pissa];

    fn name(self) -> &'static str {
        match self {
            Self::Kaiming => "kaiming",
            Self::Pissa => "pissa",
        }
    }
}

impl Named for Weights {
    const ALL: &'static [Self] = &[Self::Float, Self::Ternary, Self::Binary];

    fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Ternary => "ternary",
            Self::Binary => "binary",
        }
    }
}

impl Task {
    /// "domains", "digits" or "custom".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Domains(_) => "domains",
            Self::Digits(_) => "digits",
            Self::Custom => "custom",
        }
    }
}

impl Method {
    /// "full", "lora", "molora", "mor1e", or its form's.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lora { .. } => "lora",
            Self::Variant { form, .. } => form.name(),
            Self::Molora { .. } => "molora",
            Self::Mor1e { .. } => "mor1e",
        }
    }
}
