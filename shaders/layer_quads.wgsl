// layer_forward.wgsl where all that is left to multiply is gated lora_B of 32 slots at most,
// for four invocations that swap what they read: where reading is dear, in software. Each workgroup is one quad, with 16
// outputs of many tokens: an invocation holds four columns of lora_B, all of their rows, so that nothing is carried from token
// to token; of every four tokens it reads one row of gated, and three swaps bring it the others'.

#import layer_forward

// A quarter of the slots.
override BLOCKS: u32 = 8u;

// Four outputs' results, for the tokens of lanes ^0, ^1, ^2 and ^3.
struct Tokens { a: vec4f, b: vec4f, c: vec4f, d: vec4f }

fn add(to: ptr<function, Tokens>, b: mat4x4f, v: vec4f) {
  (*to).a += b * v;
  (*to).b += b * quadSwapX(v);
  (*to).c += b * quadSwapY(v);
  (*to).d += b * quadSwapDiagonal(v);
}

// Four rows of lora_B, from params[j] on.
fn rows(j: u32) -> mat4x4f {
  let columns = dims.outputs / 4u;
  return mat4x4f(params[j], params[j + columns], params[j + 2u * columns], params[j + 3u * columns]);
}

fn start(token: u32, o: u32) -> vec4f {
  let i = (token + clock.x_row) * (dims.outputs / 4u) + o;
  if (!MSE) { return base[i]; }
  return -expected[i];
}

// Returns the sum of squared errors.
fn finish(token: u32, o: u32, y: vec4f) -> f32 {
  let i = token * (dims.outputs / 4u) + o;
  if (!MSE) {
    out[i] = y;
    return 0.0;
  }
  // Padding outputs are 0 like their targets; padding tokens are not, where there is a bias.
  let a = f32(token < dims.real_tokens) * y;
  out[i] = dims.grad_scale * a;
  return dot(a, a);
}

@compute @workgroup_size(4)
fn forward_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let columns = dims.outputs / 4u;
  let blocks = (columns + 3u) / 4u;
  let o = group.x % blocks * 4u + lane;
  let count = select(16u, 128u, dims.tokens >= 256u);
  let first = group.x / blocks * count;
  let last = min(first + count, dims.tokens);

  let j = dims.offset / 4u + o;
  let next = 4u * columns;
  let b0 = rows(j); let b1 = rows(j + next);
  var b2 = mat4x4f(); var b3 = mat4x4f(); var b4 = mat4x4f(); var b5 = mat4x4f(); var b6 = mat4x4f(); var b7 = mat4x4f();
  if (BLOCKS > 2u) { b2 = rows(j + 2u * next); b3 = rows(j + 3u * next); }
  if (BLOCKS > 4u) { b4 = rows(j + 4u * next); b5 = rows(j + 5u * next); }
  if (BLOCKS > 6u) { b6 = rows(j + 6u * next); b7 = rows(j + 7u * next); }
  var i = (first + lane) * BLOCKS;
  var squares = 0.0;
  for (var t = first; t < last; t += 4u) {
    var q = Tokens(start(t + lane, o), start(t + (lane ^ 1u), o), start(t + (lane ^ 2u), o), start(t + (lane ^ 3u), o));
    add(&q, b0, gated[i]); add(&q, b1, gated[i + 1u]);
    if (BLOCKS > 2u) { add(&q, b2, gated[i + 2u]); add(&q, b3, gated[i + 3u]); }
    if (BLOCKS > 4u) { add(&q, b4, gated[i + 4u]); add(&q, b5, gated[i + 5u]); }
    if (BLOCKS > 6u) { add(&q, b6, gated[i + 6u]); add(&q, b7, gated[i + 7u]); }
    i += 4u * BLOCKS;
    if (o < columns) {
      squares += finish(t + lane, o, q.a) + finish(t + (lane ^ 1u), o, q.b)
        + finish(t + (lane ^ 2u), o, q.c) + finish(t + (lane ^ 3u), o, q.d);
    }
  }
  // Every tile of 8 × 8 has a place for its loss: the first takes what two invocations found, the others nothing.
  let both = squares + quadSwapX(squares);
  if (MSE && o < columns) {
    for (var row = first / 8u + (lane & 1u); row < last / 8u; row += 2u) {
      losses[dims.loss_at + row * (columns / 2u) + o / 2u] = select(0.0, both, row == first / 8u);
    }
  }
}
