// A frozen weight that is stored as BF16, the upper halves of its 32 bits, two to a word, the first in the lower half.

@group(1) @binding(2) var<storage, read> w0: array<vec2u>;
@group(1) @binding(2) var<storage, read> w0_single: array<u32>;

const UPPER = 0xffff0000u;

fn frozen(at: u32) -> vec4f {
  let w = w0[at];
  return bitcast<vec4f>(vec4u(w.x << 16u, w.x & UPPER, w.y << 16u, w.y & UPPER));
}

fn frozen_single(at: u32) -> f32 {
  let w = w0_single[at / 2u];
  return bitcast<f32>(select(w << 16u, w & UPPER, at % 2u == 1u));
}
