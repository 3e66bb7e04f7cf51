// Each token's row of a table, and the gradient of the table's change.
//
//   ids [tokens or pool, ids_width], the id first in its row   w0, the table, and its change [rows, width]   out, dy [tokens, width]
//
// Forward, one invocation does four columns of a token. The way back, one does eight columns of a row of the table and looks at
// every token: the sum's order is fixed, and nothing is added to from two sides.

#import lib/step
#import frozen

struct Dims {
  tokens: u32, real_tokens: u32, ids_width: u32, ids_batched: u32, width: u32, rows: u32, trained: u32, offset: u32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> ids: array<f32>;
@group(1) @binding(3) var<storage, read> params: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> out: array<vec4f>;

fn row_of(t: u32) -> u32 {
  return u32(max(ids[(t + dims.ids_batched * clock.x_row) * dims.ids_width], 0.0));
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let t = id.x / columns;
  if (t >= dims.tokens) { return; }
  if (t >= dims.real_tokens) {
    out[id.x] = vec4f();
    return;
  }
  let at = row_of(t) * columns + id.x % columns;
  var v = frozen(at);
  if (dims.trained == 1u) { v += params[dims.offset / 4u + at]; }
  out[id.x] = v;
}

@group(1) @binding(2) var<storage, read> dy: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> grads: array<vec4f>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let row = id.x / (columns / 2u);
  if (row >= dims.rows) { return; }
  let c = id.x % (columns / 2u) * 2u;
  var a = vec4f();
  var b = vec4f();
  for (var t = 0u; t < dims.real_tokens; t++) {
    if (row_of(t) == row) {
      a += dy[t * columns + c];
      b += dy[t * columns + c + 1u];
    }
  }
  let to = dims.offset / 4u + row * columns + c;
  grads[to] = a;
  grads[to + 1u] = b;
}
