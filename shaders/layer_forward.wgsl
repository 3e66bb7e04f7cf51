// One adapted linear layer: y = base (+ x w0ᵀ) (+ x deltaᵀ) (+ gated lora_B).
//
//   x [tokens, inputs]        w0, delta [outputs, inputs]   gated [tokens, slots]   lora_B [slots, outputs]
//   base [pool, outputs] cached, or the bias [outputs]      target [pool, outputs]; under MSE, without a cached base
//   out [tokens, outputs]     y, or under MSE the gradient 2 (y − target) / (tokens · outputs)
//   losses                    under MSE, from loss_at on, each tile's sum of squared errors [tiles]
//
// One invocation owns a tile of 8 tokens × 8 outputs, a and b holding four each (see lib/tiles.wgsl). delta and
// lora_B lie in `params`; w0 is read by `frozen`, as it is stored.

#import lib/step, lib/tiles
#import frozen

struct Dims {
  tokens: u32, inputs: u32, outputs: u32, slots: u32, x_batched: u32, base_cached: u32, dense: u32, offset: u32,
  mse: u32, real_tokens: u32, real_outputs: u32, loss_at: u32, grad_scale: f32,
}

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
// base_cached, dense and mse once more: decided in the loop, they take a fifth of it.
override CACHED: bool = false;
override DENSE: bool = false;
override MSE: bool = false;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(3) var<storage, read> params: array<vec4f>;
@group(1) @binding(4) var<storage, read> gated: array<vec4f>;
@group(1) @binding(5) var<storage, read> base: array<vec4f>;
@group(1) @binding(6) var<storage, read> expected: array<vec4f>;
@group(1) @binding(7) var<storage, read_write> out: array<vec4f>;
@group(1) @binding(8) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.outputs / 4u;
  let o = id.x % (columns / 2u);
  let t = id.x / (columns / 2u) * 8u;
  if (t >= dims.tokens) { return; }
  // A bias has one row for all tokens.
  let r = select(0u, columns, CACHED);
  var i = select(0u, (t + clock.x_row) * columns, CACHED) + 2u * o;
  var a0 = vec4f(); var b0 = vec4f(); var a1 = vec4f(); var b1 = vec4f();
  var a2 = vec4f(); var b2 = vec4f(); var a3 = vec4f(); var b3 = vec4f();
  var a4 = vec4f(); var b4 = vec4f(); var a5 = vec4f(); var b5 = vec4f();
  var a6 = vec4f(); var b6 = vec4f(); var a7 = vec4f(); var b7 = vec4f();
  if (!CACHED || !MSE) {
    a0 = base[i + 0u * r]; b0 = base[i + 0u * r + 1u];
    a1 = base[i + 1u * r]; b1 = base[i + 1u * r + 1u];
    a2 = base[i + 2u * r]; b2 = base[i + 2u * r + 1u];
    a3 = base[i + 3u * r]; b3 = base[i + 3u * r + 1u];
    a4 = base[i + 4u * r]; b4 = base[i + 4u * r + 1u];
    a5 = base[i + 5u * r]; b5 = base[i + 5u * r + 1u];
    a6 = base[i + 6u * r]; b6 = base[i + 6u * r + 1u];
    a7 = base[i + 7u * r]; b7 = base[i + 7u * r + 1u];
  }
  var v: vec4f;

  let n = dims.inputs / 4u;
  let x_from = (t + dims.x_batched * clock.x_row) * n;
  if (!CACHED || DENSE) {
    i = x_from;
    var j = o * 8u * n;
    let delta = dims.offset / 4u;
    for (var k = 0u; k < n; k++) {
      var w_0 = vec4f(); var w_1 = vec4f(); var w_2 = vec4f(); var w_3 = vec4f();
      var w_4 = vec4f(); var w_5 = vec4f(); var w_6 = vec4f(); var w_7 = vec4f();
      if (!CACHED) {
        w_0 = frozen(j); w_1 = frozen(j + n); w_2 = frozen(j + 2u * n); w_3 = frozen(j + 3u * n);
        w_4 = frozen(j + 4u * n); w_5 = frozen(j + 5u * n); w_6 = frozen(j + 6u * n); w_7 = frozen(j + 7u * n);
      }
      if (DENSE) {
        let d = delta + j;
        w_0 += params[d]; w_1 += params[d + n]; w_2 += params[d + 2u * n]; w_3 += params[d + 3u * n];
        w_4 += params[d + 4u * n]; w_5 += params[d + 5u * n]; w_6 += params[d + 6u * n]; w_7 += params[d + 7u * n];
      }
      v = x[i + 0u * n]; a0 += dots(v, w_0, w_1, w_2, w_3); b0 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 1u * n]; a1 += dots(v, w_0, w_1, w_2, w_3); b1 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 2u * n]; a2 += dots(v, w_0, w_1, w_2, w_3); b2 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 3u * n]; a3 += dots(v, w_0, w_1, w_2, w_3); b3 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 4u * n]; a4 += dots(v, w_0, w_1, w_2, w_3); b4 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 5u * n]; a5 += dots(v, w_0, w_1, w_2, w_3); b5 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 6u * n]; a6 += dots(v, w_0, w_1, w_2, w_3); b6 += dots(v, w_4, w_5, w_6, w_7);
      v = x[i + 7u * n]; a7 += dots(v, w_0, w_1, w_2, w_3); b7 += dots(v, w_4, w_5, w_6, w_7);
      i++; j++;
    }
  }
  let p = dims.slots / 4u;
  i = t * p;
  var j = dims.offset / 4u + 2u * o;
  for (var k = 0u; k < p; k++) {
    let c0 = params[j]; let c1 = params[j + columns]; let c2 = params[j + 2u * columns]; let c3 = params[j + 3u * columns];
    let d0 = params[j + 1u]; let d1 = params[j + columns + 1u];
    let d2 = params[j + 2u * columns + 1u]; let d3 = params[j + 3u * columns + 1u];
    v = gated[i + 0u * p]; a0 += mix4(v, c0, c1, c2, c3); b0 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 1u * p]; a1 += mix4(v, c0, c1, c2, c3); b1 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 2u * p]; a2 += mix4(v, c0, c1, c2, c3); b2 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 3u * p]; a3 += mix4(v, c0, c1, c2, c3); b3 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 4u * p]; a4 += mix4(v, c0, c1, c2, c3); b4 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 5u * p]; a5 += mix4(v, c0, c1, c2, c3); b5 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 6u * p]; a6 += mix4(v, c0, c1, c2, c3); b6 += mix4(v, d0, d1, d2, d3);
    v = gated[i + 7u * p]; a7 += mix4(v, c0, c1, c2, c3); b7 += mix4(v, d0, d1, d2, d3);
    i++; j += 4u * columns;
  }

  // A loop, not eight copies: shorter to compile, and done once per tile.
  var y = array<vec4f, 16>(a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7);
  let scale = dims.grad_scale;
  let last = dims.real_tokens;
  var to = t * columns + 2u * o;
  var goal = (t + clock.x_row) * columns + 2u * o;
  var squares = 0.0;
  for (var q = 0u; q < 8u; q++) {
    var a = y[2u * q];
    var b = y[2u * q + 1u];
    if (MSE) {
      // Padding outputs are 0 like their targets; padding tokens are not, where there is a bias.
      let real = f32(t + q < last);
      a = real * (a - expected[goal]);
      b = real * (b - expected[goal + 1u]);
      squares += dot(a, a) + dot(b, b);
      a *= scale;
      b *= scale;
    }
    out[to] = a;
    out[to + 1u] = b;
    to += columns;
    goal += columns;
  }
  if (MSE) { losses[dims.loss_at + id.x] = squares; }
}
