// The first directions of two factors, as many as a step draws; all of them where it does not draw.
//
//   factors: lora_A [slots, inputs], then lora_B [slots, outputs]   params: the same, from a and from b on
//
// One invocation does one element.

#import lib/random, lib/step

struct Dims { rank: u32, slots: u32, inputs: u32, outputs: u32, a: u32, b: u32, sampled: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  let kept = select(dims.rank, 1u + pcg(clock.index) % dims.rank, dims.sampled == 1u);
  if (id.x < part) {
    factors[id.x] = select(0.0, params[dims.a + id.x], id.x / dims.inputs < kept);
  } else {
    let i = id.x - part;
    factors[id.x] = select(0.0, params[dims.b + i], i / dims.outputs < kept);
  }
}
