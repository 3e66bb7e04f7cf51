// One adapted linear layer: y = base (+ x w0ᵀ) (+ x deltaᵀ) (+ hg lora_B).
//
//   x [tokens, inputs]        w0, delta [outputs, inputs]   hg [tokens, slots]   lora_B [slots, outputs]
//   base [pool, outputs] cached, or the bias [outputs]      target [pool, outputs]
//   out [tokens, outputs]     y, or under MSE the gradient 2 (y − target) / (tokens · outputs)
//   losses                    under MSE, from loss_at on, each tile's sum of squared errors [tiles]
//
// One invocation owns a tile of 8 tokens × 4 outputs (see project.wgsl). delta and lora_B lie in `params`.

struct Step { x_row: u32, slot: u32, rate: f32, keep: f32, second: f32 }
struct Dims {
  tokens: u32, inputs: u32, outputs: u32, slots: u32, x_batched: u32, base_cached: u32, dense: u32, offset: u32,
  mse: u32, real_tokens: u32, real_outputs: u32, loss_at: u32, grad_scale: f32,
}

@group(0) @binding(0) var<uniform> clock: Step;
@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read> w0: array<vec4f>;
@group(1) @binding(3) var<storage, read> params: array<vec4f>;
@group(1) @binding(4) var<storage, read> hg: array<vec4f>;
@group(1) @binding(5) var<storage, read> base: array<vec4f>;
@group(1) @binding(6) var<storage, read> expected: array<vec4f>;
@group(1) @binding(7) var<storage, read_write> out: array<vec4f>;
@group(1) @binding(8) var<storage, read_write> losses: array<f32>;

fn dots(a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f) -> vec4f {
  return vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
}
fn mix4(a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f) -> vec4f {
  return a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
}

// Writes one token's four outputs and returns their squared errors.
fn finish(t: u32, o: u32, y: vec4f) -> f32 {
  let columns = dims.outputs / 4u;
  if (dims.mse == 0u) {
    out[t * columns + o] = y;
    return 0.0;
  }
  let lane = vec4u(o * 4u) + vec4u(0u, 1u, 2u, 3u);
  let real = (lane < vec4u(dims.real_outputs)) & vec4<bool>(t < dims.real_tokens);
  let diff = select(vec4f(), y - expected[(t + clock.x_row) * columns + o], real);
  out[t * columns + o] = dims.grad_scale * diff;
  return dot(diff, diff);
}

@compute @workgroup_size(32)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.outputs / 4u;
  let o = id.x % columns;
  let t = id.x / columns * 8u;
  if (t >= dims.tokens) { return; }
  // A bias has one row for all tokens.
  let r = select(0u, columns, dims.base_cached == 1u);
  var i = select(0u, (t + clock.x_row) * columns, dims.base_cached == 1u) + o;
  var a0 = base[i];
  var a1 = base[i + r];
  var a2 = base[i + 2u * r];
  var a3 = base[i + 3u * r];
  var a4 = base[i + 4u * r];
  var a5 = base[i + 5u * r];
  var a6 = base[i + 6u * r];
  var a7 = base[i + 7u * r];

  let n = dims.inputs / 4u;
  let x_from = (t + dims.x_batched * clock.x_row) * n;
  if (dims.base_cached == 0u) {
    i = x_from;
    var j = o * 4u * n;
    for (var k = 0u; k < n; k++) {
      let w_0 = w0[j]; let w_1 = w0[j + n]; let w_2 = w0[j + 2u * n]; let w_3 = w0[j + 3u * n];
      a0 += dots(x[i], w_0, w_1, w_2, w_3);
      a1 += dots(x[i + n], w_0, w_1, w_2, w_3);
      a2 += dots(x[i + 2u * n], w_0, w_1, w_2, w_3);
      a3 += dots(x[i + 3u * n], w_0, w_1, w_2, w_3);
      a4 += dots(x[i + 4u * n], w_0, w_1, w_2, w_3);
      a5 += dots(x[i + 5u * n], w_0, w_1, w_2, w_3);
      a6 += dots(x[i + 6u * n], w_0, w_1, w_2, w_3);
      a7 += dots(x[i + 7u * n], w_0, w_1, w_2, w_3);
      i++; j++;
    }
  }
  if (dims.dense == 1u) {
    i = x_from;
    var j = dims.offset / 4u + o * 4u * n;
    for (var k = 0u; k < n; k++) {
      let w_0 = params[j]; let w_1 = params[j + n]; let w_2 = params[j + 2u * n]; let w_3 = params[j + 3u * n];
      a0 += dots(x[i], w_0, w_1, w_2, w_3);
      a1 += dots(x[i + n], w_0, w_1, w_2, w_3);
      a2 += dots(x[i + 2u * n], w_0, w_1, w_2, w_3);
      a3 += dots(x[i + 3u * n], w_0, w_1, w_2, w_3);
      a4 += dots(x[i + 4u * n], w_0, w_1, w_2, w_3);
      a5 += dots(x[i + 5u * n], w_0, w_1, w_2, w_3);
      a6 += dots(x[i + 6u * n], w_0, w_1, w_2, w_3);
      a7 += dots(x[i + 7u * n], w_0, w_1, w_2, w_3);
      i++; j++;
    }
  }
  let p = dims.slots / 4u;
  i = t * p;
  var j = dims.offset / 4u + o;
  for (var k = 0u; k < p; k++) {
    let b0 = params[j]; let b1 = params[j + columns]; let b2 = params[j + 2u * columns]; let b3 = params[j + 3u * columns];
    a0 += mix4(hg[i], b0, b1, b2, b3);
    a1 += mix4(hg[i + p], b0, b1, b2, b3);
    a2 += mix4(hg[i + 2u * p], b0, b1, b2, b3);
    a3 += mix4(hg[i + 3u * p], b0, b1, b2, b3);
    a4 += mix4(hg[i + 4u * p], b0, b1, b2, b3);
    a5 += mix4(hg[i + 5u * p], b0, b1, b2, b3);
    a6 += mix4(hg[i + 6u * p], b0, b1, b2, b3);
    a7 += mix4(hg[i + 7u * p], b0, b1, b2, b3);
    i++; j += 4u * columns;
  }

  var squares = finish(t, o, a0) + finish(t + 1u, o, a1) + finish(t + 2u, o, a2) + finish(t + 3u, o, a3);
  squares += finish(t + 4u, o, a4) + finish(t + 5u, o, a5) + finish(t + 6u, o, a6) + finish(t + 7u, o, a7);
  if (dims.mse == 1u) { losses[dims.loss_at + id.x] = squares; }
}
