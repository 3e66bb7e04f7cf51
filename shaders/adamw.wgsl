// AdamW as PyTorch defines it, for gradients that lie ready in grads: parameters `from` … `from + count`.
//
//   params, grads [elements]   moments [2, elements]   losses [slots, 32], then from loss_at on [tiles]
//
// Workgroup 0 adds up the step's loss, where `tiles` says that no other pass does.

#import lib/adamw, lib/losses, lib/step

struct Dims {
  begin: u32, count: u32, elements: u32, loss_at: u32, tiles: u32,
  beta1: f32, beta2: f32, one_minus_beta1: f32, one_minus_beta2: f32, eps: f32, loss_scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> grads: array<f32>;
@group(1) @binding(2) var<storage, read_write> params: array<f32>;
@group(1) @binding(3) var<storage, read_write> moments: array<f32>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

const SIZE = 64u;

@compute @workgroup_size(SIZE)
fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  if (group.x == 0u) {
    if (dims.tiles > 0u && local.x < PARTS) { gather(local.x); }
    return;
  }
  let at = (group.x - 1u) * SIZE + local.x;
  if (at >= dims.count) { return; }
  let i = dims.begin + at;
  let j = dims.elements + i;
  let next = adamw(grads[i], params[i], moments[i], moments[j]);
  moments[i] = next.m;
  moments[j] = next.v;
  params[i] = next.p;
}
