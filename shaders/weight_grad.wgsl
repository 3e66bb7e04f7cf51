// Gradients of weights: out = leftᵀ right, summed over token rows, for one or two products in one dispatch.
//
//   left [rows, m] at column left_offset of rows left_stride wide   right [rows, n] likewise   out [m, n] in grads
//
// One invocation owns a tile of 8 × 8 of `out` and takes four rows at a time (16 reads, 256 multiply-adds). The
// first product's tiles come first; `m` of 0 leaves a product out.
//
// `step` is `backward` and AdamW, as PyTorch defines it, at once: whoever computes a gradient owns its parameters. One
// workgroup more adds up the step's loss.
//
//   params, grads [elements]   moments [2, elements]   losses [slots, 32], then from loss_at on [tiles]

#import lib/losses, lib/step, lib/tiles

struct Dims {
  rows: u32,
  m0: u32, n0: u32, left_stride0: u32, left_offset0: u32, right_stride0: u32, right_offset0: u32, right_batched0: u32,
  out0: u32,
  m1: u32, n1: u32, left_stride1: u32, left_offset1: u32, right_stride1: u32, right_offset1: u32, right_batched1: u32,
  out1: u32,
  extra_rate0: f32,
  elements: u32, loss_at: u32, tiles: u32,
  beta1: f32, beta2: f32, one_minus_beta1: f32, one_minus_beta2: f32, eps: f32, loss_scale: f32,
}

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> left0: array<vec4f>;
@group(1) @binding(2) var<storage, read> right0: array<vec4f>;
@group(1) @binding(3) var<storage, read> left1: array<vec4f>;
@group(1) @binding(4) var<storage, read> right1: array<vec4f>;
@group(1) @binding(5) var<storage, read_write> grads: array<vec4f>;
@group(1) @binding(6) var<storage, read_write> params: array<vec4f>;
@group(1) @binding(7) var<storage, read_write> moments: array<vec4f>;
@group(1) @binding(8) var<storage, read_write> losses: array<f32>;

// What four token rows add: lo and hi are eight columns of left, r and s eight of right.
fn rank4(
  t: ptr<function, Tile>,
  lo0: vec4f, lo1: vec4f, lo2: vec4f, lo3: vec4f, hi0: vec4f, hi1: vec4f, hi2: vec4f, hi3: vec4f,
  r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f, s0: vec4f, s1: vec4f, s2: vec4f, s3: vec4f,
) {
  (*t).a0 += lo0.x * r0 + lo1.x * r1 + lo2.x * r2 + lo3.x * r3;
  (*t).b0 += lo0.x * s0 + lo1.x * s1 + lo2.x * s2 + lo3.x * s3;
  (*t).a1 += lo0.y * r0 + lo1.y * r1 + lo2.y * r2 + lo3.y * r3;
  (*t).b1 += lo0.y * s0 + lo1.y * s1 + lo2.y * s2 + lo3.y * s3;
  (*t).a2 += lo0.z * r0 + lo1.z * r1 + lo2.z * r2 + lo3.z * r3;
  (*t).b2 += lo0.z * s0 + lo1.z * s1 + lo2.z * s2 + lo3.z * s3;
  (*t).a3 += lo0.w * r0 + lo1.w * r1 + lo2.w * r2 + lo3.w * r3;
  (*t).b3 += lo0.w * s0 + lo1.w * s1 + lo2.w * s2 + lo3.w * s3;
  (*t).a4 += hi0.x * r0 + hi1.x * r1 + hi2.x * r2 + hi3.x * r3;
  (*t).b4 += hi0.x * s0 + hi1.x * s1 + hi2.x * s2 + hi3.x * s3;
  (*t).a5 += hi0.y * r0 + hi1.y * r1 + hi2.y * r2 + hi3.y * r3;
  (*t).b5 += hi0.y * s0 + hi1.y * s1 + hi2.y * s2 + hi3.y * s3;
  (*t).a6 += hi0.z * r0 + hi1.z * r1 + hi2.z * r2 + hi3.z * r3;
  (*t).b6 += hi0.z * s0 + hi1.z * s1 + hi2.z * s2 + hi3.z * s3;
  (*t).a7 += hi0.w * r0 + hi1.w * r1 + hi2.w * r2 + hi3.w * r3;
  (*t).b7 += hi0.w * s0 + hi1.w * s1 + hi2.w * s2 + hi3.w * s3;
}

// Where a tile goes: its first row's place in grads, and the distance of rows; columns of 0 is nowhere.
struct Out { tile: Tile, at: u32, columns: u32 }

