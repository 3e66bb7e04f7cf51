// GELU in its tanh form.   pre, out [elements]; one invocation does four.

#import lib/gelu

struct Dims { elements: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> pre: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  out[id.x] = gelu4(pre[id.x]);
}

@group(1) @binding(2) var<storage, read> d_out: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> d_pre: array<vec4f>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  d_pre[id.x] = d_out[id.x] * gelu_derivative4(pre[id.x]);
}
