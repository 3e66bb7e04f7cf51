// Gates of a mixture, with the projections on either side of them: forward h = x Aᵀ and the router's logits, softmax,
// top-k, optional renormalisation, then scale · g h; backward the gradient of that, dy B, and on to those of h and of the
// logits.
//
//   down  [tokens, slots + logits]   h, then the router's logits (slots alone where the gates are given); d_down likewise
//   gated [tokens, slots]            scale · g h, of each token's own gates
//   g     [rows, logits]             dg [tokens, logits]   balance [logits]
//   x     [tokens, inner]            x going forward, dy going back
//   w     [columns, inner]           in params from w_offset on: A and the router, or B
//
// Slot p belongs to expert p / rank. A workgroup does 32 tokens: its invocations split the projection into tiles of
// 8 tokens × 8 columns, then the tokens. Where a workgroup stays on one core anyway, each invocation does 8 tokens
// `alone`, without the barrier, which takes a third of the time there. Gates are kept by rank of their logit, ties to the
// lower index, so that no sorting and no private array is needed.

#import lib/random, lib/step, lib/tiles

struct Dims {
  tokens: u32, real_tokens: u32, experts: u32, rank: u32, slots: u32, logits: u32, top_k: u32, renormalize: u32,
  given: u32, gate_tokens: u32, scale: f32, inner: u32, x_batched: u32, w_offset: u32,
  inverse_temperature: f32, noise: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read_write> down: array<f32>;
@group(1) @binding(2) var<storage, read_write> g: array<f32>;
@group(1) @binding(3) var<storage, read_write> gated: array<f32>;
@group(1) @binding(4) var<storage, read> x: array<vec4f>;
@group(1) @binding(5) var<storage, read> w: array<vec4f>;

const SIZE = 32u;
const ALONE = 4u;

fn width() -> u32 { return dims.slots + select(dims.logits, 0u, dims.given == 1u); }

// Whether expert e's logit, of those from `z` on, is among the top k.
fn kept(z: u32, e: u32) -> bool {
  if (dims.top_k == 0u) { return true; }
  let own = down[z + e];
  var ahead = 0u;
  for (var j = 0u; j < dims.experts; j++) {
    let other = down[z + j];
    if (other > own || (other == own && j < e)) { ahead++; }
  }
  return ahead < dims.top_k;
}

// See gate.rs: mean 0, variance 1, from the four bytes of a hash.
fn disturbed(t: u32, z: u32) {
  for (var e = 0u; e < dims.experts; e++) {
    let h = pcg(pcg(pcg(clock.index) ^ t) ^ e);
    let sum = (h & 255u) + ((h >> 8u) & 255u) + ((h >> 16u) & 255u) + (h >> 24u);
    down[z + e] = dims.inverse_temperature * down[z + e] + dims.noise * (f32(sum) - 510.0) / 147.8016689;
  }
}

fn route(t: u32) {
  let experts = dims.experts;
  let rank = dims.rank;
  let row = t * width();
  let z = row + dims.slots;
  let gate = t / dims.gate_tokens * dims.logits;
  if (dims.given == 0u) {
    if (dims.inverse_temperature != 1.0 || dims.noise > 0.0) { disturbed(t, z); }
    var top = down[z];
    for (var e = 1u; e < experts; e++) { top = max(top, down[z + e]); }
    var sum = 0.0;
    for (var e = 0u; e < experts; e++) {
      if (dims.renormalize == 0u || kept(z, e)) { sum += exp(down[z + e] - top); }
    }
    for (var e = 0u; e < experts; e++) {
      g[gate + e] = select(0.0, exp(down[z + e] - top) / sum, kept(z, e));
    }
  }
  let scale = dims.scale;
  var at = row;
  var to = t * dims.slots;
  for (var e = 0u; e < experts; e++) {
    let share = scale * g[gate + e];
    for (var r = 0u; r < rank; r++) { gated[to] = share * down[at]; to++; at++; }
  }
}

// Eight tokens, from row x_row of x on, against eight rows of w from w_row on: a and b hold four columns each.
fn project(x_row: u32, w_row: u32) -> Tile {
  let n = dims.inner / 4u;
  var i = x_row * n;
  var j = dims.w_offset / 4u + w_row * n;
  var a0 = vec4f(); var b0 = vec4f(); var a1 = vec4f(); var b1 = vec4f();
  var a2 = vec4f(); var b2 = vec4f(); var a3 = vec4f(); var b3 = vec4f();
  var a4 = vec4f(); var b4 = vec4f(); var a5 = vec4f(); var b5 = vec4f();
  var a6 = vec4f(); var b6 = vec4f(); var a7 = vec4f(); var b7 = vec4f();
  var v: vec4f;
  for (var k = 0u; k < n; k++) {
    let w0 = w[j]; let w1 = w[j + n]; let w2 = w[j + 2u * n]; let w3 = w[j + 3u * n];
    let w4 = w[j + 4u * n]; let w5 = w[j + 5u * n]; let w6 = w[j + 6u * n]; let w7 = w[j + 7u * n];
    v = x[i + 0u * n]; a0 += dots(v, w0, w1, w2, w3); b0 += dots(v, w4, w5, w6, w7);
    v = x[i + 1u * n]; a1 += dots(v, w0, w1, w2, w3); b1 += dots(v, w4, w5, w6, w7);
    v = x[i + 2u * n]; a2 += dots(v, w0, w1, w2, w3); b2 += dots(v, w4, w5, w6, w7);
    v = x[i + 3u * n]; a3 += dots(v, w0, w1, w2, w3); b3 += dots(v, w4, w5, w6, w7);
    v = x[i + 4u * n]; a4 += dots(v, w0, w1, w2, w3); b4 += dots(v, w4, w5, w6, w7);
    v = x[i + 5u * n]; a5 += dots(v, w0, w1, w2, w3); b5 += dots(v, w4, w5, w6, w7);
    v = x[i + 6u * n]; a6 += dots(v, w0, w1, w2, w3); b6 += dots(v, w4, w5, w6, w7);
    v = x[i + 7u * n]; a7 += dots(v, w0, w1, w2, w3); b7 += dots(v, w4, w5, w6, w7);
    i++; j++;
  }
  return Tile(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7);
}

fn store_down(o: u32, a: vec4f, b: vec4f) {
  down[o] = a.x; down[o + 1u] = a.y; down[o + 2u] = a.z; down[o + 3u] = a.w;
  down[o + 4u] = b.x; down[o + 5u] = b.y; down[o + 6u] = b.z; down[o + 7u] = b.w;
}

// Tokens from t on, columns from c on.
fn project_down(t: u32, c: u32) {
  let n = width();
  var y = rows_of(project(t + dims.x_batched * clock.x_row, c));
  for (var q = 0u; q < 8u; q++) { store_down((t + q) * n + c, y[2u * q], y[2u * q + 1u]); }
}

@compute @workgroup_size(SIZE)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let columns = width() / 8u;
  for (var i = local.x; i < SIZE / 8u * columns; i += SIZE) {
    let t = group.x * SIZE + i / columns * 8u;
    if (t >= dims.tokens) { break; }
    project_down(t, i % columns * 8u);
  }
  storageBarrier();
  let t = group.x * SIZE + local.x;
  if (t < dims.tokens) { route(t); }
}

