//! What is shown, as functions of what the trainer reports. Knows neither trainer nor how passes run.

pub mod format;
pub mod now;
