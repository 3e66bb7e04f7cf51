// AdaLoRA's factors, P Λ Q, and back.
//
//   factors, d_factors: Λ Q [slots, inputs], then P [slots, outputs]
//   params, grads: Q from a on, P from b on, Λ's diagonal [slots] from `values` on

#import lib/total

struct Dims { rank: u32, slots: u32, inputs: u32, outputs: u32, a: u32, b: u32, values: u32, orthogonal: f32 }

const SIZE = 64u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

// One invocation does one element.
@compute @workgroup_size(SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  if (id.x < part) {
    factors[id.x] = params[dims.values + id.x / dims.inputs] * params[dims.a + id.x];
  } else {
    factors[id.x] = params[dims.b + id.x - part];
  }
}

@group(1) @binding(2) var<storage, read> d_factors: array<f32>;
@group(1) @binding(3) var<storage, read_write> grads: array<f32>;

var<workgroup> gram: array<f32, 512>;

// One workgroup does row k of Q (even ones, with its singular value) or of P, each with the gradient of
// orthogonal · ‖P Pᵀ − I‖², 4 · orthogonal · Σⱼ (⟨rowₖ, rowⱼ⟩ − δₖⱼ) rowⱼ.
@compute @workgroup_size(SIZE)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
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
  let value = params[dims.values + k];
  var along = 0.0;
  for (var i = local.x; i < width; i += SIZE) {
    var sum = 0.0;
    for (var j = 0u; j < dims.rank; j++) { sum += gram[j] * params[rows + j * width + i]; }
    let d = d_factors[begin + i];
    along += d * params[own + i];
    grads[own + i] = sum + select(value * d, d, up);
  }
  let carried = total(local.x, along);
  if (local.x == 0u && !up) { grads[dims.values + k] = carried; }
}
