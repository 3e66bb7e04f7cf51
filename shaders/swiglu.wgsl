// SwiGLU's product, silu(gate) · up with silu(a) = a σ(a).   gate, up, out [elements]; one invocation does four.

struct Dims { elements: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> gate: array<vec4f>;
@group(1) @binding(2) var<storage, read> up: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

// Below −80 it is 0 in f32, and the exponential near its limit.
fn sigmoid4(a: vec4f) -> vec4f { return 1.0 / (1.0 + exp(min(-a, vec4f(80.0)))); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  let a = gate[id.x];
  out[id.x] = a * sigmoid4(a) * up[id.x];
}

@group(1) @binding(3) var<storage, read> d_out: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> d_gate: array<vec4f>;
@group(1) @binding(5) var<storage, read_write> d_up: array<vec4f>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  let a = gate[id.x];
  let s = sigmoid4(a);
  let d = d_out[id.x];
  d_gate[id.x] = d * up[id.x] * s * (1.0 + a * (1.0 - s));
  d_up[id.x] = d * a * s;
}
