// MoR1E's intuition gate: q → Linear → GELU → LayerNorm → Linear → Linear → softmax, and back.
//
//   x [pool, inputs]   q, dq [rows, inputs]   g [rows, logits]   dg [tokens, logits]
//   activations [rows, 4 hidden + 8] = a | x̂ | n | c | 1/σ
//   d_activations [rows, logits + 3 hidden] = dz | dc | dn | da
//   params: w1 [hidden, inputs], w2 [hidden, hidden], gate.w [logits, hidden] and the vectors, at their offsets
//
// One workgroup does one row; invocations share its hidden units. Padding rows are left at zero.

#import lib/adamw, lib/gelu, lib/step

struct Dims {
  rows: u32, real_rows: u32, gate_tokens: u32, inputs: u32, hidden: u32, real_hidden: u32, logits: u32, experts: u32,
  x_batched: u32, w1: u32, b1: u32, ln_weight: u32, ln_bias: u32, w2: u32, b2: u32, gate_w: u32, gate_b: u32,
  elements: u32, loss_at: u32, tiles: u32,
  beta1: f32, beta2: f32, one_minus_beta1: f32, one_minus_beta2: f32, eps: f32, loss_scale: f32,
}

// Invocations of a workgroup: set by the device. All of them make the sums over a row's hidden units.
override SIZE: u32 = 32u;
const HIDDEN = 256u;
const EXPERTS = 64u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<f32>;
@group(1) @binding(2) var<storage, read> params: array<f32>;
@group(1) @binding(3) var<storage, read_write> q: array<f32>;
@group(1) @binding(4) var<storage, read_write> activations: array<f32>;
@group(1) @binding(5) var<storage, read_write> g: array<f32>;

// Hidden values of the row, as the stages of the network pass them on.
var<workgroup> stage0: array<f32, HIDDEN>;
var<workgroup> stage1: array<f32, HIDDEN>;
var<workgroup> logit: array<f32, EXPERTS>;

@compute @workgroup_size(SIZE)
fn forward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let id = local.x;
  let row = group.x;
  if (row >= dims.real_rows) { return; }
  let h = dims.real_hidden;
  let act = row * (4u * dims.hidden + 8u);
  let start = (dims.x_batched * clock.x_row + row * dims.gate_tokens) * dims.inputs;
  for (var c = id; c < dims.inputs; c += SIZE) {
    var sum = 0.0;
    for (var t = 0u; t < dims.gate_tokens; t++) { sum += x[start + t * dims.inputs + c]; }
    q[row * dims.inputs + c] = sum / f32(dims.gate_tokens);
  }
  storageBarrier();
  for (var j = id; j < h; j += SIZE) {
    var a = params[dims.b1 + j];
    for (var c = 0u; c < dims.inputs; c++) { a += q[row * dims.inputs + c] * params[dims.w1 + j * dims.inputs + c]; }
    activations[act + j] = a;
    stage0[j] = gelu(a);
  }
  workgroupBarrier();
  var mean = 0.0;
  for (var j = 0u; j < h; j++) { mean += stage0[j]; }
  mean /= f32(h);
  var variance = 0.0;
  for (var j = 0u; j < h; j++) { variance += (stage0[j] - mean) * (stage0[j] - mean); }
  let inverse = 1.0 / sqrt(variance / f32(h) + 1e-5);
  if (id == 0u) { activations[act + 4u * dims.hidden] = inverse; }
  for (var j = id; j < h; j += SIZE) {
    let normal = (stage0[j] - mean) * inverse;
    let n = normal * params[dims.ln_weight + j] + params[dims.ln_bias + j];
    activations[act + dims.hidden + j] = normal;
    activations[act + 2u * dims.hidden + j] = n;
    stage1[j] = n;
  }
  workgroupBarrier();
  for (var j = id; j < h; j += SIZE) {
    var c = params[dims.b2 + j];
    for (var k = 0u; k < h; k++) { c += stage1[k] * params[dims.w2 + j * dims.hidden + k]; }
    activations[act + 3u * dims.hidden + j] = c;
    stage0[j] = c;
  }
  workgroupBarrier();
  for (var e = id; e < dims.experts; e += SIZE) {
    var z = params[dims.gate_b + e];
    for (var k = 0u; k < h; k++) { z += stage0[k] * params[dims.gate_w + e * dims.hidden + k]; }
    logit[e] = z;
  }
  workgroupBarrier();
  var top = logit[0];
  for (var e = 1u; e < dims.experts; e++) { top = max(top, logit[e]); }
  var sum = 0.0;
  for (var e = 0u; e < dims.experts; e++) { sum += exp(logit[e] - top); }
  for (var e = id; e < dims.experts; e += SIZE) { g[row * dims.logits + e] = exp(logit[e] - top) / sum; }
}

@group(1) @binding(1) var<storage, read> params_back: array<f32>;
@group(1) @binding(2) var<storage, read> activations_back: array<f32>;
@group(1) @binding(3) var<storage, read> g_back: array<f32>;
@group(1) @binding(4) var<storage, read> dg: array<f32>;
@group(1) @binding(5) var<storage, read_write> d_activations: array<f32>;
@group(1) @binding(6) var<storage, read_write> dq: array<f32>;

