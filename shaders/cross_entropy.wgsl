// Cross-entropy over the classes of each token, mean over the tokens that count, and its gradient.
//
//   y, dy [tokens, outputs]   labels [pool], negative where a token does not count   losses: from loss_at on [tokens]
//
// LANES invocations do one token, four classes at a time: one, or a workgroup where a GPU has many classes.

#import lib/step

struct Dims { tokens: u32, outputs: u32, real_tokens: u32, real_outputs: u32, loss_at: u32, counted: u32 }

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
override LANES: u32 = 1u;

// A logit lower than any.
const NEVER = -1e30;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> y: array<vec4f>;
@group(1) @binding(2) var<storage, read> labels: array<f32>;
@group(1) @binding(3) var<storage, read_write> dy: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> losses: array<f32>;

struct Sum {
  // The greatest logit, Σ exp(logit − top), and the label's logit.
  top: f32, sum: f32, hit: f32,
}

var<workgroup> sums: array<Sum, SIZE>;

fn classes(c: u32) -> vec4u { return 4u * c + vec4u(0u, 1u, 2u, 3u); }

@compute @workgroup_size(SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let t = id.x / LANES;
  let lane = id.x % LANES;
  let columns = dims.outputs / 4u;
  let row = t * columns;
  let end = vec4u(dims.real_outputs);
  var label = -1.0;
  if (t < dims.real_tokens) { label = labels[clock.x_row + t]; }
  let counts = label >= 0.0;
  let wanted = vec4u(u32(max(label, 0.0)));

  var own = Sum(NEVER, 0.0, 0.0);
  if (counts) {
    for (var c = lane; c < columns; c += LANES) {
      let class4 = classes(c);
      let real = class4 < end;
      let v = select(vec4f(NEVER), y[row + c], real);
      let top = max(max(own.top, max(v.x, v.y)), max(v.z, v.w));
      own.sum = own.sum * exp(own.top - top) + dot(select(vec4f(), exp(v - top), real), vec4f(1.0));
      own.hit += dot(select(vec4f(), v, class4 == wanted), vec4f(1.0));
      own.top = top;
    }
  }
  if (LANES > 1u) {
    sums[local.x] = own;
    workgroupBarrier();
    let first = local.x / LANES * LANES;
    own = sums[first];
    for (var i = 1u; i < LANES; i++) {
      let other = sums[first + i];
      let top = max(own.top, other.top);
      own = Sum(top, own.sum * exp(own.top - top) + other.sum * exp(other.top - top), own.hit + other.hit);
    }
  }
  if (t >= dims.tokens) { return; }
  if (lane == 0u) { losses[dims.loss_at + t] = select(0.0, own.top + log(own.sum) - own.hit, counts); }
  let share = select(0.0, 1.0 / f32(dims.counted), counts);
  let inverse = 1.0 / own.sum;
  for (var c = lane; c < columns; c += LANES) {
    var d = vec4f();
    if (counts) {
      let class4 = classes(c);
      let p = inverse * exp(y[row + c] - own.top) - select(vec4f(), vec4f(1.0), class4 == wanted);
      d = select(vec4f(), share * p, class4 < end);
    }
    dy[row + c] = d;
  }
}
