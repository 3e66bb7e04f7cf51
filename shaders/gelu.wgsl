// GELU in its tanh form.   pre, out [elements]; one invocation does four.

struct Dims { elements: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> pre: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  let a = pre[id.x];
  // Beyond ±10 tanh is ±1 in f32; some drivers' tanh overflows there.
  let th = tanh(clamp(0.7978845608 * (a + 0.044715 * a * a * a), vec4f(-10.0), vec4f(10.0)));
  out[id.x] = 0.5 * a * (1.0 + th);
}

@group(1) @binding(2) var<storage, read> dout: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> dpre: array<vec4f>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  if (id.x * 4u >= dims.elements) { return; }
  let a = pre[id.x];
  let th = tanh(clamp(0.7978845608 * (a + 0.044715 * a * a * a), vec4f(-10.0), vec4f(10.0)));
  let slope = 0.7978845608 * (1.0 + 0.134145 * a * a);
  dpre[id.x] = dout[id.x] * (0.5 * (1.0 + th) + 0.5 * a * (1.0 - th * th) * slope);
}
