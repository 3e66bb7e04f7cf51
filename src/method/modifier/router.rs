//! A router's temperature and noise: logits are divided by the one, and noise of this deviation is added to them while
//! training (Shazeer et al. 2017, arXiv 1701.06538), so that no expert is forgotten.

use super::description::Modifier;
use crate::args::{Setting, Settings, limits};

pub static ROUTER: Modifier = Modifier {
    name: "router",
    applies_to: &["molora"],
    settings: &[
        Setting::real("temperature", limits::TEMPERATURE, 1.0)
            .link("temp")
            .explained(
                "temperature",
                "The router's logits are divided by this: below 1 gates are sharper, above 1 flatter. Changes in mid-training.",
            )
            .live(),
        Setting::real("noise", limits::NOISE, 0.0)
            .link("noise")
            .explained(
                "router noise",
                "Standard deviation of the noise added to the router's logits while training, so that no expert is forgotten. Changes in mid-training.",
            )
            .live(),
    ],
    mark: |_| None,
};

/// What logits are multiplied by, and the deviation of the noise then added.
pub fn router(settings: &Settings) -> (f32, f32) {
    ((1.0 / settings.real("temperature")) as f32, settings.real("noise") as f32)
}
