//! LoRA+ (Hayou et al. 2024, arXiv 2402.12354): lora_B learns at a rate of its own, a multiple of lora_A's.

use super::description::{Mark, Modifier};
use crate::args::{Setting, Settings, limits};

const RATIO: &str = "lr_ratio";

pub static LORA_PLUS: Modifier = Modifier {
    name: "lora_plus",
    applies_to: &["lora", "molora"],
    settings: &[Setting::real(RATIO, limits::LR_RATIO, 1.0)
        .link("plus")
        .explained("LoRA+ ratio", "Learning rate of B over that of A; 1 is plain LoRA. Changes in mid-training.")
        .live()],
    mark: |settings| (settings.real(RATIO) != 1.0).then_some(Mark::After("+")),
};

/// What is added to lora_B's rate, as a multiple of it.
pub fn extra_rate(settings: &Settings) -> f64 {
    settings.real(RATIO) - 1.0
}
