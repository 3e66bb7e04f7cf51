// Projection of token rows onto the rows of a matrix: out = scale · x wᵀ.
//
//   x [tokens, inner]   w [outputs, inner]   out [tokens, outputs]
//
// Down (x onto lora_A) and back (the output's gradient onto lora_B) for LoRA; mixtures have it in gate.wgsl.
// All dims are multiples of 8.
// One invocation owns a tile of 8 tokens × 4 outputs and reads along `inner`, four values at a time, so that 12
// reads feed 128 multiply-adds: reads, not arithmetic, bound these kernels.

#import lib/step, lib/tiles

struct Dims { tokens: u32, inner: u32, outputs: u32, x_batched: u32, w_offset: u32, scale: f32 }

// Invocations of a workgroup: set by the device.
override SIZE: u32 = 32u;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read> w: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.outputs / 4u;
  let m = id.x % columns;
  let t = id.x / columns * 8u;
  if (t >= dims.tokens) { return; }
  let n = dims.inner / 4u;
  var i = (t + dims.x_batched * clock.x_row) * n;
  var j = dims.w_offset / 4u + m * 4u * n;
  var a0 = vec4f(); var a1 = vec4f(); var a2 = vec4f(); var a3 = vec4f();
  var a4 = vec4f(); var a5 = vec4f(); var a6 = vec4f(); var a7 = vec4f();
  for (var k = 0u; k < n; k++) {
    let w0 = w[j]; let w1 = w[j + n]; let w2 = w[j + 2u * n]; let w3 = w[j + 3u * n];
    a0 += dots(x[i], w0, w1, w2, w3);
    a1 += dots(x[i + n], w0, w1, w2, w3);
    a2 += dots(x[i + 2u * n], w0, w1, w2, w3);
    a3 += dots(x[i + 3u * n], w0, w1, w2, w3);
    a4 += dots(x[i + 4u * n], w0, w1, w2, w3);
    a5 += dots(x[i + 5u * n], w0, w1, w2, w3);
    a6 += dots(x[i + 6u * n], w0, w1, w2, w3);
    a7 += dots(x[i + 7u * n], w0, w1, w2, w3);
    i++; j++;
  }
  let o = t * columns + m;
  out[o] = dims.scale * a0;
  out[o + columns] = dims.scale * a1;
  out[o + 2u * columns] = dims.scale * a2;
  out[o + 3u * columns] = dims.scale * a3;
  out[o + 4u * columns] = dims.scale * a4;
  out[o + 5u * columns] = dims.scale * a5;
  out[o + 6u * columns] = dims.scale * a6;
  out[o + 7u * columns] = dims.scale * a7;
}
