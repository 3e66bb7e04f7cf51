// The mean of a sequence's rows, on each of them; the way back is the same.
//
//   x [tokens or pool, width]   out [tokens, width]
//
// One invocation does four columns of a sequence.

#import lib/step

struct Dims { tokens: u32, real_tokens: u32, sequence: u32, width: u32, x_batched: u32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(32)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let c = id.x % columns;
  let start = id.x / columns * dims.sequence;
  let end = min(start + dims.sequence, dims.tokens);
  let base = dims.x_batched * clock.x_row;
  var mean = vec4f();
  // Padding may begin a sequence, which is left at zero.
  if (start < dims.real_tokens) {
    for (var t = start; t < end; t++) { mean += x[(base + t) * columns + c]; }
    mean /= f32(dims.sequence);
  }
  for (var t = start; t < end; t++) { out[t * columns + c] = mean; }
}
