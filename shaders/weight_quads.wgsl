// `step` of weight_grad.wgsl for the two products of a pair of factors and four
// invocations that swap what they read: where reading is dear, in software. Each workgroup is one quad, and owns a tile of
// 8 · ROWS rows of `out` × 16 columns: an invocation holds four columns of right and, of every eight of left, two; three swaps
// bring it the others'.

#import weight_grad

override ROWS0: u32 = 5u;
override ROWS1: u32 = 5u;

// The same buffers as left0 and left1.
@group(1) @binding(1) var<storage, read> pairs0: array<vec2f>;
@group(1) @binding(3) var<storage, read> pairs1: array<vec2f>;

// Four columns of two rows each: those of lanes ^0, ^1, ^2 and ^3.
struct Rows { a0: vec4f, a1: vec4f, b0: vec4f, b1: vec4f, c0: vec4f, c1: vec4f, d0: vec4f, d1: vec4f }

// What two token rows add.
fn add(to: ptr<function, Rows>, l0: vec2f, l1: vec2f, r0: vec4f, r1: vec4f) {
  let b0 = quadSwapX(l0); let b1 = quadSwapX(l1);
  let c0 = quadSwapY(l0); let c1 = quadSwapY(l1);
  let d0 = quadSwapDiagonal(l0); let d1 = quadSwapDiagonal(l1);
  (*to).a0 += l0.x * r0 + l1.x * r1;
  (*to).a1 += l0.y * r0 + l1.y * r1;
  (*to).b0 += b0.x * r0 + b1.x * r1;
  (*to).b1 += b0.y * r0 + b1.y * r1;
  (*to).c0 += c0.x * r0 + c1.x * r1;
  (*to).c1 += c0.y * r0 + c1.y * r1;
  (*to).d0 += d0.x * r0 + d1.x * r1;
  (*to).d1 += d0.y * r0 + d1.y * r1;
}

fn put(to: ptr<function, array<vec4f, 40>>, r: u32, q: Rows) {
  (*to)[8u * r] = q.a0; (*to)[8u * r + 1u] = q.a1; (*to)[8u * r + 2u] = q.b0; (*to)[8u * r + 3u] = q.b1;
  (*to)[8u * r + 4u] = q.c0; (*to)[8u * r + 5u] = q.c1; (*to)[8u * r + 6u] = q.d0; (*to)[8u * r + 7u] = q.d1;
}

// Rows of out from m on, its columns from 4 · c on.
fn product0(m: u32, c: u32, lane: u32, out: ptr<function, array<vec4f, 40>>) {
  let ls = dims.left_stride0 / 2u;
  let rs = dims.right_stride0 / 4u;
  var i = (dims.left_offset0 + m) / 2u + lane;
  var j = dims.right_offset0 / 4u + dims.right_batched0 * clock.x_row * rs + c;
  var q0 = Rows(); var q1 = Rows(); var q2 = Rows(); var q3 = Rows(); var q4 = Rows();
  for (var k = 0u; k < dims.rows; k += 2u) {
    let r0 = right0[j];
    let r1 = right0[j + rs];
    add(&q0, pairs0[i], pairs0[i + ls], r0, r1);
    if (ROWS0 > 1u) { add(&q1, pairs0[i + 4u], pairs0[i + ls + 4u], r0, r1); }
    if (ROWS0 > 2u) { add(&q2, pairs0[i + 8u], pairs0[i + ls + 8u], r0, r1); }
    if (ROWS0 > 3u) { add(&q3, pairs0[i + 12u], pairs0[i + ls + 12u], r0, r1); }
    if (ROWS0 > 4u) { add(&q4, pairs0[i + 16u], pairs0[i + ls + 16u], r0, r1); }
    i += 2u * ls; j += 2u * rs;
  }
  put(out, 0u, q0); put(out, 1u, q1); put(out, 2u, q2); put(out, 3u, q3); put(out, 4u, q4);
}

fn product1(m: u32, c: u32, lane: u32, out: ptr<function, array<vec4f, 40>>) {
  let ls = dims.left_stride1 / 2u;
  let rs = dims.right_stride1 / 4u;
  var i = (dims.left_offset1 + m) / 2u + lane;
  var j = dims.right_offset1 / 4u + dims.right_batched1 * clock.x_row * rs + c;
  var q0 = Rows(); var q1 = Rows(); var q2 = Rows(); var q3 = Rows(); var q4 = Rows();
  for (var k = 0u; k < dims.rows; k += 2u) {
    let r0 = right1[j];
    let r1 = right1[j + rs];
    add(&q0, pairs1[i], pairs1[i + ls], r0, r1);
    if (ROWS1 > 1u) { add(&q1, pairs1[i + 4u], pairs1[i + ls + 4u], r0, r1); }
    if (ROWS1 > 2u) { add(&q2, pairs1[i + 8u], pairs1[i + ls + 8u], r0, r1); }
    if (ROWS1 > 3u) { add(&q3, pairs1[i + 12u], pairs1[i + ls + 12u], r0, r1); }
    if (ROWS1 > 4u) { add(&q4, pairs1[i + 16u], pairs1[i + ls + 16u], r0, r1); }
    i += 2u * ls; j += 2u * rs;
  }
  put(out, 0u, q0); put(out, 1u, q1); put(out, 2u, q2); put(out, 3u, q3); put(out, 4u, q4);
}

@compute @workgroup_size(4)
fn step_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  if (group.x == 0u) {
    if (dims.tiles > 0u) { for (var part = lane; part < PARTS; part += 4u) { gather(part); } }
    return;
  }
  // Tiles of the first product come first.
  let blocks0 = (dims.n0 + 15u) / 16u;
  let tiles0 = (dims.m0 + 8u * ROWS0 - 1u) / (8u * ROWS0) * blocks0;
  let first = group.x - 1u < tiles0;
  let tile = group.x - 1u - select(tiles0, 0u, first);
  let blocks = select((dims.n1 + 15u) / 16u, blocks0, first);
  let rows = 8u * select(ROWS1, ROWS0, first);
  let m = tile / blocks * rows;
  let c = tile % blocks * 4u + lane;
  var y: array<vec4f, 40>;
  if (first) { product0(m, c, lane, &y); } else { product1(m, c, lane, &y); }
  let by = rates(1.0 + select(0.0, dims.extra_rate0, first));
  let last = select(dims.m1, dims.m0, first);
  let columns = select(dims.n1, dims.n0, first) / 4u;
  let out = select(dims.out1, dims.out0, first) / 4u;
  for (var e = 0u; e < rows; e++) {
    let row = m + e / 8u * 8u + 2u * (lane ^ ((e / 2u) & 3u)) + (e & 1u);
    if (row < last && c < columns) { update(out + row * columns + c, y[e], by); }
  }
}
