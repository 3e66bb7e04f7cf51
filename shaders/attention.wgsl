// Causal attention with grouped heads, and back, in the style of FlashAttention: no score outlives the invocation that
// computes it.
//
//   q, out, d_out, dq [tokens, q_width]   heads side by side, each of head_dim columns
//   k, v, dk, dv      [tokens, kv_width]  heads / kv_heads heads of q share one of these
//   lse, delta        [tokens, heads_width]   log Σ exp of a query's scaled scores; Σ d_out ∘ out
//
// A workgroup does SIZE tokens of one sequence and one head, an invocation each, four keys (or, for keys' gradients, four
// queries) at a time. All of a workgroup walk over the same keys, so that reads are shared; what a token must not see gets a
// weight of exactly 0.

#import lib/tiles

struct Dims {
  tokens: u32, real_tokens: u32, sequence: u32, heads: u32, kv_heads: u32, head_dim: u32, q_width: u32, kv_width: u32,
  heads_width: u32, scale: f32,
}

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
// head_dim once more: only loops of known length keep their arrays in registers.
override HEAD: u32 = 24u;
override FOURS: u32 = (HEAD + 3u) / 4u;

// Of the widest head, of 128.
const MOST = 32u;
// A score lower than any.
const NEVER = -1e30;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> q: array<vec4f>;
@group(1) @binding(2) var<storage, read> k: array<vec4f>;
@group(1) @binding(3) var<storage, read> v: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> out: array<vec2f>;
@group(1) @binding(5) var<storage, read_write> lse: array<f32>;

// Four elements of a buffer from an even one on, given the vectors they lie in.
fn straddle(at: u32, a: vec4f, b: vec4f) -> vec4f { return select(vec4f(a.zw, b.xy), a, at % 4u == 0u); }

fn q4(at: u32) -> vec4f {
  let i = at / 4u;
  if (HEAD % 4u == 0u) { return q[i]; }
  return straddle(at, q[i], q[i + 1u]);
}
fn k4(at: u32) -> vec4f {
  let i = at / 4u;
  if (HEAD % 4u == 0u) { return k[i]; }
  return straddle(at, k[i], k[i + 1u]);
}
fn v4(at: u32) -> vec4f {
  let i = at / 4u;
  if (HEAD % 4u == 0u) { return v[i]; }
  return straddle(at, v[i], v[i + 1u]);
}

// Without what follows the head, in its last four columns. Every product has one such side.
fn inside(c: u32, a: vec4f) -> vec4f {
  if (HEAD % 4u == 0u) { return a; }
  return select(a, vec4f(a.xy, 0.0, 0.0), 4u * c + 2u == HEAD);
}

struct Place {
  // Of the head, and of the group of heads if that is asked for.
  head: u32,
  // First token of the sequence, and of the workgroup.
  start: u32, first: u32,
  // Behind the sequence's last real token.
  end: u32,
  token: u32,
  // Whether there is such a token: the last workgroup of a sequence may have too many invocations.
  there: bool,
}

fn place(group: u32, local: u32, heads: u32) -> Place {
  let tiles = (dims.sequence + SIZE - 1u) / SIZE;
  let offset = group / heads % tiles * SIZE;
  let start = group / (heads * tiles) * dims.sequence;
  let token = start + offset + local;
  let there = offset + local < dims.sequence && token < dims.tokens;
  return Place(group % heads, start, start + offset, min(start + dims.sequence, dims.real_tokens), token, there);
}

