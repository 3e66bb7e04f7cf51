// Factors of few values: of each expert's two matrices one scale and signs, or also zeros.
//
//   factors: lora_A [slots, inputs] and the router [router, inputs], then lora_B [slots, outputs]
//   params: lora_A and the router from a on, lora_B from b on
//
// One workgroup does one matrix: matrix m is expert m / 2's lora_A, or lora_B; the last copies the router.

#import lib/total

struct Dims {
  rank: u32, experts: u32, slots: u32, router: u32, inputs: u32, outputs: u32, real_inputs: u32, real_outputs: u32,
  a: u32, b: u32, ternary: u32,
}

const SIZE = 64u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

@compute @workgroup_size(SIZE)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let up = group.x % 2u == 1u;
  let expert = group.x / 2u;
  var width = dims.inputs;
  var real = dims.real_inputs;
  var to = expert * dims.rank * width;
  var at = dims.a + to;
  if (expert == dims.experts) {
    to = dims.slots * width;
    for (var i = local.x; i < dims.router * width; i += SIZE) { factors[to + i] = params[dims.a + to + i]; }
    return;
  }
  if (up) {
    width = dims.outputs;
    real = dims.real_outputs;
    at = dims.b + expert * dims.rank * width;
    to = (dims.slots + dims.router) * dims.inputs + expert * dims.rank * width;
  }
  let count = dims.rank * width;
  var sum = 0.0;
  var size = 0.0;
  for (var i = local.x; i < count; i += SIZE) {
    sum += params[at + i];
    size += abs(params[at + i]);
  }
  let elements = f32(dims.rank * real);
  let mean = total(local.x, sum) / elements;
  let scale = total(local.x, size) / elements;
  for (var i = local.x; i < count; i += SIZE) {
    let w = params[at + i];
    var q = sign(w - mean);
    if (dims.ternary == 1u) {
      // As PyTorch's round: halves to even.
      q = select(clamp(round(w / scale), -1.0, 1.0), 0.0, scale == 0.0);
    }
    factors[to + i] = select(0.0, scale * q, i % width < real);
  }
}
