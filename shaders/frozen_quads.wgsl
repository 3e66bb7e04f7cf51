// layer_forward.wgsl where the frozen weight is applied and the output written, by lib/quads.wgsl.

#import layer_forward, lib/quads

fn left(row: u32, k: u32) -> vec4f { return x[(row + dims.x_batched * clock.x_row) * (dims.inputs / 4u) + k]; }
fn thin(row: u32, k: u32) -> vec4f { return gated[row * (dims.slots / 4u) + k]; }

fn matrix(k: u32, c: u32) -> mat4x4f {
  let n = dims.inputs / 4u;
  if (k >= n) { return mat4x4f(); }
  let j = c * 4u * n + k;
  let w = mat4x4f(frozen(j), frozen(j + n), frozen(j + 2u * n), frozen(j + 3u * n));
  if (!DENSE) { return w; }
  let d = dims.offset / 4u + j;
  return w + mat4x4f(params[d], params[d + n], params[d + 2u * n], params[d + 3u * n]);
}

fn factor(k: u32, c: u32) -> mat4x4f {
  if (k >= dims.slots / 4u) { return mat4x4f(); }
  let columns = dims.outputs / 4u;
  let j = dims.offset / 4u + k * 4u * columns + c;
  return transpose(mat4x4f(params[j], params[j + columns], params[j + 2u * columns], params[j + 3u * columns]));
}

fn start(at: u32, c: u32) -> vec4f { return base[c]; }
fn so_far(at: u32) -> vec4f { return out[at]; }
fn put(at: u32, value: vec4f) { out[at] = value; }

@compute @workgroup_size(4)
fn forward_frozen(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  product(group.x, id & 3u, dims.tokens, dims.inputs / 4u, dims.outputs / 4u);
}
