// RMSNorm and the gradient of its input.
//
//   x, out, dy, dx [tokens, width], of which real_width columns are no padding   weight [width]
//
// LANES invocations do one row, four columns at a time: on a GPU a whole workgroup, in software one, without a barrier.

struct Dims { tokens: u32, width: u32, real_width: u32, eps: f32 }

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
override LANES: u32 = 32u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read> weight: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

var<workgroup> sums: array<vec2f, SIZE>;

// The sum over all invocations of the row, for each of them.
fn of_row(local: u32, own: vec2f) -> vec2f {
  if (LANES == 1u) { return own; }
  sums[local] = own;
  workgroupBarrier();
  var sum = vec2f();
  let first = local / LANES * LANES;
  for (var i = 0u; i < LANES; i++) { sum += sums[first + i]; }
  return sum;
}

@compute @workgroup_size(SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let columns = dims.width / 4u;
  let row = id.x / LANES * columns;
  var square = 0.0;
  for (var c = id.x % LANES; c < columns; c += LANES) {
    let v = x[row + c];
    square += dot(v, v);
  }
  let mean = of_row(local.x, vec2f(square, 0.0)).x / f32(dims.real_width);
  let inverse = 1.0 / sqrt(mean + dims.eps);
  for (var c = id.x % LANES; c < columns; c += LANES) { out[row + c] = inverse * x[row + c] * weight[c]; }
}

@group(1) @binding(3) var<storage, read> dy: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> dx: array<vec4f>;

@compute @workgroup_size(SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let columns = dims.width / 4u;
  let row = id.x / LANES * columns;
  var own = vec2f();
  for (var c = id.x % LANES; c < columns; c += LANES) {
    let v = x[row + c];
    own += vec2f(dot(v, v), dot(v, weight[c] * dy[row + c]));
  }
  let mean = of_row(local.x, own) / f32(dims.real_width);
  let inverse = 1.0 / sqrt(mean.x + dims.eps);
  let along = inverse * inverse * mean.y;
  for (var c = id.x % LANES; c < columns; c += LANES) {
    dx[row + c] = inverse * (weight[c] * dy[row + c] - along * x[row + c]);
  }
}