@compute @workgroup_size(ALONE)
fn forward_alone(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x * 8u;
  if (t >= dims.tokens) { return; }
  for (var c = 0u; c < width(); c += 8u) { project_down(t, c); }
  for (var q = 0u; q < 8u; q++) { route(t + q); }
}

@group(1) @binding(3) var<storage, read> balance: array<f32>;
@group(1) @binding(6) var<storage, read_write> d_down: array<f32>;
@group(1) @binding(7) var<storage, read_write> dg: array<f32>;

// d_down holds the gradient of gated in its first columns, and is left holding that of h and of the logits.
fn route_back(t: u32) {
  let experts = dims.experts;
  let rank = dims.rank;
  let scale = dims.scale;
  let row = t * width();
  let z = row + dims.slots;
  let gate = t / dims.gate_tokens * dims.logits;
  let gradient = t * dims.logits;
  let real = t < dims.real_tokens;
  // The softmax behind the gates: the gates themselves, unless some were dropped without renormalisation.
  var top = 0.0;
  var sum = 0.0;
  let given = dims.given == 1u;
  let full = !given && dims.renormalize == 0u && dims.top_k > 0u;
  if (full) {
    top = down[z];
    for (var e = 1u; e < experts; e++) { top = max(top, down[z + e]); }
    for (var e = 0u; e < experts; e++) { sum += exp(down[z + e] - top); }
  }
  var mean = 0.0;
  var p = row;
  for (var e = 0u; e < experts; e++) {
    let share = scale * g[gate + e];
    var carried = 0.0;
    for (var r = 0u; r < rank; r++) {
      let dh = d_down[p];
      carried += dh * down[p];
      d_down[p] = share * dh;
      p++;
    }
    let grad = scale * carried + select(0.0, balance[e], real);
    dg[gradient + e] = grad;
    if (!given && kept(z, e)) {
      var soft = g[gate + e];
      if (full) { soft = exp(down[z + e] - top) / sum; }
      mean += grad * soft;
    }
  }
  if (!given) {
    for (var e = 0u; e < experts; e++) {
      var soft = g[gate + e];
      if (full) { soft = exp(down[z + e] - top) / sum; }
      let grad = select(0.0, dg[gradient + e], kept(z, e));
      d_down[z + e] = select(0.0, dims.inverse_temperature * soft * (grad - mean), real);
    }
  }
}

fn store_d_down(o: u32, a: vec4f, b: vec4f) {
  d_down[o] = a.x; d_down[o + 1u] = a.y; d_down[o + 2u] = a.z; d_down[o + 3u] = a.w;
  d_down[o + 4u] = b.x; d_down[o + 5u] = b.y; d_down[o + 6u] = b.z; d_down[o + 7u] = b.w;
}

fn project_back(t: u32, c: u32) {
  let n = width();
  var y = rows_of(project(t, c));
  for (var q = 0u; q < 8u; q++) { store_d_down((t + q) * n + c, y[2u * q], y[2u * q + 1u]); }
}

@compute @workgroup_size(SIZE)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let columns = dims.slots / 8u;
  for (var i = local.x; i < SIZE / 8u * columns; i += SIZE) {
    let t = group.x * SIZE + i / columns * 8u;
    if (t >= dims.tokens) { break; }
    project_back(t, i % columns * 8u);
  }
  storageBarrier();
  let t = group.x * SIZE + local.x;
  if (t < dims.tokens) { route_back(t); }
}

@compute @workgroup_size(ALONE)
fn backward_alone(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x * 8u;
  if (t >= dims.tokens) { return; }
  for (var c = 0u; c < dims.slots; c += 8u) { project_back(t, c); }
  for (var q = 0u; q < 8u; q++) { route_back(t + q); }
}
