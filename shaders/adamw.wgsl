// AdamW as PyTorch defines it, over all trainable parameters of a lane, and the step's loss.
//
//   params, grads [elements]   moments [2, elements]   losses [slots, 32], then from loss_at on [tiles]
//
// One invocation does four parameters. The invocations of one workgroup more add up the tiles' losses to 32 sums,
// which the reader adds: no barrier is needed, and the last addition is made in f64.

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32 }
struct Dims {
  elements: u32, loss_at: u32, tiles: u32, beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, loss_scale: f32,
}

const PARTS = 32u;

@group(0) @binding(0) var<uniform> clock: Step;
@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read_write> params: array<vec4f>;
@group(1) @binding(2) var<storage, read> grads: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> moments: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(64)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  // The loss is gathered by the first workgroup, so that on a device of few cores it does not come last.
  if (group.x == 0u) {
    if (local.x >= PARTS) { return; }
    var sum = 0.0;
    for (var i = local.x; i < dims.tiles; i += PARTS) { sum += losses[dims.loss_at + i]; }
    losses[clock.slot * PARTS + local.x] = dims.loss_scale * sum;
    return;
  }
  let i = (group.x - 1u) * 64u + local.x;
  if (i * 4u >= dims.elements) { return; }
  let g = grads[i];
  let j = dims.elements / 4u + i;
  let m = dims.beta1 * moments[i] + dims.rest1 * g;
  let v = dims.beta2 * moments[j] + dims.rest2 * g * g;
  moments[i] = m;
  moments[j] = v;
  params[i] = clock.keep * params[i] - clock.rate * m / (sqrt(v) * clock.second + dims.eps);
}
