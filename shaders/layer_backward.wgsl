// Gradient of a layer's input: dx = dy (w0 + delta) + d_down A + dq / tokens per gate, times GELU'(pre).
//
//   dy [tokens, outputs]   w0, delta [outputs, inputs]   d_down [tokens, slots]
//   A (lora_A, then the router) [slots, inputs]
//   dq [rows, inputs]      pre [tokens, inputs]          dx [tokens, inputs]
//
// One invocation owns a tile of 8 tokens × 8 inputs, a and e holding four each (see lib/tiles.wgsl). delta and A lie in
// `params`; w0 is read by `frozen`, as it is stored.

#import lib/gelu, lib/tiles
#import frozen

struct Dims {
  tokens: u32, inputs: u32, outputs: u32, slots: u32, dense: u32, offset: u32, gate_tokens: u32, gelu: u32,
}

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;
// dense once more: decided in the loop, it takes a fifth of it.
override DENSE: bool = false;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> dy: array<vec4f>;
@group(1) @binding(3) var<storage, read> params: array<vec4f>;
@group(1) @binding(4) var<storage, read> d_down: array<vec4f>;
@group(1) @binding(5) var<storage, read> dq: array<vec4f>;
@group(1) @binding(6) var<storage, read> pre: array<vec4f>;
@group(1) @binding(7) var<storage, read_write> dx: array<vec4f>;

fn finish(t: u32, c: u32, value: vec4f) {
  let columns = dims.inputs / 4u;
  var out = value;
  if (dims.gate_tokens > 0u) {
    let row = t / dims.gate_tokens * columns + c;
    // Rows of padding tokens may lie beyond the last sequence; nothing flows to them.
    if (row < arrayLength(&dq)) { out += dq[row] / f32(dims.gate_tokens); }
  }
  if (dims.gelu == 1u) { out *= gelu_derivative4(pre[t * columns + c]); }
  dx[t * columns + c] = out;
}

@compute @workgroup_size(SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.inputs / 4u;
  let c = id.x % (columns / 2u) * 2u;
  let t = id.x / (columns / 2u) * 8u;
  if (t >= dims.tokens) { return; }
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  var e0 = vec4f(); var e1 = vec4f(); var e2 = vec4f(); var e3 = vec4f();
  var e4 = vec4f(); var e5 = vec4f(); var e6 = vec4f(); var e7 = vec4f();
  var v: vec4f;

  let n = dims.outputs / 4u;
  var i = t * n;
  var j = c;
  let delta = dims.offset / 4u;
  for (var k = 0u; k < n; k++) {
    var b0 = frozen(j); var b1 = frozen(j + columns); var b2 = frozen(j + 2u * columns); var b3 = frozen(j + 3u * columns);
    var d0 = frozen(j + 1u); var d1 = frozen(j + columns + 1u);
    var d2 = frozen(j + 2u * columns + 1u); var d3 = frozen(j + 3u * columns + 1u);
    if (DENSE) {
      let w = delta + j;
      b0 += params[w]; b1 += params[w + columns]; b2 += params[w + 2u * columns]; b3 += params[w + 3u * columns];
      d0 += params[w + 1u]; d1 += params[w + columns + 1u];
      d2 += params[w + 2u * columns + 1u]; d3 += params[w + 3u * columns + 1u];
    }
    v = dy[i + 0u * n]; a0 += mix4(v, b0, b1, b2, b3); e0 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 1u * n]; a1 += mix4(v, b0, b1, b2, b3); e1 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 2u * n]; a2 += mix4(v, b0, b1, b2, b3); e2 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 3u * n]; a3 += mix4(v, b0, b1, b2, b3); e3 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 4u * n]; a4 += mix4(v, b0, b1, b2, b3); e4 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 5u * n]; a5 += mix4(v, b0, b1, b2, b3); e5 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 6u * n]; a6 += mix4(v, b0, b1, b2, b3); e6 += mix4(v, d0, d1, d2, d3);
    v = dy[i + 7u * n]; a7 += mix4(v, b0, b1, b2, b3); e7 += mix4(v, d0, d1, d2, d3);
    i++; j += 4u * columns;
  }
  let p = dims.slots / 4u;
  i = t * p;
  j = delta + c;
  for (var k = 0u; k < p; k++) {
    let b0 = params[j]; let b1 = params[j + columns]; let b2 = params[j + 2u * columns]; let b3 = params[j + 3u * columns];
    let d0 = params[j + 1u]; let d1 = params[j + columns + 1u];
    let d2 = params[j + 2u * columns + 1u]; let d3 = params[j + 3u * columns + 1u];
    v = d_down[i + 0u * p]; a0 += mix4(v, b0, b1, b2, b3); e0 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 1u * p]; a1 += mix4(v, b0, b1, b2, b3); e1 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 2u * p]; a2 += mix4(v, b0, b1, b2, b3); e2 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 3u * p]; a3 += mix4(v, b0, b1, b2, b3); e3 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 4u * p]; a4 += mix4(v, b0, b1, b2, b3); e4 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 5u * p]; a5 += mix4(v, b0, b1, b2, b3); e5 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 6u * p]; a6 += mix4(v, b0, b1, b2, b3); e6 += mix4(v, d0, d1, d2, d3);
    v = d_down[i + 7u * p]; a7 += mix4(v, b0, b1, b2, b3); e7 += mix4(v, d0, d1, d2, d3);
    i++; j += 4u * columns;
  }

  // A loop, not sixteen copies: shorter to compile, and done once per tile.
  var y = array<vec4f, 16>(a0, e0, a1, e1, a2, e2, a3, e3, a4, e4, a5, e5, a6, e6, a7, e7);
  for (var q = 0u; q < 16u; q++) { finish(t + q / 2u, c + q % 2u, y[q]); }
}
