// Each token's row of a table.
//
//   ids [tokens or pool, ids_width], the id first in its row   table [vocabulary, width]   out [tokens, width]
//
// One invocation does four columns of a token.

#import lib/step

struct Dims { tokens: u32, real_tokens: u32, ids_width: u32, ids_batched: u32, width: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> ids: array<f32>;
@group(1) @binding(2) var<storage, read> table: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let t = id.x / columns;
  if (t >= dims.tokens) { return; }
  if (t >= dims.real_tokens) {
    out[id.x] = vec4f();
    return;
  }
  let row = u32(max(ids[(t + dims.ids_batched * clock.x_row) * dims.ids_width], 0.0));
  out[id.x] = table[row * columns + id.x % columns];
}