@compute @workgroup_size(SIZE)
fn forward(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let p = place(group.x, local.x, dims.heads);
  if (!p.there) { return; }
  let row = p.token * dims.q_width;
  let to = row + p.head * HEAD;
  if (p.head == 0u) {
    for (var c = dims.heads * HEAD; c < dims.q_width; c += 2u) { out[(row + c) / 2u] = vec2f(); }
    for (var h = dims.heads; h < dims.heads_width; h++) { lse[p.token * dims.heads_width + h] = 0.0; }
  }
  if (p.token >= dims.real_tokens) {
    for (var c = 0u; c < HEAD; c += 2u) { out[(to + c) / 2u] = vec2f(); }
    lse[p.token * dims.heads_width + p.head] = 0.0;
    return;
  }
  var query: array<vec4f, MOST>;
  var sum: array<vec4f, MOST>;
  for (var c = 0u; c < FOURS; c++) {
    query[c] = inside(c, q4(to + 4u * c));
    sum[c] = vec4f();
  }
  let w = dims.kv_width;
  let shared_head = p.head / (dims.heads / dims.kv_heads) * HEAD;
  let end = min(p.first + SIZE, p.end);
  var top = NEVER;
  var weights = 0.0;
  for (var j = p.start; j < end; j += 4u) {
    let base = j * w + shared_head;
    var scores = vec4f();
    for (var c = 0u; c < FOURS; c++) {
      let i = base + 4u * c;
      scores += dots(query[c], k4(i), k4(i + w), k4(i + 2u * w), k4(i + 3u * w));
    }
    let seen = vec4u(j, j + 1u, j + 2u, j + 3u) <= vec4u(p.token);
    scores = select(vec4f(NEVER), dims.scale * scores, seen);
    let higher = max(max(top, max(scores.x, scores.y)), max(scores.z, scores.w));
    let weight = select(vec4f(), exp(scores - higher), seen);
    let shrink = exp(top - higher);
    top = higher;
    weights = shrink * weights + dot(weight, vec4f(1.0));
    for (var c = 0u; c < FOURS; c++) {
      let i = base + 4u * c;
      sum[c] = shrink * sum[c] + mix4(weight, v4(i), v4(i + w), v4(i + 2u * w), v4(i + 3u * w));
    }
  }
  let share = 1.0 / weights;
  for (var c = 0u; c < FOURS; c++) {
    let i = (to + 4u * c) / 2u;
    out[i] = share * sum[c].xy;
    if (4u * c + 2u < HEAD) { out[i + 1u] = share * sum[c].zw; }
  }
  lse[p.token * dims.heads_width + p.head] = top + log(weights);
}

@group(1) @binding(4) var<storage, read> out_query: array<vec4f>;
@group(1) @binding(5) var<storage, read> d_out_query: array<vec4f>;
@group(1) @binding(6) var<storage, read> lse_query: array<f32>;
@group(1) @binding(7) var<storage, read_write> dq: array<vec2f>;
@group(1) @binding(8) var<storage, read_write> delta: array<f32>;

@compute @workgroup_size(SIZE)
fn query(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let p = place(group.x, local.x, dims.heads);
  if (!p.there) { return; }
  let row = p.token * dims.q_width;
  let to = row + p.head * HEAD;
  let of_head = p.token * dims.heads_width + p.head;
  if (p.head == 0u) {
    for (var c = dims.heads * HEAD; c < dims.q_width; c += 2u) { dq[(row + c) / 2u] = vec2f(); }
    for (var h = dims.heads; h < dims.heads_width; h++) { delta[p.token * dims.heads_width + h] = 0.0; }
  }
  if (p.token >= dims.real_tokens) {
    for (var c = 0u; c < HEAD; c += 2u) { dq[(to + c) / 2u] = vec2f(); }
    delta[of_head] = 0.0;
    return;
  }
  var query: array<vec4f, MOST>;
  var d_out: array<vec4f, MOST>;
  var sum: array<vec4f, MOST>;
  var along = 0.0;
  for (var c = 0u; c < FOURS; c++) {
    let at = to + 4u * c;
    let i = at / 4u;
    query[c] = inside(c, q4(at));
    if (HEAD % 4u == 0u) {
      d_out[c] = d_out_query[i];
      along += dot(d_out[c], out_query[i]);
    } else {
      d_out[c] = inside(c, straddle(at, d_out_query[i], d_out_query[i + 1u]));
      along += dot(d_out[c], straddle(at, out_query[i], out_query[i + 1u]));
    }
    sum[c] = vec4f();
  }
  delta[of_head] = along;
  let w = dims.kv_width;
  let shared_head = p.head / (dims.heads / dims.kv_heads) * HEAD;
  let end = min(p.first + SIZE, p.end);
  let total = lse_query[of_head];
  for (var j = p.start; j < end; j += 4u) {
    let base = j * w + shared_head;
    var scores = vec4f();
    var d_weight = vec4f();
    for (var c = 0u; c < FOURS; c++) {
      let i = base + 4u * c;
      scores += dots(query[c], k4(i), k4(i + w), k4(i + 2u * w), k4(i + 3u * w));
      d_weight += dots(d_out[c], v4(i), v4(i + w), v4(i + 2u * w), v4(i + 3u * w));
    }
    let seen = vec4u(j, j + 1u, j + 2u, j + 3u) <= vec4u(p.token);
    let weight = select(vec4f(), exp(dims.scale * scores - total), seen);
    let d_score = dims.scale * weight * (d_weight - along);
    for (var c = 0u; c < FOURS; c++) {
      let i = base + 4u * c;
      sum[c] += mix4(d_score, k4(i), k4(i + w), k4(i + 2u * w), k4(i + 3u * w));
    }
  }
  for (var c = 0u; c < FOURS; c++) {
    let i = (to + 4u * c) / 2u;
    dq[i] = sum[c].xy;
    if (4u * c + 2u < HEAD) { dq[i + 1u] = sum[c].zw; }
  }
}

