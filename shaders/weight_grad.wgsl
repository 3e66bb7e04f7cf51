// Gradients of weights: out = leftᵀ right, summed over token rows, for one or two products in one dispatch.
//
//   left [rows, m] at column left_offset of rows left_stride wide   right [rows, n] likewise   out [m, n] in grads
//
// One invocation owns a tile of 8 × 4 of `out` and takes four rows at a time (12 reads, 128 multiply-adds). The
// first product's tiles come first; `m` of 0 leaves a product out.

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32 }
struct Dims {
  rows: u32,
  m0: u32, n0: u32, left_stride0: u32, left_offset0: u32, right_stride0: u32, right_offset0: u32, right_batched0: u32, out0: u32,
  m1: u32, n1: u32, left_stride1: u32, left_offset1: u32, right_stride1: u32, right_offset1: u32, right_batched1: u32, out1: u32,
}

@group(0) @binding(0) var<uniform> clock: Step;
@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> left0: array<vec4f>;
@group(1) @binding(2) var<storage, read> right0: array<vec4f>;
@group(1) @binding(3) var<storage, read> left1: array<vec4f>;
@group(1) @binding(4) var<storage, read> right1: array<vec4f>;
@group(1) @binding(5) var<storage, read_write> grads: array<vec4f>;

struct Tile { a0: vec4f, a1: vec4f, a2: vec4f, a3: vec4f, a4: vec4f, a5: vec4f, a6: vec4f, a7: vec4f }

// What four token rows add: lo and hi are eight columns of left, r four of right.
fn rank4(
  t: Tile, lo: mat4x4f, hi: mat4x4f, r: mat4x4f,
) -> Tile {
  return Tile(
    t.a0 + lo[0].x * r[0] + lo[1].x * r[1] + lo[2].x * r[2] + lo[3].x * r[3],
    t.a1 + lo[0].y * r[0] + lo[1].y * r[1] + lo[2].y * r[2] + lo[3].y * r[3],
    t.a2 + lo[0].z * r[0] + lo[1].z * r[1] + lo[2].z * r[2] + lo[3].z * r[3],
    t.a3 + lo[0].w * r[0] + lo[1].w * r[1] + lo[2].w * r[2] + lo[3].w * r[3],
    t.a4 + hi[0].x * r[0] + hi[1].x * r[1] + hi[2].x * r[2] + hi[3].x * r[3],
    t.a5 + hi[0].y * r[0] + hi[1].y * r[1] + hi[2].y * r[2] + hi[3].y * r[3],
    t.a6 + hi[0].z * r[0] + hi[1].z * r[1] + hi[2].z * r[2] + hi[3].z * r[3],
    t.a7 + hi[0].w * r[0] + hi[1].w * r[1] + hi[2].w * r[2] + hi[3].w * r[3],
  );
}

fn store(t: Tile, o: u32, n: u32) {
  grads[o] = t.a0; grads[o + n] = t.a1; grads[o + 2u * n] = t.a2; grads[o + 3u * n] = t.a3;
  grads[o + 4u * n] = t.a4; grads[o + 5u * n] = t.a5; grads[o + 6u * n] = t.a6; grads[o + 7u * n] = t.a7;
}

@compute @workgroup_size(32)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let tiles0 = dims.m0 / 8u * (dims.n0 / 4u);
  var t = Tile();
  if (id.x < tiles0) {
    let columns = dims.n0 / 4u;
    let c = id.x % columns;
    let m = id.x / columns;
    let ls = dims.left_stride0 / 4u;
    let rs = dims.right_stride0 / 4u;
    var i = dims.left_offset0 / 4u + m * 2u;
    var j = dims.right_offset0 / 4u + dims.right_batched0 * clock.x_row * rs + c;
    for (var k = 0u; k < dims.rows; k += 4u) {
      t = rank4(
        t,
        mat4x4f(left0[i], left0[i + ls], left0[i + 2u * ls], left0[i + 3u * ls]),
        mat4x4f(left0[i + 1u], left0[i + ls + 1u], left0[i + 2u * ls + 1u], left0[i + 3u * ls + 1u]),
        mat4x4f(right0[j], right0[j + rs], right0[j + 2u * rs], right0[j + 3u * rs]),
      );
      i += 4u * ls; j += 4u * rs;
    }
    store(t, dims.out0 / 4u + m * 8u * columns + c, columns);
    return;
  }
  let tile = id.x - tiles0;
  if (tile >= dims.m1 / 8u * (dims.n1 / 4u)) { return; }
  let columns = dims.n1 / 4u;
  let c = tile % columns;
  let m = tile / columns;
  let ls = dims.left_stride1 / 4u;
  let rs = dims.right_stride1 / 4u;
  var i = dims.left_offset1 / 4u + m * 2u;
  var j = dims.right_offset1 / 4u + dims.right_batched1 * clock.x_row * rs + c;
  for (var k = 0u; k < dims.rows; k += 4u) {
    t = rank4(
      t,
      mat4x4f(left1[i], left1[i + ls], left1[i + 2u * ls], left1[i + 3u * ls]),
      mat4x4f(left1[i + 1u], left1[i + ls + 1u], left1[i + 2u * ls + 1u], left1[i + 3u * ls + 1u]),
      mat4x4f(right1[j], right1[j + rs], right1[j + 2u * rs], right1[j + 3u * rs]),
    );
    i += 4u * ls; j += 4u * rs;
  }
  store(t, dims.out1 / 4u + m * 8u * columns + c, columns);
}
