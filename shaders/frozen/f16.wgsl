// A frozen weight that is stored as F16, but for exponents that begin ten lower, two to a word, the first in the lower half:
// see fixed.rs. Sign, exponent and fraction come to where F32 has them, and the exponent is made up for by a factor. With
// unpack2x16float and F16 as it is, devices may take the smallest numbers for zero.

@group(1) @binding(2) var<storage, read> w0: array<vec2i>;
@group(1) @binding(2) var<storage, read> w0_single: array<i32>;

const KEPT = i32(0x8fffe000u);
const FACTOR = 0x1p102f;

fn frozen(at: u32) -> vec4f {
  let w = w0[at];
  return FACTOR * bitcast<vec4f>((vec4i(w.x << 16u, w.x, w.y << 16u, w.y) >> vec4u(3u)) & vec4i(KEPT));
}

fn frozen_single(at: u32) -> f32 {
  let w = w0_single[at / 2u];
  return FACTOR * bitcast<f32>((select(w << 16u, w, at % 2u == 1u) >> 3u) & KEPT);
}
