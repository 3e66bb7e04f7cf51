// What varies from step to step: see `Step` in the recordings' module.

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32, index: u32 }

@group(0) @binding(0) var<uniform> clock: Step;
