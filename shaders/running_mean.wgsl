// The mean of a sequence's rows so far, and back.
//
//   x [tokens or pool, width]   out, d_out, dx [tokens, width]   sums [positions, width], after each token of one sequence
//
// One invocation does four columns of a sequence: each row's mean needs the sum before it.

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
  let base = dims.x_batched * clock.x_row;
  var sum = vec4f();
  for (var t = start; t < min(start + dims.sequence, dims.tokens); t++) {
    var mean = vec4f();
    if (t < dims.real_tokens) {
      sum += x[(base + t) * columns + c];
      mean = sum / f32(t - start + 1u);
    }
    out[t * columns + c] = mean;
  }
}

@group(1) @binding(2) var<storage, read_write> sums: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out_continued: array<vec4f>;

@compute @workgroup_size(32)
fn continued(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  if (id.x >= columns) { return; }
  var sum = vec4f();
  if (clock.x_row > 0u) { sum = sums[(clock.x_row - 1u) * columns + id.x]; }
  for (var t = 0u; t < dims.tokens; t++) {
    sum += x[t * columns + id.x];
    sums[(clock.x_row + t) * columns + id.x] = sum;
    out_continued[t * columns + id.x] = sum / f32(clock.x_row + t + 1u);
  }
}

@group(1) @binding(1) var<storage, read> d_out: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> dx: array<vec4f>;

@compute @workgroup_size(32)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let c = id.x % columns;
  let start = id.x / columns * dims.sequence;
  var sum = vec4f();
  // Down from the last row, counting from 1.
  for (var t = min(start + dims.sequence, dims.tokens); t > start; t--) {
    let i = (t - 1u) * columns + c;
    if (t <= dims.real_tokens) { sum += d_out[i] / f32(t - start); }
    dx[i] = sum;
  }
}
