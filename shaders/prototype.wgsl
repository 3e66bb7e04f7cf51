// MoR1E's gate by prototypes: g = N ω softmax(W_r q) + 4 (1 − ω) ⟨c, e⟩ with ω = σ(100 w), e = q/‖q‖, and back.
//
//   x [pool, inputs]   q, dq [rows, inputs]   g [rows, logits]   dg [tokens, logits]
//   activations [rows, 2 logits + 16] = softmax | ⟨c, e⟩ | 1 and seven zeros | 1/‖q‖, ω and six zeros
//   d_activations [rows, logits + 8] = dz | dw and seven zeros
//   params: W_r and c [logits, inputs] and w, at their offsets
//
// One workgroup does one row. Padding rows are left at zero.

#import lib/step

struct Dims {
  rows: u32, real_rows: u32, gate_tokens: u32, inputs: u32, logits: u32, experts: u32, x_batched: u32, router: u32,
  mix: u32, prototypes: u32,
}

const SIZE = 64u;
const EXPERTS = 64u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<f32>;
@group(1) @binding(2) var<storage, read> params: array<f32>;
@group(1) @binding(3) var<storage, read_write> q: array<f32>;
@group(1) @binding(4) var<storage, read_write> activations: array<f32>;
@group(1) @binding(5) var<storage, read_write> g: array<f32>;

var<workgroup> squares: array<f32, SIZE>;
// Of the row's experts: logits going forward, gradients of gates going back.
var<workgroup> stage: array<f32, EXPERTS>;

fn width() -> u32 { return 2u * dims.logits + 16u; }

@compute @workgroup_size(SIZE)
fn forward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let id = local.x;
  let row = group.x;
  if (row >= dims.real_rows) { return; }
  let act = row * width();
  let own = row * dims.inputs;
  let start = (dims.x_batched * clock.x_row + row * dims.gate_tokens) * dims.inputs;
  var square = 0.0;
  for (var c = id; c < dims.inputs; c += SIZE) {
    var sum = 0.0;
    for (var t = 0u; t < dims.gate_tokens; t++) { sum += x[start + t * dims.inputs + c]; }
    let mean = sum / f32(dims.gate_tokens);
    q[own + c] = mean;
    square += mean * mean;
  }
  squares[id] = square;
  storageBarrier();
  workgroupBarrier();
  square = 0.0;
  for (var i = 0u; i < SIZE; i++) { square += squares[i]; }
  let inverse = select(0.0, 1.0 / sqrt(square), square > 0.0);
  var like = 0.0;
  if (id < dims.experts) {
    var z = 0.0;
    for (var c = 0u; c < dims.inputs; c++) {
      z += q[own + c] * params[dims.router + id * dims.inputs + c];
      like += q[own + c] * params[dims.prototypes + id * dims.inputs + c];
    }
    like *= inverse;
    stage[id] = z;
  }
  workgroupBarrier();
  var top = stage[0];
  for (var e = 1u; e < dims.experts; e++) { top = max(top, stage[e]); }
  var sum = 0.0;
  for (var e = 0u; e < dims.experts; e++) { sum += exp(stage[e] - top); }
  let omega = 1.0 / (1.0 + exp(-clamp(100.0 * params[dims.mix], -80.0, 80.0)));
  if (id < dims.experts) {
    let soft = exp(stage[id] - top) / sum;
    activations[act + id] = soft;
    activations[act + dims.logits + id] = like;
    g[row * dims.logits + id] = f32(dims.experts) * omega * soft + 4.0 * (1.0 - omega) * like;
  }
  if (id == 0u) {
    activations[act + 2u * dims.logits] = 1.0;
    activations[act + 2u * dims.logits + 8u] = inverse;
    activations[act + 2u * dims.logits + 9u] = omega;
  }
}

@group(1) @binding(1) var<storage, read> params_back: array<f32>;
@group(1) @binding(2) var<storage, read> q_back: array<f32>;
@group(1) @binding(3) var<storage, read> activations_back: array<f32>;
@group(1) @binding(4) var<storage, read> dg: array<f32>;
@group(1) @binding(5) var<storage, read_write> d_activations: array<f32>;
@group(1) @binding(6) var<storage, read_write> dq: array<f32>;

@compute @workgroup_size(SIZE)
fn backward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let id = local.x;
  let row = group.x;
  if (row >= dims.real_rows) { return; }
  let act = row * width();
  let out = row * (dims.logits + 8u);
  if (id < dims.experts) {
    var sum = 0.0;
    for (var t = 0u; t < dims.gate_tokens; t++) { sum += dg[(row * dims.gate_tokens + t) * dims.logits + id]; }
    stage[id] = sum;
  }
  workgroupBarrier();
  var mean = 0.0;
  var along = 0.0;
  for (var e = 0u; e < dims.experts; e++) {
    mean += activations_back[act + e] * stage[e];
    along += activations_back[act + dims.logits + e] * stage[e];
  }
  let inverse = activations_back[act + 2u * dims.logits + 8u];
  let omega = activations_back[act + 2u * dims.logits + 9u];
  let count = f32(dims.experts);
  if (id < dims.experts) { d_activations[out + id] = count * omega * activations_back[act + id] * (stage[id] - mean); }
  if (id == 0u) { d_activations[out + dims.logits] = 100.0 * omega * (1.0 - omega) * (count * mean - 4.0 * along); }
  storageBarrier();
  let liked = 4.0 * (1.0 - omega) * inverse;
  for (var c = id; c < dims.inputs; c += SIZE) {
    var router = 0.0;
    var likeness = 0.0;
    for (var e = 0u; e < dims.experts; e++) {
      router += d_activations[out + e] * params_back[dims.router + e * dims.inputs + c];
      likeness += stage[e] * params_back[dims.prototypes + e * dims.inputs + c];
    }
    dq[row * dims.inputs + c] = router + liked * (likeness - along * inverse * q_back[row * dims.inputs + c]);
  }
}
