// What the low-rank passes read where a lane trains something other than its two factors, and the way back from their
// gradients to what is trained.
//
//   factors, dfactors   lora_A and the router [slots + router, inputs], then lora_B [slots, outputs]
//   params              from a on what lora_A is made of, from b on what lora_B is, from extra on lora_E [slots] or
//                       mora_M [side, stride]
//
// One invocation does one element, but for `quantise` and `diagonal_backward`, whose workgroups do a matrix or a row.

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32, index: u32 }
struct Dims {
  rank: u32, experts: u32, slots: u32, router: u32, inputs: u32, outputs: u32, real_inputs: u32, real_outputs: u32,
  a: u32, b: u32, extra: u32, side: u32, stride: u32, ternary: u32, sampled: u32, orthogonal: f32,
}

@group(0) @binding(0) var<uniform> clock: Step;
@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

const SIZE = 64u;

// PCG (O'Neill 2014): a step's number to 32 bits that look random.
fn pcg(v: u32) -> u32 {
  let s = v * 747796405u + 2891336453u;
  let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
  return (w >> 22u) ^ w;
}

// DyLoRA: the first directions of lora_A and lora_B, as many as this step draws; all of them where it does not draw.
@compute @workgroup_size(SIZE)
fn truncate(@builtin(global_invocation_id) id: vec3u) {
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

// AdaLoRA: rows of Q times their singular value, and P as it is.
@compute @workgroup_size(SIZE)
fn diagonal(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  if (id.x < part) {
    factors[id.x] = params[dims.extra + id.x / dims.inputs] * params[dims.a + id.x];
  } else {
    factors[id.x] = params[dims.b + id.x - part];
  }
}

// MoRA: M behind a fold of the input, and the fold's tiling of the output.
@compute @workgroup_size(SIZE)
fn tile(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  if (id.x < part) {
    let p = id.x / dims.inputs;
    let i = id.x % dims.inputs;
    factors[id.x] = select(0.0, params[dims.extra + p * dims.stride + i % dims.side], p < dims.side && i < dims.real_inputs);
  } else {
    let p = (id.x - part) / dims.outputs;
    let o = (id.x - part) % dims.outputs;
    factors[id.x] = select(0.0, 1.0, p < dims.side && o < dims.real_outputs && o % dims.side == p);
  }
}

var<workgroup> sums: array<f32, SIZE>;
fn total(local: u32, value: f32) -> f32 {
  sums[local] = value;
  workgroupBarrier();
  if (local == 0u) {
    var sum = 0.0;
    for (var i = 0u; i < SIZE; i++) { sum += sums[i]; }
    sums[0] = sum;
  }
  workgroupBarrier();
  let sum = sums[0];
  workgroupBarrier();
  return sum;
}

// Binary and ternary experts: of each expert's two matrices one scale and signs. Matrix m is expert m / 2's lora_A, or
// lora_B; the last workgroup copies the router.
@compute @workgroup_size(SIZE)
fn quantise(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
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

@group(1) @binding(3) var<storage, read_write> grads: array<f32>;

// MoRA: every element of M stands in lora_A once for each input that folds onto it.
@compute @workgroup_size(SIZE)
fn tile_backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= dims.side * dims.side) { return; }
  let p = id.x / dims.side;
  let q = id.x % dims.side;
  var sum = 0.0;
  for (var i = q; i < dims.real_inputs; i += dims.side) { sum += factors[p * dims.inputs + i]; }
  grads[dims.extra + p * dims.stride + q] = sum;
}

var<workgroup> gram: array<f32, 512>;

// AdaLoRA: row k of Q (even workgroups, with its singular value) or of P, each with the gradient of
// orthogonal · ‖P Pᵀ − I‖², 4 · orthogonal · Σⱼ (⟨rowₖ, rowⱼ⟩ − δₖⱼ) rowⱼ.
@compute @workgroup_size(SIZE)
fn diagonal_backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let k = group.x / 2u;
  let up = group.x % 2u == 1u;
  var width = dims.inputs;
  var rows = dims.a;
  var begin = k * width;
  if (up) {
    width = dims.outputs;
    rows = dims.b;
    begin = dims.slots * dims.inputs + k * width;
  }
  let own = rows + k * width;
  for (var j = local.x; j < dims.rank; j += SIZE) {
    var dot = select(0.0, -1.0, j == k);
    for (var i = 0u; i < width; i++) { dot += params[own + i] * params[rows + j * width + i]; }
    gram[j] = 4.0 * dims.orthogonal * dot;
  }
  workgroupBarrier();
  let value = params[dims.extra + k];
  var along = 0.0;
  for (var i = local.x; i < width; i += SIZE) {
    var sum = 0.0;
    for (var j = 0u; j < dims.rank; j++) { sum += gram[j] * params[rows + j * width + i]; }
    let d = factors[begin + i];
    along += d * params[own + i];
    grads[own + i] = sum + select(value * d, d, up);
  }
  let carried = total(local.x, along);
  if (local.x == 0u && !up) { grads[dims.extra + k] = carried; }
}
