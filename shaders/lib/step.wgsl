// What varies from step to step, as the Rust `Step` has it: rate is the learning rate over the first bias correction, decay
// 1 − lr · weight decay, inv_sqrt_bias2 one over the root of the second bias correction.

struct Step { x_row: u32, slot: u32, rate: f32, decay: f32, inv_sqrt_bias2: f32, index: u32 }

@group(0) @binding(0) var<uniform> clock: Step;