@compute @workgroup_size(SIZE)
fn backward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let id = local.x;
  let row = group.x;
  if (row >= dims.real_rows) { return; }
  let h = dims.real_hidden;
  let act = row * (4u * dims.hidden + 8u);
  let out = row * (dims.logits + 3u * dims.hidden);
  for (var e = id; e < dims.experts; e += SIZE) {
    var sum = 0.0;
    for (var t = 0u; t < dims.gate_tokens; t++) { sum += dg[(row * dims.gate_tokens + t) * dims.logits + e]; }
    logit[e] = sum;
  }
  workgroupBarrier();
  var mean = 0.0;
  for (var e = 0u; e < dims.experts; e++) { mean += g_back[row * dims.logits + e] * logit[e]; }
  workgroupBarrier();
  for (var e = id; e < dims.experts; e += SIZE) {
    logit[e] = g_back[row * dims.logits + e] * (logit[e] - mean);
    d_activations[out + e] = logit[e];
  }
  workgroupBarrier();
  for (var j = id; j < h; j += SIZE) {
    var dc = 0.0;
    for (var e = 0u; e < dims.experts; e++) { dc += logit[e] * params_back[dims.gate_w + e * dims.hidden + j]; }
    d_activations[out + dims.logits + j] = dc;
    stage0[j] = dc;
  }
  workgroupBarrier();
  for (var j = id; j < h; j += SIZE) {
    var dn = 0.0;
    for (var k = 0u; k < h; k++) { dn += stage0[k] * params_back[dims.w2 + k * dims.hidden + j]; }
    d_activations[out + dims.logits + dims.hidden + j] = dn;
    stage1[j] = dn * params_back[dims.ln_weight + j];
  }
  workgroupBarrier();
  var total = 0.0;
  var along = 0.0;
  for (var j = 0u; j < h; j++) {
    total += stage1[j];
    along += stage1[j] * activations_back[act + dims.hidden + j];
  }
  for (var j = id; j < h; j += SIZE) {
    let normal = activations_back[act + dims.hidden + j];
    let de = activations_back[act + 4u * dims.hidden] * (stage1[j] - total / f32(h) - normal * along / f32(h));
    let da = de * gelu_derivative(activations_back[act + j]);
    d_activations[out + dims.logits + 2u * dims.hidden + j] = da;
    stage0[j] = da;
  }
  workgroupBarrier();
  for (var c = id; c < dims.inputs; c += SIZE) {
    var sum = 0.0;
    for (var j = 0u; j < h; j++) { sum += stage0[j] * params_back[dims.w1 + j * dims.inputs + c]; }
    dq[row * dims.inputs + c] = sum;
  }
}

@group(1) @binding(1) var<storage, read> activations_sum: array<f32>;
@group(1) @binding(2) var<storage, read> d_activations_sum: array<f32>;
@group(1) @binding(3) var<storage, read_write> grads: array<f32>;

@group(1) @binding(4) var<storage, read_write> params_step: array<f32>;
@group(1) @binding(5) var<storage, read_write> moments: array<f32>;

// Gradients of gate.b, b2, ln_bias and b1, sums of d_activations over rows, and of ln_weight, of dn ∘ x̂. Returns the
// element's place, or `elements` where there is none.
fn sum_up(id: u32) -> u32 {
  let vectors = dims.logits + 3u * dims.hidden;
  if (id >= vectors + dims.hidden) { return dims.elements; }
  let weight = id >= vectors;
  let column = select(id, dims.logits + dims.hidden + id - vectors, weight);
  var sum = 0.0;
  for (var r = 0u; r < dims.real_rows; r++) {
    let d = d_activations_sum[r * vectors + column];
    let normal = activations_sum[r * (4u * dims.hidden + 8u) + dims.hidden + select(0u, id - vectors, weight)];
    sum += select(d, d * normal, weight);
  }
  let j = id - dims.logits;
  var at = dims.b1 + j - 2u * dims.hidden;
  if (weight) { at = dims.ln_weight + id - vectors; }
  else if (id < dims.logits) { at = dims.gate_b + id; }
  else if (j < dims.hidden) { at = dims.b2 + j; }
  else if (j < 2u * dims.hidden) { at = dims.ln_bias + j - dims.hidden; }
  grads[at] = sum;
  return at;
}

@compute @workgroup_size(32)
fn sums(@builtin(global_invocation_id) id: vec3u) { _ = sum_up(id.x); }

// The same, and AdamW.
@compute @workgroup_size(32)
fn step(@builtin(global_invocation_id) id: vec3u) {
  let i = sum_up(id.x);
  if (i >= dims.elements) { return; }
  let j = dims.elements + i;
  let next = adamw(grads[i], params_step[i], moments[i], moments[j]);
  moments[i] = next.m;
  moments[j] = next.v;
  params_step[i] = next.p;
}