fn product(id: u32) -> Out {
  let tiles0 = dims.m0 / 8u * (dims.n0 / 8u);
  var t = Tile();
  if (id < tiles0) {
    let columns = dims.n0 / 4u;
    let c = id % (columns / 2u) * 2u;
    let m = id / (columns / 2u);
    let ls = dims.left_stride0 / 4u;
    let rs = dims.right_stride0 / 4u;
    var i = dims.left_offset0 / 4u + m * 2u;
    var j = dims.right_offset0 / 4u + dims.right_batched0 * clock.x_row * rs + c;
    for (var k = 0u; k < dims.rows; k += 4u) {
      rank4(
        &t,
        left0[i], left0[i + ls], left0[i + 2u * ls], left0[i + 3u * ls],
        left0[i + 1u], left0[i + ls + 1u], left0[i + 2u * ls + 1u], left0[i + 3u * ls + 1u],
        right0[j], right0[j + rs], right0[j + 2u * rs], right0[j + 3u * rs],
        right0[j + 1u], right0[j + rs + 1u], right0[j + 2u * rs + 1u], right0[j + 3u * rs + 1u],
      );
      i += 4u * ls; j += 4u * rs;
    }
    return Out(t, dims.out0 / 4u + m * 8u * columns + c, columns);
  }
  let tile = id - tiles0;
  let columns = dims.n1 / 4u;
  if (tile >= dims.m1 / 8u * (columns / 2u)) { return Out(t, 0u, 0u); }
  let c = tile % (columns / 2u) * 2u;
  let m = tile / (columns / 2u);
  let ls = dims.left_stride1 / 4u;
  let rs = dims.right_stride1 / 4u;
  var i = dims.left_offset1 / 4u + m * 2u;
  var j = dims.right_offset1 / 4u + dims.right_batched1 * clock.x_row * rs + c;
  for (var k = 0u; k < dims.rows; k += 4u) {
    rank4(
      &t,
      left1[i], left1[i + ls], left1[i + 2u * ls], left1[i + 3u * ls],
      left1[i + 1u], left1[i + ls + 1u], left1[i + 2u * ls + 1u], left1[i + 3u * ls + 1u],
      right1[j], right1[j + rs], right1[j + 2u * rs], right1[j + 3u * rs],
      right1[j + 1u], right1[j + rs + 1u], right1[j + 2u * rs + 1u], right1[j + 3u * rs + 1u],
    );
    i += 4u * ls; j += 4u * rs;
  }
  return Out(t, dims.out1 / 4u + m * 8u * columns + c, columns);
}

@compute @workgroup_size(SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let out = product(id.x);
  if (out.columns == 0u) { return; }
  let t = out.tile;
  let o = out.at;
  let n = out.columns;
  grads[o + 0u * n] = t.a0; grads[o + 0u * n + 1u] = t.b0;
  grads[o + 1u * n] = t.a1; grads[o + 1u * n + 1u] = t.b1;
  grads[o + 2u * n] = t.a2; grads[o + 2u * n + 1u] = t.b2;
  grads[o + 3u * n] = t.a3; grads[o + 3u * n + 1u] = t.b3;
  grads[o + 4u * n] = t.a4; grads[o + 4u * n + 1u] = t.b4;
  grads[o + 5u * n] = t.a5; grads[o + 5u * n + 1u] = t.b5;
  grads[o + 6u * n] = t.a6; grads[o + 6u * n + 1u] = t.b6;
  grads[o + 7u * n] = t.a7; grads[o + 7u * n + 1u] = t.b7;
}

// What an update takes beside its gradient, read once: with how many times the rate weights learn (LoRA+).
struct Rates {
  beta1: f32, beta2: f32, one_minus_beta1: f32, one_minus_beta2: f32, eps: f32,
  rate: f32, decay: f32, inv_sqrt_bias2: f32, half: u32,
}

fn rates(faster: f32) -> Rates {
  return Rates(
    dims.beta1, dims.beta2, dims.one_minus_beta1, dims.one_minus_beta2, dims.eps,
    faster * clock.rate, 1.0 - faster * (1.0 - clock.decay), clock.inv_sqrt_bias2, dims.elements / 4u,
  );
}

fn update(i: u32, g: vec4f, by: Rates) {
  let m = by.beta1 * moments[i] + by.one_minus_beta1 * g;
  let v = by.beta2 * moments[by.half + i] + by.one_minus_beta2 * g * g;
  grads[i] = g;
  moments[i] = m;
  moments[by.half + i] = v;
  params[i] = by.decay * params[i] - by.rate * m / (sqrt(v) * by.inv_sqrt_bias2 + by.eps);
}

@compute @workgroup_size(SIZE)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  if (group.x == 0u) {
    if (dims.tiles == 0u) { return; }
    for (var part = local.x; part < PARTS; part += SIZE) { gather(part); }
    return;
  }
  let tile = (group.x - 1u) * SIZE + local.x;
  // The first product's weights may learn faster.
  let by = rates(1.0 + select(0.0, dims.extra_rate0, tile < dims.m0 / 8u * (dims.n0 / 8u)));
  let out = product(tile);
  if (out.columns == 0u) { return; }
  var g = rows_of(out.tile);
  for (var q = 0u; q < 16u; q++) { update(out.at + q / 2u * out.columns + q % 2u, g[q], by); }
}
