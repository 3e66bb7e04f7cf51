// Load balance: the derivative of the weighted balance term by one token's gate.
//
//   g [rows, logits]   balance [logits]
//
// kind 1, entropy: Σ p̄ log(p̄ + 1e-12).  kind 2, switch: N Σ f P̄, no gradient through f. One workgroup, one
// invocation an expert.

struct Dims { rows: u32, tokens: u32, experts: u32, logits: u32, kind: u32, coefficient: f32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> g: array<f32>;
@group(1) @binding(2) var<storage, read_write> balance: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(local_invocation_id) id: vec3u) {
  let e = id.x;
  if (e >= dims.experts) { return; }
  var sum = 0.0;
  for (var r = 0u; r < dims.rows; r++) {
    let own = g[r * dims.logits + e];
    if (dims.kind == 1u) {
      sum += own;
      continue;
    }
    var top = true;
    for (var j = 0u; j < dims.experts; j++) {
      let other = g[r * dims.logits + j];
      if (other > own || (other == own && j < e)) { top = false; }
    }
    if (top) { sum += 1.0; }
  }
  let mean = sum / f32(dims.rows);
  let safe = mean + 1e-12;
  let derivative = select(f32(dims.experts) * mean, log(safe) + mean / safe, dims.kind == 1u);
  balance[e] = dims.coefficient / f32(dims.tokens) * derivative;
}
