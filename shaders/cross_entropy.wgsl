// Cross-entropy over the classes of each token, mean over tokens, and its gradient.
//
//   y, dy [tokens, outputs]   labels [pool]   losses: from loss_at on [tokens]
//
// One invocation does one token.

#import lib/step

struct Dims { tokens: u32, outputs: u32, real_tokens: u32, real_outputs: u32, loss_at: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> y: array<f32>;
@group(1) @binding(2) var<storage, read> labels: array<f32>;
@group(1) @binding(3) var<storage, read_write> dy: array<f32>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(32)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let t = id.x;
  if (t >= dims.tokens) { return; }
  let row = t * dims.outputs;
  if (t >= dims.real_tokens) {
    for (var c = 0u; c < dims.outputs; c++) { dy[row + c] = 0.0; }
    losses[dims.loss_at + t] = 0.0;
    return;
  }
  let label = u32(labels[clock.x_row + t]);
  var top = y[row];
  for (var c = 1u; c < dims.real_outputs; c++) { top = max(top, y[row + c]); }
  var sum = 0.0;
  for (var c = 0u; c < dims.real_outputs; c++) { sum += exp(y[row + c] - top); }
  losses[dims.loss_at + t] = top + log(sum) - y[row + label];
  let share = 1.0 / f32(dims.real_tokens);
  for (var c = 0u; c < dims.outputs; c++) {
    let p = exp(y[row + c] - top) / sum - select(0.0, 1.0, c == label);
    dy[row + c] = select(0.0, share * p, c < dims.real_outputs);
  }
}
