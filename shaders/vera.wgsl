// VeRA's factors, λ_d ∘ A and λ_b ∘ B, and back to the two vectors.
//
//   factors, d_factors: λ_d ∘ A [slots, inputs], then (λ_b ∘ B)ᵀ [slots, outputs]
//   params, grads: λ_d [slots], λ_b [outputs], A [slots, inputs] and Bᵀ [slots, outputs] from lambda_d, lambda_b, down, up on

struct Dims { slots: u32, inputs: u32, outputs: u32, lambda_d: u32, lambda_b: u32, down: u32, up: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

// One invocation does one element.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  if (id.x < part) {
    factors[id.x] = params[dims.lambda_d + id.x / dims.inputs] * params[dims.down + id.x];
  } else {
    let at = id.x - part;
    factors[id.x] = params[dims.lambda_b + at % dims.outputs] * params[dims.up + at];
  }
}

@group(1) @binding(2) var<storage, read> d_factors: array<f32>;
@group(1) @binding(3) var<storage, read_write> grads: array<f32>;

// One invocation does one entry of λ_d, or of λ_b.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= dims.slots + dims.outputs) { return; }
  var sum = 0.0;
  if (id.x < dims.slots) {
    let row = id.x * dims.inputs;
    for (var i = 0u; i < dims.inputs; i++) { sum += d_factors[row + i] * params[dims.down + row + i]; }
    grads[dims.lambda_d + id.x] = sum;
  } else {
    let o = id.x - dims.slots;
    let part = dims.slots * dims.inputs;
    for (var k = 0u; k < dims.slots; k++) {
      sum += d_factors[part + k * dims.outputs + o] * params[dims.up + k * dims.outputs + o];
    }
    grads[dims.lambda_b + o] = sum;
  }
}
