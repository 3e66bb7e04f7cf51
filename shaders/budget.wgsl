// AdaLoRA's budget: how much each singular direction matters, and which of all layers' are kept.
//
//   params, grads [elements]   of which lora_A [rank, inputs] from a on, lora_B [rank, outputs] from b on, lora_E [rank]
//   state [2, elements]        averages of |w · ∂w| and of its deviation
//   scores [layers, 512]       importance of each direction, all layers'
//
// While the budget falls directions are dropped every few steps, and may come back in between; then in every step.
//
// After AdamW: `importance` of every parameter, then `score` of the layer's directions, then, in steps that allocate,
// `allocate` sets the singular values of all but the budget's most important directions to zero.

#import lib/step

struct Dims {
  rank: u32, inputs: u32, outputs: u32, real_inputs: u32, real_outputs: u32, a: u32, b: u32, e: u32, elements: u32,
  layer: u32, layers: u32, first_budget: u32, last_budget: u32, begin: u32, end: u32, interval: u32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read> grads: array<f32>;
@group(1) @binding(3) var<storage, read_write> state: array<f32>;

const SIZE = 64u;
const WIDTH = 512u;
// PEFT's smoothing of both averages.
const BETA = 0.85;

@compute @workgroup_size(SIZE)
fn importance(@builtin(global_invocation_id) id: vec3u) {
  let ups = dims.rank * dims.inputs;
  let singular = ups + dims.rank * dims.outputs;
  if (id.x >= singular + dims.rank) { return; }
  var at = dims.a + id.x;
  if (id.x >= singular) { at = dims.e + id.x - singular; }
  else if (id.x >= ups) { at = dims.b + id.x - ups; }
  let now = abs(params[at] * grads[at]);
  let mean = BETA * state[at] + (1.0 - BETA) * now;
  state[at] = mean;
  state[dims.elements + at] = BETA * state[dims.elements + at] + (1.0 - BETA) * abs(now - mean);
}

@group(1) @binding(1) var<storage, read_write> scores: array<f32>;
@group(1) @binding(2) var<storage, read> state_read: array<f32>;

fn one(at: u32) -> f32 { return state_read[at] * state_read[dims.elements + at]; }

// A direction's: its singular value's, and the means of its two vectors'.
@compute @workgroup_size(SIZE)
fn score(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x;
  if (k >= dims.rank) { return; }
  var read = 0.0;
  for (var i = 0u; i < dims.real_inputs; i++) { read += one(dims.a + k * dims.inputs + i); }
  var write = 0.0;
  for (var i = 0u; i < dims.real_outputs; i++) { write += one(dims.b + k * dims.outputs + i); }
  scores[dims.layer * WIDTH + k] = one(dims.e + k) + read / f32(dims.real_inputs) + write / f32(dims.real_outputs);
}

@group(1) @binding(2) var<storage, read_write> params_written: array<f32>;

@compute @workgroup_size(SIZE)
fn allocate(@builtin(global_invocation_id) id: vec3u) {
  let k = id.x;
  if (k >= dims.rank || clock.index < dims.begin || (clock.index < dims.end && clock.index % dims.interval != 0u)) { return; }
  let through = min(1.0, f32(clock.index - dims.begin) / f32(dims.end - dims.begin));
  let left = 1.0 - through;
  let budget = dims.last_budget + u32(f32(dims.first_budget - dims.last_budget) * left * left * left);
  let own = dims.layer * WIDTH + k;
  var ahead = 0u;
  for (var l = 0u; l < dims.layers; l++) {
    for (var j = 0u; j < dims.rank; j++) {
      let other = l * WIDTH + j;
      if (scores[other] > scores[own] || (scores[other] == scores[own] && other < own)) { ahead++; }
    }
  }
  if (ahead >= budget) { params_written[dims.e + k] = 0.0; }
}
