// Rank-1 experts that share their vectors: hg = s Gᵀ h, G a token's gate as p × q, and back to h and G.
//
//   h, dh [tokens, read_slots]   hg, dhg [tokens, write_slots]   g [rows, logits]   dg [tokens, logits]   bal [logits]
//
// Gate i · writers + j joins reader i to writer j. One invocation per token.

struct Dims {
  tokens: u32, real_tokens: u32, readers: u32, writers: u32, read_slots: u32, write_slots: u32, logits: u32,
  gate_tokens: u32, scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> h: array<f32>;
@group(1) @binding(2) var<storage, read> g: array<f32>;
@group(1) @binding(3) var<storage, read_write> hg: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let gate = t / dims.gate_tokens * dims.logits;
  for (var j = 0u; j < dims.writers; j++) {
    var sum = 0.0;
    for (var i = 0u; i < dims.readers; i++) { sum += g[gate + i * dims.writers + j] * h[t * dims.read_slots + i]; }
    hg[t * dims.write_slots + j] = dims.scale * sum;
  }
}

@group(1) @binding(3) var<storage, read> bal: array<f32>;
@group(1) @binding(4) var<storage, read> dhg: array<f32>;
@group(1) @binding(5) var<storage, read_write> dh: array<f32>;
@group(1) @binding(6) var<storage, read_write> dg: array<f32>;

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let gate = t / dims.gate_tokens * dims.logits;
  let real = t < dims.real_tokens;
  for (var i = 0u; i < dims.readers; i++) {
    let read = h[t * dims.read_slots + i];
    var sum = 0.0;
    for (var j = 0u; j < dims.writers; j++) {
      let e = i * dims.writers + j;
      let carried = dhg[t * dims.write_slots + j];
      sum += g[gate + e] * carried;
      dg[t * dims.logits + e] = dims.scale * read * carried + select(0.0, bal[e], real);
    }
    dh[t * dims.read_slots + i] = dims.scale * sum;
  }
}
