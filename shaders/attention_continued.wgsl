// Causal attention of tokens with which a sequence goes on.
//
//   q, out [tokens, q_width]   k, v [tokens, kv_width]   keys, values [positions, kv_width]: what came before, and these
//
// One invocation does a token and a head, a key at a time. It reads what the dispatch itself puts into the cache from k and v, so
// that none waits for another.

#import lib/step

struct Dims {
  tokens: u32, heads: u32, kv_heads: u32, head_dim: u32, q_width: u32, kv_width: u32, scale: f32,
}

// Of the widest head.
const MOST = 128u;
// A score lower than any.
const NEVER = -1e30;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> q: array<f32>;
@group(1) @binding(2) var<storage, read> k: array<f32>;
@group(1) @binding(3) var<storage, read> v: array<f32>;
@group(1) @binding(4) var<storage, read_write> keys: array<f32>;
@group(1) @binding(5) var<storage, read_write> values: array<f32>;
@group(1) @binding(6) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(32)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x / dims.heads;
  if (t >= dims.tokens) { return; }
  let h = id.x % dims.heads;
  let first = clock.x_row;
  let w = dims.kv_width;
  let to = t * dims.q_width + h * dims.head_dim;
  if (h == 0u) {
    for (var c = dims.heads * dims.head_dim; c < dims.q_width; c++) { out[t * dims.q_width + c] = 0.0; }
    for (var c = 0u; c < w; c++) {
      keys[(first + t) * w + c] = k[t * w + c];
      values[(first + t) * w + c] = v[t * w + c];
    }
  }
  let shared_head = h / (dims.heads / dims.kv_heads) * dims.head_dim;
  var sum: array<f32, MOST>;
  for (var c = 0u; c < dims.head_dim; c++) { sum[c] = 0.0; }
  var top = NEVER;
  var weights = 0.0;
  for (var j = 0u; j <= first + t; j++) {
    let old = j < first;
    let at = select(j - first, j, old) * w + shared_head;
    var score = 0.0;
    for (var c = 0u; c < dims.head_dim; c++) {
      var key: f32;
      if (old) { key = keys[at + c]; } else { key = k[at + c]; }
      score += q[to + c] * key;
    }
    score *= dims.scale;
    let higher = max(top, score);
    let before = exp(top - higher);
    let weight = exp(score - higher);
    weights = weights * before + weight;
    for (var c = 0u; c < dims.head_dim; c++) {
      var value: f32;
      if (old) { value = values[at + c]; } else { value = v[at + c]; }
      sum[c] = sum[c] * before + weight * value;
    }
    top = higher;
  }
  for (var c = 0u; c < dims.head_dim; c++) { out[to + c] = sum[c] / weights; }
}
