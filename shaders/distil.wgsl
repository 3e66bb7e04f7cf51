// A student's loss against a teacher's expectations, mean over tokens, and its gradient:
//   (1 − λ) · cross-entropy + λ T² · KL(softmax(aim / T) ‖ softmax(y / T))
//
//   y, dy [tokens, outputs]   aim [pool, outputs]: the teacher's logits   labels [pool], negative where a token has none, and so
//   no first part   losses: from loss_at on [tokens]
//
// LANES invocations do one token, four classes at a time: one, or a workgroup where a GPU has many classes.

#import lib/step

struct Dims {
  tokens: u32, outputs: u32, real_tokens: u32, real_outputs: u32, loss_at: u32, temperature: f32, mix: f32,
}

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
override LANES: u32 = 1u;

// A logit lower than any.
const NEVER = -1e30;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> y: array<vec4f>;
@group(1) @binding(2) var<storage, read> aim: array<vec4f>;
@group(1) @binding(3) var<storage, read> labels: array<f32>;
@group(1) @binding(4) var<storage, read_write> dy: array<vec4f>;
@group(1) @binding(5) var<storage, read_write> losses: array<f32>;

struct Sum {
  // The student's greatest logit, Σ exp(logit − top), Σ exp((logit − top) / T), and the label's logit.
  top: f32, hard: f32, soft: f32, hit: f32,
  // The teacher's greatest logit, Σ exp((logit − top) / T), and the same times how far its logits are above the student's.
  taught_top: f32, taught: f32, apart: f32,
}

var<workgroup> sums: array<Sum, SIZE>;

fn joined(a: Sum, b: Sum) -> Sum {
  let top = max(a.top, b.top);
  let taught_top = max(a.taught_top, b.taught_top);
  let own = vec2f(a.top, b.top) - top;
  let hard = exp(own);
  let soft = exp(own / dims.temperature);
  let taught = exp((vec2f(a.taught_top, b.taught_top) - taught_top) / dims.temperature);
  return Sum(
    top, dot(hard, vec2f(a.hard, b.hard)), dot(soft, vec2f(a.soft, b.soft)), a.hit + b.hit,
    taught_top, dot(taught, vec2f(a.taught, b.taught)), dot(taught, vec2f(a.apart, b.apart)),
  );
}

fn classes(c: u32) -> vec4u { return 4u * c + vec4u(0u, 1u, 2u, 3u); }

fn greatest(v: vec4f) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }

fn total(v: vec4f) -> f32 { return dot(v, vec4f(1.0)); }

@compute @workgroup_size(SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let t = id.x / LANES;
  let lane = id.x % LANES;
  let columns = dims.outputs / 4u;
  let row = t * columns;
  let aim_row = (clock.x_row + t) * columns;
  let end = vec4u(dims.real_outputs);
  let counts = t < dims.real_tokens;
  var label = -1.0;
  if (counts) { label = labels[clock.x_row + t]; }
  let labelled = label >= 0.0;
  let wanted = vec4u(u32(max(label, 0.0)));
  let temperature = dims.temperature;

  var own = Sum(NEVER, 0.0, 0.0, 0.0, NEVER, 0.0, 0.0);
  if (counts) {
    for (var c = lane; c < columns; c += LANES) {
      let class4 = classes(c);
      let real = class4 < end;
      let v = select(vec4f(NEVER), y[row + c], real);
      let w = select(vec4f(NEVER), aim[aim_row + c], real);
      let top = greatest(v);
      let taught_top = greatest(w);
      let hard = select(vec4f(), exp(v - top), real);
      let soft = select(vec4f(), exp((v - top) / temperature), real);
      let taught = select(vec4f(), exp((w - taught_top) / temperature), real);
      let hit = select(vec4f(), v, class4 == wanted);
      own = joined(own, Sum(
        top, total(hard), total(soft), total(hit),
        taught_top, total(taught), dot(taught, select(vec4f(), w - v, real)),
      ));
    }
  }
  if (LANES > 1u) {
    sums[local.x] = own;
    workgroupBarrier();
    let first = local.x / LANES * LANES;
    own = sums[first];
    for (var i = 1u; i < LANES; i++) { own = joined(own, sums[first + i]); }
  }
  if (t >= dims.tokens) { return; }
  let hard = select(0.0, 1.0 - dims.mix, labelled);
  if (lane == 0u) {
    let entropy = own.top + log(own.hard) - own.hit;
    let above = (own.apart / own.taught + own.top - own.taught_top) / temperature;
    let divergence = above + log(own.soft) - log(own.taught);
    losses[dims.loss_at + t] = select(0.0, hard * entropy + dims.mix * temperature * temperature * divergence, counts);
  }
  let share = 1.0 / f32(dims.real_tokens);
  let inverse = vec3f(1.0) / vec3f(own.hard, own.soft, own.taught);
  for (var c = lane; c < columns; c += LANES) {
    var d = vec4f();
    if (counts) {
      let class4 = classes(c);
      let v = y[row + c] - own.top;
      let w = aim[aim_row + c] - own.taught_top;
      let plain = inverse.x * exp(v) - select(vec4f(), vec4f(1.0), class4 == wanted);
      let softened = inverse.y * exp(v / temperature) - inverse.z * exp(w / temperature);
      d = select(vec4f(), share * (hard * plain + dims.mix * temperature * softened), class4 < end);
    }
    dy[row + c] = d;
  }
}
