// A frozen weight that is stored in 32 bits: four of its numbers, by fours, or one.

@group(1) @binding(2) var<storage, read> w0: array<vec4f>;
@group(1) @binding(2) var<storage, read> w0_single: array<f32>;

fn frozen(at: u32) -> vec4f { return w0[at]; }
fn frozen_single(at: u32) -> f32 { return w0_single[at]; }
