//! What training tells its kernels beside their buffers: the numbers of a step, and AdamW's.

/// What varies from step to step, read by the kernels at a per-step offset of one uploaded table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// First row of this step's batch in the pool.
    pub x_row: u32,
    /// Where this step's loss goes.
    pub slot: u32,
    /// Learning rate over the first bias correction.
    pub rate: f32,
    /// `1 − lr · weight_decay`.
    pub decay: f32,
    /// `1 / √(second bias correction)`.
    pub inv_sqrt_bias2: f32,
    /// Number of the step, from 0.
    pub index: u32,
}

impl Step {
    /// As the shaders' `Step` struct reads it.
    pub fn words(&self) -> [u32; 8] {
        [
            self.x_row,
            self.slot,
            self.rate.to_bits(),
            self.decay.to_bits(),
            self.inv_sqrt_bias2.to_bits(),
            self.index,
            0,
            0,
        ]
    }
}

/// What the update needs beyond the step's own numbers.
///
/// moments holds `elements` first ones, then as many second ones; losses `[slots, 32]`, then from `loss_at` on `tiles`
/// partial losses. `tiles` of 0 leaves the loss to another pass of the step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Update {
    pub elements: u32,
    pub loss_at: u32,
    pub tiles: u32,
    pub beta1: f32,
    pub beta2: f32,
    /// 1 − beta1 and 1 − beta2, rounded once from f64: 1 − 0.999 in f32 is off by 1e-5.
    pub one_minus_beta1: f32,
    pub one_minus_beta2: f32,
    pub eps: f32,
    /// 1 / the number of elements the loss is a mean over.
    pub loss_scale: f32,
}
