// Mean squared error over all elements and its gradient, as layer_forward ends in it.
//
//   y, dy [tokens, outputs]   target [pool, outputs]   losses: from loss_at on, one per tile
//
// One invocation does a tile of 8 tokens × 8 outputs.

#import lib/step

struct Dims { tokens: u32, outputs: u32, real_tokens: u32, real_outputs: u32, loss_at: u32, grad_scale: f32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> y: array<f32>;
@group(1) @binding(2) var<storage, read> expected: array<f32>;
@group(1) @binding(3) var<storage, read_write> dy: array<f32>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(32)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.outputs / 8u;
  if (id.x >= dims.tokens / 8u * columns) { return; }
  var squares = 0.0;
  for (var q = 0u; q < 8u; q++) {
    let t = id.x / columns * 8u + q;
    for (var r = 0u; r < 8u; r++) {
      let c = id.x % columns * 8u + r;
      let real = t < dims.real_tokens && c < dims.real_outputs;
      let off = select(0.0, y[t * dims.outputs + c] - expected[(t + clock.x_row) * dims.outputs + c], real);
      squares += off * off;
      dy[t * dims.outputs + c] = dims.grad_scale * off;
    }
  }
  losses[dims.loss_at + id.x] = squares;
}
