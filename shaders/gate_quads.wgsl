// The projections of gate.wgsl for four invocations that swap what they read: where
// reading is dear, in software. Each workgroup is one quad, and does 16 tokens.
//
// An invocation holds four tokens of x and, of every four columns, one row of w; three swaps bring it the others'. So it
// comes to hold all columns of its own tokens, and routes them without a barrier. `ROWS` rows of w, hence 4 · ROWS columns,
// are done at a time.

#import gate

override ROWS: u32 = 5u;

// Four tokens' results, by component, for the columns of lanes ^0, ^1, ^2 and ^3.
struct Columns { a: vec4f, b: vec4f, c: vec4f, d: vec4f }

fn add(to: ptr<function, Columns>, w: vec4f, x0: vec4f, x1: vec4f, x2: vec4f, x3: vec4f) {
  (*to).a += dots(w, x0, x1, x2, x3);
  (*to).b += dots(quadSwapX(w), x0, x1, x2, x3);
  (*to).c += dots(quadSwapY(w), x0, x1, x2, x3);
  (*to).d += dots(quadSwapDiagonal(w), x0, x1, x2, x3);
}

fn put(to: ptr<function, array<vec4f, 40>>, r: u32, q: Columns) {
  (*to)[4u * r] = q.a; (*to)[4u * r + 1u] = q.b; (*to)[4u * r + 2u] = q.c; (*to)[4u * r + 3u] = q.d;
}

// Tokens from row x_row of x on, against rows of w: w_row, and every fourth after it.
fn project_quads(x_row: u32, w_row: u32, out: ptr<function, array<vec4f, 40>>) {
  let n = dims.inner / 4u;
  var i = x_row * n;
  var j = dims.w_offset / 4u + w_row * n;
  var q0 = Columns(); var q1 = Columns(); var q2 = Columns(); var q3 = Columns(); var q4 = Columns();
  var q5 = Columns(); var q6 = Columns(); var q7 = Columns(); var q8 = Columns(); var q9 = Columns();
  for (var k = 0u; k < n; k++) {
    let x0 = x[i]; let x1 = x[i + n]; let x2 = x[i + 2u * n]; let x3 = x[i + 3u * n];
    add(&q0, w[j], x0, x1, x2, x3);
    add(&q1, w[j + 4u * n], x0, x1, x2, x3);
    if (ROWS > 2u) { add(&q2, w[j + 8u * n], x0, x1, x2, x3); }
    if (ROWS > 3u) { add(&q3, w[j + 12u * n], x0, x1, x2, x3); }
    if (ROWS > 4u) { add(&q4, w[j + 16u * n], x0, x1, x2, x3); }
    if (ROWS > 5u) { add(&q5, w[j + 20u * n], x0, x1, x2, x3); }
    if (ROWS > 6u) { add(&q6, w[j + 24u * n], x0, x1, x2, x3); }
    if (ROWS > 7u) { add(&q7, w[j + 28u * n], x0, x1, x2, x3); }
    if (ROWS > 8u) { add(&q8, w[j + 32u * n], x0, x1, x2, x3); }
    if (ROWS > 9u) { add(&q9, w[j + 36u * n], x0, x1, x2, x3); }
    i++; j++;
  }
  put(out, 0u, q0); put(out, 1u, q1); put(out, 2u, q2); put(out, 3u, q3); put(out, 4u, q4);
  put(out, 5u, q5); put(out, 6u, q6); put(out, 7u, q7); put(out, 8u, q8); put(out, 9u, q9);
}

// The column of result e, of those from column c on; past the end where there is no such column.
fn column(c: u32, lane: u32, e: u32) -> u32 { return c + e / 4u * 4u + (lane ^ (e & 3u)); }

@compute @workgroup_size(4)
fn forward_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let t = group.x * 16u + lane * 4u;
  let n = width();
  // What pads the logits is never read.
  let real = n - select(dims.logits - dims.experts, 0u, dims.given == 1u);
  for (var c = 0u; c < real; c += 4u * ROWS) {
    var y: array<vec4f, 40>;
    project_quads(t + dims.x_batched * clock.x_row, c + lane, &y);
    for (var e = 0u; e < 4u * ROWS; e++) {
      let m = column(c, lane, e);
      if (m < real && t < dims.tokens) {
        let v = y[e];
        let o = t * n + m;
        down[o] = v.x; down[o + n] = v.y; down[o + 2u * n] = v.z; down[o + 3u * n] = v.w;
      }
    }
  }
  if (t >= dims.tokens) { return; }
  for (var q = 0u; q < 4u; q++) { route(t + q); }
}

@compute @workgroup_size(4)
fn backward_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let t = group.x * 16u + lane * 4u;
  let n = width();
  for (var c = 0u; c < dims.slots; c += 4u * ROWS) {
    var y: array<vec4f, 40>;
    project_quads(t, c + lane, &y);
    for (var e = 0u; e < 4u * ROWS; e++) {
      let m = column(c, lane, e);
      if (m < dims.slots && t < dims.tokens) {
        let v = y[e];
        let o = t * n + m;
        d_down[o] = v.x; d_down[o + n] = v.y; d_down[o + 2u * n] = v.z; d_down[o + 3u * n] = v.w;
      }
    }
  }
  if (t >= dims.tokens) { return; }
  for (var q = 0u; q < 4u; q++) { route_back(t + q); }
}
