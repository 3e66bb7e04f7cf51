// layer_backward.wgsl by lib/quads.wgsl.

#import layer_backward, lib/quads

// gate_tokens is more than 0, or gelu 1.
override FINISH: bool = false;

fn left(row: u32, k: u32) -> vec4f { return dy[row * (dims.outputs / 4u) + k]; }
fn thin(row: u32, k: u32) -> vec4f { return d_down[row * (dims.slots / 4u) + k]; }

fn matrix(k: u32, c: u32) -> mat4x4f {
  let n = dims.inputs / 4u;
  if (k >= dims.outputs / 4u) { return mat4x4f(); }
  let j = k * 4u * n + c;
  var w = mat4x4f(frozen(j), frozen(j + n), frozen(j + 2u * n), frozen(j + 3u * n));
  if (DENSE) {
    let d = dims.offset / 4u + j;
    w += mat4x4f(params[d], params[d + n], params[d + 2u * n], params[d + 3u * n]);
  }
  return transpose(w);
}

fn factor(k: u32, c: u32) -> mat4x4f {
  if (k >= dims.slots / 4u) { return mat4x4f(); }
  let n = dims.inputs / 4u;
  let j = dims.offset / 4u + k * 4u * n + c;
  return transpose(mat4x4f(params[j], params[j + n], params[j + 2u * n], params[j + 3u * n]));
}

fn start(at: u32, c: u32) -> vec4f { return vec4f(); }
fn so_far(at: u32) -> vec4f { return dx[at]; }
fn put(at: u32, value: vec4f) { dx[at] = value; }

@compute @workgroup_size(4)
fn backward_frozen(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let columns = dims.inputs / 4u;
  product(group.x, lane, dims.tokens, dims.outputs / 4u, columns);
  let c = own_columns(group.x, lane, columns);
  if (FINISH && c < columns) {
    let first = own_rows(group.x, dims.tokens, columns);
    for (var t = first; t < min(first + rows_each(dims.tokens, columns), dims.tokens); t++) {
      finish(t, c, dx[t * columns + c]);
      finish(t, c + 1u, dx[t * columns + c + 1u]);
    }
  }
}
