// DoRA: a weight whose direction is W0 + s B A and whose rows have trained lengths, as a change of W0.
//
//   w0, delta, v, d_delta, dv [outputs, inputs]   params: lora_A [slots, inputs] from a on, lora_B [slots, outputs] from
//   b on, the magnitudes [outputs] from m on
//
// v is the direction before it is scaled. Its length is a constant to the gradient, as in the paper.

#import lib/total
#import frozen

struct Dims {
  inputs: u32, outputs: u32, real_outputs: u32, rank: u32, a: u32, b: u32, m: u32, scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(3) var<storage, read_write> v: array<f32>;
@group(1) @binding(4) var<storage, read_write> delta: array<f32>;

const SIZE = 64u;

// Magnitude over length; a row of zeros has no direction.
fn ratio(o: u32, square: f32) -> f32 {
  return select(params[dims.m + o] / sqrt(square), 0.0, square == 0.0);
}

// One workgroup per output row.
@compute @workgroup_size(SIZE)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let o = group.x;
  let row = o * dims.inputs;
  var square = 0.0;
  for (var i = local.x; i < dims.inputs; i += SIZE) {
    var sum = 0.0;
    for (var k = 0u; k < dims.rank; k++) {
      sum += params[dims.b + k * dims.outputs + o] * params[dims.a + k * dims.inputs + i];
    }
    let value = frozen_single(row + i) + dims.scale * sum;
    v[row + i] = value;
    square += value * value;
  }
  let share = ratio(o, total(local.x, square));
  for (var i = local.x; i < dims.inputs; i += SIZE) { delta[row + i] = share * v[row + i] - frozen_single(row + i); }
}

@group(1) @binding(2) var<storage, read> d_delta: array<f32>;
@group(1) @binding(4) var<storage, read_write> dv: array<f32>;
@group(1) @binding(5) var<storage, read_write> grads: array<f32>;

// One workgroup per output row: the gradients of its magnitude, of the direction, and of its column of lora_B.
@compute @workgroup_size(SIZE)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let o = group.x;
  let row = o * dims.inputs;
  var square = 0.0;
  var along = 0.0;
  for (var i = local.x; i < dims.inputs; i += SIZE) {
    square += v[row + i] * v[row + i];
    along += v[row + i] * d_delta[row + i];
  }
  square = total(local.x, square);
  along = total(local.x, along);
  if (local.x == 0u) { grads[dims.m + o] = select(along / sqrt(square), 0.0, square == 0.0); }
  let share = ratio(o, square);
  for (var i = local.x; i < dims.inputs; i += SIZE) { dv[row + i] = share * d_delta[row + i]; }
  for (var k = local.x; k < dims.rank; k += SIZE) {
    var sum = 0.0;
    for (var i = 0u; i < dims.inputs; i++) { sum += d_delta[row + i] * params[dims.a + k * dims.inputs + i]; }
    grads[dims.b + k * dims.outputs + o] = dims.scale * share * sum;
  }
}

@group(1) @binding(2) var<storage, read> dv_down: array<f32>;
@group(1) @binding(3) var<storage, read_write> grads_down: array<f32>;

// lora_A's gradient, s Bᵀ dv; one invocation per element.
@compute @workgroup_size(SIZE)
fn down_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= dims.rank * dims.inputs) { return; }
  let k = id.x / dims.inputs;
  let i = id.x % dims.inputs;
  var sum = 0.0;
  for (var o = 0u; o < dims.real_outputs; o++) {
    sum += params[dims.b + k * dims.outputs + o] * dv_down[o * dims.inputs + i];
  }
  grads_down[dims.a + id.x] = dims.scale * sum;
}