@group(1) @binding(4) var<storage, read> d_out_key: array<vec4f>;
@group(1) @binding(5) var<storage, read> lse_key: array<f32>;
@group(1) @binding(6) var<storage, read> delta_key: array<f32>;
@group(1) @binding(7) var<storage, read_write> dk: array<vec2f>;
@group(1) @binding(8) var<storage, read_write> dv: array<vec2f>;

fn d_out4(at: u32) -> vec4f {
  let i = at / 4u;
  if (HEAD % 4u == 0u) { return d_out_key[i]; }
  return straddle(at, d_out_key[i], d_out_key[i + 1u]);
}

@compute @workgroup_size(SIZE)
fn key_value(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) group: vec3u) {
  let p = place(group.x, local.x, dims.kv_heads);
  if (!p.there) { return; }
  let row = p.token * dims.kv_width;
  let to = row + p.head * HEAD;
  if (p.head == 0u) {
    for (var c = dims.kv_heads * HEAD; c < dims.kv_width; c += 2u) {
      dk[(row + c) / 2u] = vec2f();
      dv[(row + c) / 2u] = vec2f();
    }
  }
  if (p.token >= dims.real_tokens) {
    for (var c = 0u; c < HEAD; c += 2u) {
      dk[(to + c) / 2u] = vec2f();
      dv[(to + c) / 2u] = vec2f();
    }
    return;
  }
  var key: array<vec4f, MOST>;
  var value: array<vec4f, MOST>;
  var d_key: array<vec4f, MOST>;
  var d_value: array<vec4f, MOST>;
  for (var c = 0u; c < FOURS; c++) {
    key[c] = inside(c, k4(to + 4u * c));
    value[c] = inside(c, v4(to + 4u * c));
    d_key[c] = vec4f();
    d_value[c] = vec4f();
  }
  let w = dims.q_width;
  let n = dims.heads_width;
  let heads = dims.heads / dims.kv_heads;
  for (var h = p.head * heads; h < (p.head + 1u) * heads; h++) {
    for (var j = p.first; j < p.end; j += 4u) {
      let base = j * w + h * HEAD;
      var scores = vec4f();
      var d_weight = vec4f();
      for (var c = 0u; c < FOURS; c++) {
        let i = base + 4u * c;
        scores += dots(key[c], q4(i), q4(i + w), q4(i + 2u * w), q4(i + 3u * w));
        d_weight += dots(value[c], d_out4(i), d_out4(i + w), d_out4(i + 2u * w), d_out4(i + 3u * w));
      }
      let g = j * n + h;
      let total = vec4f(lse_key[g], lse_key[g + n], lse_key[g + 2u * n], lse_key[g + 3u * n]);
      let along = vec4f(delta_key[g], delta_key[g + n], delta_key[g + 2u * n], delta_key[g + 3u * n]);
      let rows = vec4u(j, j + 1u, j + 2u, j + 3u);
      let seen = (rows >= vec4u(p.token)) & (rows < vec4u(p.end));
      let weight = select(vec4f(), exp(dims.scale * scores - total), seen);
      let d_score = select(vec4f(), dims.scale * weight * (d_weight - along), seen);
      for (var c = 0u; c < FOURS; c++) {
        let i = base + 4u * c;
        d_key[c] += mix4(d_score, q4(i), q4(i + w), q4(i + 2u * w), q4(i + 3u * w));
        d_value[c] += mix4(weight, d_out4(i), d_out4(i + w), d_out4(i + 2u * w), d_out4(i + 3u * w));
      }
    }
  }
  for (var c = 0u; c < FOURS; c++) {
    let i = (to + 4u * c) / 2u;
    dk[i] = d_key[c].xy;
    dv[i] = d_value[c].xy;
    if (4u * c + 2u < HEAD) {
      dk[i + 1u] = d_key[c].zw;
      dv[i + 1u] = d_value[c].zw;
    }
  }
}
