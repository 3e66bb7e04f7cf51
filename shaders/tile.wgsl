// MoRA's factors: a square matrix M behind a fold of the input, and the fold's tiling of the output; and back.
//
//   factors, d_factors: M behind the fold [slots, inputs], then the tiling [slots, outputs]
//   params, grads: M [side, slots] from `matrix` on

struct Dims {
  side: u32, slots: u32, inputs: u32, outputs: u32, real_inputs: u32, real_outputs: u32, matrix: u32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> factors: array<f32>;

// One invocation does one element of the factors.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let part = dims.slots * dims.inputs;
  if (id.x >= part + dims.slots * dims.outputs) { return; }
  if (id.x < part) {
    let p = id.x / dims.inputs;
    let i = id.x % dims.inputs;
    factors[id.x] = select(0.0, params[dims.matrix + p * dims.slots + i % dims.side], p < dims.side && i < dims.real_inputs);
  } else {
    let p = (id.x - part) / dims.outputs;
    let o = (id.x - part) % dims.outputs;
    factors[id.x] = select(0.0, 1.0, p < dims.side && o < dims.real_outputs && o % dims.side == p);
  }
}

@group(1) @binding(1) var<storage, read> d_factors: array<f32>;
@group(1) @binding(2) var<storage, read_write> grads: array<f32>;

// One invocation does one element of M, which stands in the factors once for each input that folds onto it.
@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= dims.side * dims.side) { return; }
  let p = id.x / dims.side;
  let q = id.x % dims.side;
  var sum = 0.0;
  for (var i = q; i < dims.real_inputs; i += dims.side) { sum += d_factors[p * dims.inputs + i]; }
  grads[dims.matrix + p * dims.slots + q] = sum;
}
