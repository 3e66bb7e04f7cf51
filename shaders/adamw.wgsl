// AdamW as PyTorch defines it, for gradients that lie ready in grads: parameters `from` … `from + count`.
//
//   params, grads [elements]   moments [2, elements]   losses [slots, 32], then from loss_at on [tiles]
//
// Workgroup 0 adds up the step's loss, where `tiles` says that no other pass does (see weight_grad.wgsl).

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32 }
struct Dims {
  begin: u32, count: u32, elements: u32, loss_at: u32, tiles: u32,
  beta1: f32, beta2: f32, rest1: f32, rest2: f32, eps: f32, loss_scale: f32,
}

@group(0) @binding(0) var<uniform> clock: Step;
@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> grads: array<f32>;
@group(1) @binding(2) var<storage, read_write> params: array<f32>;
@group(1) @binding(3) var<storage, read_write> moments: array<f32>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

const SIZE = 64u;
const PARTS = 32u;

@compute @workgroup_size(SIZE)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  if (group.x == 0u) {
    if (dims.tiles == 0u || local.x >= PARTS) { return; }
    var sum = 0.0;
    for (var i = local.x; i < dims.tiles; i += PARTS) { sum += losses[dims.loss_at + i]; }
    losses[clock.slot * PARTS + local.x] = dims.loss_scale * sum;
    return;
  }
  let at = (group.x - 1u) * SIZE + local.x;
  if (at >= dims.count) { return; }
  let i = dims.begin + at;
  let j = dims.elements + i;
  let g = grads[i];
  let m = dims.beta1 * moments[i] + dims.rest1 * g;
  let v = dims.beta2 * moments[j] + dims.rest2 * g * g;
  moments[i] = m;
  moments[j] = v;
  params[i] = clock.keep * params[i] - clock.rate * m / (sqrt(v) * clock.second + dims.eps);
}
