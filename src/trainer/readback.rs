//! What was read back from the engine for one frame. Plain data.

/// One readback.
pub struct Readback {
    /// Steps done when it was taken.
    pub step: usize,
    /// Of each lane, in the padded layout.
    pub params: Vec<Vec<f32>>,
}
