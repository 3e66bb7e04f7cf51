// Rank-1 experts that share their vectors: gated = s Gᵀ down, G a token's gate as p × q, and back to down and G.
//
//   down, d_down [tokens, read_slots]   gated, d_gated [tokens, write_slots]
//   g [rows, logits]   dg [tokens, logits]   balance [logits]
//
// Gate i · writers + j joins reader i to writer j. One invocation per token.

struct Dims {
  tokens: u32, real_tokens: u32, readers: u32, writers: u32, read_slots: u32, write_slots: u32, logits: u32,
  gate_tokens: u32, scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> down: array<f32>;
@group(1) @binding(2) var<storage, read> g: array<f32>;
@group(1) @binding(3) var<storage, read_write> gated: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let gate = t / dims.gate_tokens * dims.logits;
  for (var j = 0u; j < dims.writers; j++) {
    var sum = 0.0;
    for (var i = 0u; i < dims.readers; i++) { sum += g[gate + i * dims.writers + j] * down[t * dims.read_slots + i]; }
    gated[t * dims.write_slots + j] = dims.scale * sum;
  }
}

@group(1) @binding(3) var<storage, read> balance: array<f32>;
@group(1) @binding(4) var<storage, read> d_gated: array<f32>;
@group(1) @binding(5) var<storage, read_write> d_down: array<f32>;
@group(1) @binding(6) var<storage, read_write> dg: array<f32>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let gate = t / dims.gate_tokens * dims.logits;
  let real = t < dims.real_tokens;
  for (var i = 0u; i < dims.readers; i++) {
    let read = down[t * dims.read_slots + i];
    var sum = 0.0;
    for (var j = 0u; j < dims.writers; j++) {
      let e = i * dims.writers + j;
      let carried = d_gated[t * dims.write_slots + j];
      sum += g[gate + e] * carried;
      dg[t * dims.logits + e] = dims.scale * read * carried + select(0.0, balance[e], real);
    }
    d_down[t * dims.read_slots + i] = dims.scale * sum;
  }
}
