// Gates of a mixture: softmax over the router's logits, top-k, optional renormalisation; then hg = scale · g h.
//
//   hz  [tokens, slots + logits]  A x, then the router's logits (slots alone where the gates are given)
//   g   [rows, logits]            hg, dhg [tokens, slots]   bal [logits]   dhz as hz   dg [tokens, logits]
//
// Slot p belongs to expert p / rank. One invocation does one token. Gates are kept by rank of their logit, ties to
// the lower index, so that no sorting and no private array is needed.

struct Dims {
  tokens: u32, real_tokens: u32, experts: u32, rank: u32, slots: u32, logits: u32, top_k: u32, renormalize: u32,
  given: u32, gate_tokens: u32, scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> hz: array<f32>;
@group(1) @binding(2) var<storage, read_write> g: array<f32>;
@group(1) @binding(3) var<storage, read_write> hg: array<f32>;

fn width() -> u32 { return dims.slots + select(dims.logits, 0u, dims.given == 1u); }

// Whether expert e's logit, of those from `z` on, is among the top k.
fn kept(z: u32, e: u32) -> bool {
  if (dims.top_k == 0u) { return true; }
  let own = hz[z + e];
  var ahead = 0u;
  for (var j = 0u; j < dims.experts; j++) {
    let other = hz[z + j];
    if (other > own || (other == own && j < e)) { ahead++; }
  }
  return ahead < dims.top_k;
}

@compute @workgroup_size(32)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let row = t * width();
  let z = row + dims.slots;
  let gate = t / dims.gate_tokens * dims.logits;
  if (dims.given == 0u) {
    var top = hz[z];
    for (var e = 1u; e < dims.experts; e++) { top = max(top, hz[z + e]); }
    var sum = 0.0;
    for (var e = 0u; e < dims.experts; e++) {
      if (dims.renormalize == 0u || kept(z, e)) { sum += exp(hz[z + e] - top); }
    }
    for (var e = 0u; e < dims.experts; e++) {
      g[gate + e] = select(0.0, exp(hz[z + e] - top) / sum, kept(z, e));
    }
  }
  for (var e = 0u; e < dims.experts; e++) {
    let share = dims.scale * g[gate + e];
    for (var p = e * dims.rank; p < (e + 1u) * dims.rank; p++) { hg[t * dims.slots + p] = share * hz[row + p]; }
  }
}

@group(1) @binding(2) var<storage, read> g_in: array<f32>;
@group(1) @binding(3) var<storage, read> dhg: array<f32>;
@group(1) @binding(4) var<storage, read> bal: array<f32>;
@group(1) @binding(5) var<storage, read_write> dhz: array<f32>;
@group(1) @binding(6) var<storage, read_write> dg: array<f32>;

@compute @workgroup_size(32)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let row = t * width();
  let z = row + dims.slots;
  let gate = t / dims.gate_tokens * dims.logits;
  let real = t < dims.real_tokens;
  // The softmax behind the gates: the gates themselves, unless some were dropped without renormalisation.
  var top = 0.0;
  var sum = 0.0;
  let full = dims.given == 0u && dims.renormalize == 0u;
  if (full) {
    top = hz[z];
    for (var e = 1u; e < dims.experts; e++) { top = max(top, hz[z + e]); }
    for (var e = 0u; e < dims.experts; e++) { sum += exp(hz[z + e] - top); }
  }
  var mean = 0.0;
  for (var e = 0u; e < dims.experts; e++) {
    let share = dims.scale * g_in[gate + e];
    var carried = 0.0;
    for (var p = e * dims.rank; p < (e + 1u) * dims.rank; p++) {
      let dh = dhg[t * dims.slots + p];
      carried += dh * hz[row + p];
      dhz[row + p] = share * dh;
    }
    let grad = dims.scale * carried + select(0.0, bal[e], real);
    dg[t * dims.logits + e] = grad;
    if (dims.given == 0u && kept(z, e)) {
      mean += grad * select(g_in[gate + e], exp(hz[z + e] - top) / sum, full);
    }
  }
  if (dims.given == 0u) {
    for (var e = 0u; e < dims.experts; e++) {
      let p = select(g_in[gate + e], exp(hz[z + e] - top) / sum, full);
      let grad = select(0.0, dg[t * dims.logits + e], kept(z, e));
      dhz[z + e] = select(0.0, p * (grad - mean), real);
    }
  }
}
