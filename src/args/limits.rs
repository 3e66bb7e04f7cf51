//! What values are allowed: one table for documents, URLs and the sliders of the page.

use crate::decimal::plain;
use crate::lang::tr;

/// Whole numbers from `min` to `max`, both allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    pub min: usize,
    pub max: usize,
}

/// Finite numbers from `min` to `max`; `max` itself only if `closed`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real {
    pub min: f64,
    pub max: f64,
    pub closed: bool,
}

const fn whole(min: usize, max: usize) -> Whole {
    Whole { min, max }
}

const fn real(min: f64, max: f64) -> Real {
    Real { min, max, closed: true }
}

impl std::fmt::Display for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&tr!("a whole number from {} to {}", self.min, self.max))
    }
}

impl std::fmt::Display for Real {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { min, max, closed } = *self;
        let below = if closed { String::new() } else { tr!("below ") };
        f.write_str(&tr!("a number from {} to {below}{}", plain(min), plain(max), below))
    }
}

impl Whole {
    /// Every one of them; none where `min` is above `max`.
    pub fn all(self) -> std::ops::RangeInclusive<usize> {
        self.min..=self.max
    }

    pub fn contains(&self, value: usize) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

impl Real {
    pub fn contains(&self, value: f64) -> bool {
        value >= self.min && (value < self.max || self.closed && value == self.max)
    }
}

/// The one version of the document there is.
pub const VERSION: Whole = whole(1, 1);
pub const SEED: Whole = whole(0, u32::MAX as usize);
pub const LANES: Whole = whole(1, 8);

pub const DIM: Whole = whole(4, 256);
pub const DOMAINS: Whole = whole(1, 8);
pub const TRUE_RANK: Whole = whole(1, 256);
pub const SEQUENCE: Whole = whole(1, 64);
pub const BATCH: Whole = whole(1, 512);
/// Tokens in a batch: batch · sequence.
pub const TOKENS: usize = 4096;
pub const NOISE: Real = real(0.0, 10.0);
/// Tokens of a passage of text.
pub const PASSAGE: Whole = whole(2, 1024);
pub const PRETRAIN: Whole = whole(0, 20_000);

pub const RANK: Whole = whole(1, 512);
pub const EXPERTS: Whole = whole(1, 64);
/// Rank of a whole mixture: experts · rank. A batch's down-projection has this width, so it bounds memory.
pub const MIXTURE_RANK: usize = 512;
/// Not 0: changing a trained adapter's rank divides by the scaling.
pub const ALPHA: Real = real(0.001, 10_000.0);
/// From 2: a layer norm of width 1 would make every gate constant.
pub const HIDDEN: Whole = whole(2, 512);
pub const COEFFICIENT: Real = real(0.0, 100.0);
pub const LR_RATIO: Real = real(0.01, 1000.0);
/// Not 0: logits are divided by it.
pub const TEMPERATURE: Real = real(0.01, 100.0);
/// Adapted layers of one network.
pub const DEPTH: Whole = whole(1, 8);

pub const LR: Real = real(0.0, 100.0);
pub const BETA: Real = Real { min: 0.0, max: 1.0, closed: false };
/// Not 0: a gradient that is exactly 0, as a gate's at the first step, would be 0/0.
pub const EPS: Real = real(1e-16, 1.0);
pub const WEIGHT_DECAY: Real = real(0.0, 10.0);
pub const WARMUP: Whole = whole(0, 1_000_000);
pub const TOTAL: Whole = whole(1, 1_000_000);
