// The sum of two paths.   a, b, out [elements / width, width], a and b perhaps of the whole pool; one invocation does four.

#import lib/step

struct Dims { elements: u32, width: u32, a_batched: u32, b_batched: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> a: array<vec4f>;
@group(1) @binding(2) var<storage, read> b: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  let batch = clock.x_row * dims.width / 4u;
  out[id.x] = a[id.x + dims.a_batched * batch] + b[id.x + dims.b_batched * batch];
}
