// attention.wgsl for four invocations that swap what they read: where reading is dear, in software. Heads are 8, 16, 24 or
// 32 wide, and a token's columns of one are registers: a loop over them would keep them in memory. A workgroup is one quad
// and does 16 tokens of one head, an invocation every fourth; of every four tokens on the other side it reads one, and three
// swaps bring it the others'.

#import attention

// Eighths of a head's columns.
override EIGHTS: u32 = 3u;

// A token's columns of a head.
struct Row { a: mat2x4f, b: mat2x4f, c: mat2x4f, d: mat2x4f }

// What lanes ^0, ^1, ^2 and ^3 have.
struct Four { o: Row, x: Row, y: Row, d: Row }

fn pair_dot(x: mat2x4f, y: mat2x4f) -> f32 { return dot(x[0], y[0]) + dot(x[1], y[1]); }

fn row_dot(x: Row, y: Row) -> f32 {
  var sum = pair_dot(x.a, y.a);
  if (EIGHTS > 1u) { sum += pair_dot(x.b, y.b); }
  if (EIGHTS > 2u) { sum += pair_dot(x.c, y.c); }
  if (EIGHTS > 3u) { sum += pair_dot(x.d, y.d); }
  return sum;
}

fn dots_of(x: Row, f: Four) -> vec4f { return vec4f(row_dot(x, f.o), row_dot(x, f.x), row_dot(x, f.y), row_dot(x, f.d)); }

fn scaled(by: f32, r: Row) -> Row {
  var out: Row;
  out.a = by * r.a;
  if (EIGHTS > 1u) { out.b = by * r.b; }
  if (EIGHTS > 2u) { out.c = by * r.c; }
  if (EIGHTS > 3u) { out.d = by * r.d; }
  return out;
}

// Adds what four tokens give, each by its weight.
fn mix(to: ptr<function, Row>, by: vec4f, f: Four) {
  (*to).a += by.x * f.o.a + by.y * f.x.a + by.z * f.y.a + by.w * f.d.a;
  if (EIGHTS > 1u) { (*to).b += by.x * f.o.b + by.y * f.x.b + by.z * f.y.b + by.w * f.d.b; }
  if (EIGHTS > 2u) { (*to).c += by.x * f.o.c + by.y * f.x.c + by.z * f.y.c + by.w * f.d.c; }
  if (EIGHTS > 3u) { (*to).d += by.x * f.o.d + by.y * f.x.d + by.z * f.y.d + by.w * f.d.d; }
}

fn swap_x(m: mat2x4f) -> mat2x4f { return mat2x4f(quadSwapX(m[0]), quadSwapX(m[1])); }
fn swap_y(m: mat2x4f) -> mat2x4f { return mat2x4f(quadSwapY(m[0]), quadSwapY(m[1])); }
fn swap_d(m: mat2x4f) -> mat2x4f { return mat2x4f(quadSwapDiagonal(m[0]), quadSwapDiagonal(m[1])); }

fn four(r: Row) -> Four {
  var f: Four;
  f.o = r;
  f.x.a = swap_x(r.a); f.y.a = swap_y(r.a); f.d.a = swap_d(r.a);
  if (EIGHTS > 1u) { f.x.b = swap_x(r.b); f.y.b = swap_y(r.b); f.d.b = swap_d(r.b); }
  if (EIGHTS > 2u) { f.x.c = swap_x(r.c); f.y.c = swap_y(r.c); f.d.c = swap_d(r.c); }
  if (EIGHTS > 3u) { f.x.d = swap_x(r.d); f.y.d = swap_y(r.d); f.d.d = swap_d(r.d); }
  return f;
}

fn four_of(v: f32) -> vec4f { return vec4f(v, quadSwapX(v), quadSwapY(v), quadSwapDiagonal(v)); }

fn q_row(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(q[i], q[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(q[i + 2u], q[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(q[i + 4u], q[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(q[i + 6u], q[i + 7u]); }
  return r;
}
fn k_row(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(k[i], k[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(k[i + 2u], k[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(k[i + 4u], k[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(k[i + 6u], k[i + 7u]); }
  return r;
}
fn v_row(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(v[i], v[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(v[i + 2u], v[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(v[i + 4u], v[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(v[i + 6u], v[i + 7u]); }
  return r;
}

struct Own {
  head: u32,
  // First token of the sequence, and of the workgroup; behind the last that there is, and that is real.
  start: u32, first: u32, last: u32, end: u32,
}

fn own_of(group: u32, heads: u32) -> Own {
  let tiles = (dims.sequence + 15u) / 16u;
  let start = group / (heads * tiles) * dims.sequence;
  let behind = start + dims.sequence;
  let first = start + group / heads % tiles * 16u;
  return Own(group % heads, start, first, min(behind, dims.tokens), min(behind, dims.real_tokens));
}

// Tokens j … j + 3, in the order in which lanes have them.
fn rows_from(j: u32, lane: u32) -> vec4u { return vec4u(j + lane, j + (lane ^ 1u), j + (lane ^ 2u), j + (lane ^ 3u)); }

@group(1) @binding(4) var<storage, read_write> out_fours: array<vec4f>;
fn put_out(i: u32, r: Row) {
  out_fours[i] = r.a[0]; out_fours[i + 1u] = r.a[1];
  if (EIGHTS > 1u) { out_fours[i + 2u] = r.b[0]; out_fours[i + 3u] = r.b[1]; }
  if (EIGHTS > 2u) { out_fours[i + 4u] = r.c[0]; out_fours[i + 5u] = r.c[1]; }
  if (EIGHTS > 3u) { out_fours[i + 6u] = r.d[0]; out_fours[i + 7u] = r.d[1]; }
}

// A query, and its softmax so far.
struct Query { q: Row, sum: Row, top: f32, weights: f32 }

fn query_at(i: u32) -> Query { return Query(scaled(dims.scale, q_row(i)), Row(), NEVER, 0.0); }

fn attend(to: ptr<function, Query>, token: u32, rows: vec4u, keys: Four, values: Four) {
  let seen = rows <= vec4u(token);
  let scores = select(vec4f(NEVER), dots_of((*to).q, keys), seen);
  let higher = max(max((*to).top, max(scores.x, scores.y)), max(scores.z, scores.w));
  let weight = select(vec4f(), exp(scores - higher), seen);
  let shrink = exp((*to).top - higher);
  (*to).top = higher;
  (*to).weights = shrink * (*to).weights + dot(weight, vec4f(1.0));
  var sum = scaled(shrink, (*to).sum);
  mix(&sum, weight, values);
  (*to).sum = sum;
}

fn attended(p: Own, token: u32, s: Query) {
  if (token >= p.last) { return; }
  let real = token < p.end;
  put_out((token * dims.q_width + p.head * HEAD) / 4u, scaled(select(0.0, 1.0 / s.weights, real), s.sum));
  lse[token * dims.heads_width + p.head] = select(0.0, s.top + log(s.weights), real);
  if (p.head == 0u) { for (var h = dims.heads; h < dims.heads_width; h++) { lse[token * dims.heads_width + h] = 0.0; } }
}

@compute @workgroup_size(4)
fn forward_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let p = own_of(group.x, dims.heads);
  let own = p.first + lane;
  let i = (own * dims.q_width + p.head * HEAD) / 4u;
  let w = dims.kv_width / 4u;
  let shared_head = p.head / (dims.heads / dims.kv_heads) * (HEAD / 4u);
  var s0 = query_at(i); var s1 = query_at(i + dims.q_width);
  var s2 = query_at(i + 2u * dims.q_width); var s3 = query_at(i + 3u * dims.q_width);
  for (var j = p.start; j < min(p.first + 16u, p.end); j += 4u) {
    let at = (j + lane) * w + shared_head;
    let keys = four(k_row(at));
    let values = four(v_row(at));
    let rows = rows_from(j, lane);
    attend(&s0, own, rows, keys, values); attend(&s1, own + 4u, rows, keys, values);
    attend(&s2, own + 8u, rows, keys, values); attend(&s3, own + 12u, rows, keys, values);
  }
  attended(p, own, s0); attended(p, own + 4u, s1); attended(p, own + 8u, s2); attended(p, own + 12u, s3);
}

@group(1) @binding(7) var<storage, read_write> dq_fours: array<vec4f>;
fn out_row(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(out_query[i], out_query[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(out_query[i + 2u], out_query[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(out_query[i + 4u], out_query[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(out_query[i + 6u], out_query[i + 7u]); }
  return r;
}
fn d_out_row(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(d_out_query[i], d_out_query[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(d_out_query[i + 2u], d_out_query[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(d_out_query[i + 4u], d_out_query[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(d_out_query[i + 6u], d_out_query[i + 7u]); }
  return r;
}
fn put_dq(i: u32, r: Row) {
  dq_fours[i] = r.a[0]; dq_fours[i + 1u] = r.a[1];
  if (EIGHTS > 1u) { dq_fours[i + 2u] = r.b[0]; dq_fours[i + 3u] = r.b[1]; }
  if (EIGHTS > 2u) { dq_fours[i + 4u] = r.c[0]; dq_fours[i + 5u] = r.c[1]; }
  if (EIGHTS > 3u) { dq_fours[i + 6u] = r.d[0]; dq_fours[i + 7u] = r.d[1]; }
}

struct QueryBack { q: Row, d_out: Row, dq: Row, total: f32, along: f32 }

fn query_back_at(token: u32, head: u32) -> QueryBack {
  let i = (token * dims.q_width + head * HEAD) / 4u;
  let d_out = d_out_row(i);
  let total = lse_query[token * dims.heads_width + head];
  return QueryBack(scaled(dims.scale, q_row(i)), d_out, Row(), total, row_dot(d_out, out_row(i)));
}

fn back(to: ptr<function, QueryBack>, token: u32, rows: vec4u, keys: Four, values: Four) {
  let weight = select(vec4f(), exp(dots_of((*to).q, keys) - (*to).total), rows <= vec4u(token));
  var dq = (*to).dq;
  mix(&dq, weight * (dots_of((*to).d_out, values) - (*to).along), keys);
  (*to).dq = dq;
}

fn went_back(p: Own, token: u32, s: QueryBack) {
  if (token >= p.last) { return; }
  let real = token < p.end;
  put_dq((token * dims.q_width + p.head * HEAD) / 4u, scaled(select(0.0, dims.scale, real), s.dq));
  delta[token * dims.heads_width + p.head] = select(0.0, s.along, real);
  if (p.head == 0u) { for (var h = dims.heads; h < dims.heads_width; h++) { delta[token * dims.heads_width + h] = 0.0; } }
}

@compute @workgroup_size(4)
fn query_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let p = own_of(group.x, dims.heads);
  let own = p.first + lane;
  let w = dims.kv_width / 4u;
  let shared_head = p.head / (dims.heads / dims.kv_heads) * (HEAD / 4u);
  var s0 = query_back_at(own, p.head); var s1 = query_back_at(own + 4u, p.head);
  var s2 = query_back_at(own + 8u, p.head); var s3 = query_back_at(own + 12u, p.head);
  for (var j = p.start; j < min(p.first + 16u, p.end); j += 4u) {
    let at = (j + lane) * w + shared_head;
    let keys = four(k_row(at));
    let values = four(v_row(at));
    let rows = rows_from(j, lane);
    back(&s0, own, rows, keys, values); back(&s1, own + 4u, rows, keys, values);
    back(&s2, own + 8u, rows, keys, values); back(&s3, own + 12u, rows, keys, values);
  }
  went_back(p, own, s0); went_back(p, own + 4u, s1); went_back(p, own + 8u, s2); went_back(p, own + 12u, s3);
}

@group(1) @binding(7) var<storage, read_write> dk_fours: array<vec4f>;
@group(1) @binding(8) var<storage, read_write> dv_fours: array<vec4f>;
fn d_out_row_key(i: u32) -> Row {
  var r: Row;
  r.a = mat2x4f(d_out_key[i], d_out_key[i + 1u]);
  if (EIGHTS > 1u) { r.b = mat2x4f(d_out_key[i + 2u], d_out_key[i + 3u]); }
  if (EIGHTS > 2u) { r.c = mat2x4f(d_out_key[i + 4u], d_out_key[i + 5u]); }
  if (EIGHTS > 3u) { r.d = mat2x4f(d_out_key[i + 6u], d_out_key[i + 7u]); }
  return r;
}
fn put_dk(i: u32, r: Row) {
  dk_fours[i] = r.a[0]; dk_fours[i + 1u] = r.a[1];
  if (EIGHTS > 1u) { dk_fours[i + 2u] = r.b[0]; dk_fours[i + 3u] = r.b[1]; }
  if (EIGHTS > 2u) { dk_fours[i + 4u] = r.c[0]; dk_fours[i + 5u] = r.c[1]; }
  if (EIGHTS > 3u) { dk_fours[i + 6u] = r.d[0]; dk_fours[i + 7u] = r.d[1]; }
}
fn put_dv(i: u32, r: Row) {
  dv_fours[i] = r.a[0]; dv_fours[i + 1u] = r.a[1];
  if (EIGHTS > 1u) { dv_fours[i + 2u] = r.b[0]; dv_fours[i + 3u] = r.b[1]; }
  if (EIGHTS > 2u) { dv_fours[i + 4u] = r.c[0]; dv_fours[i + 5u] = r.c[1]; }
  if (EIGHTS > 3u) { dv_fours[i + 6u] = r.d[0]; dv_fours[i + 7u] = r.d[1]; }
}

struct Key { k: Row, v: Row, dk: Row, dv: Row }

fn key_at(i: u32) -> Key { return Key(scaled(dims.scale, k_row(i)), v_row(i), Row(), Row()); }

// Four queries, with what their softmax and its gradient begin with, and which of them are real.
struct Queries { q: Four, d_out: Four, total: vec4f, along: vec4f, rows: vec4u, real: vec4<bool> }

fn gather_back(to: ptr<function, Key>, token: u32, by: Queries) {
  let seen = (by.rows >= vec4u(token)) & by.real;
  let weight = select(vec4f(), exp(dots_of((*to).k, by.q) - by.total), seen);
  let d_score = select(vec4f(), weight * (dots_of((*to).v, by.d_out) - by.along), seen);
  var dk = (*to).dk;
  var dv = (*to).dv;
  mix(&dk, d_score, by.q);
  mix(&dv, weight, by.d_out);
  (*to).dk = dk;
  (*to).dv = dv;
}

fn gathered(p: Own, token: u32, s: Key) {
  if (token >= p.last) { return; }
  let i = (token * dims.kv_width + p.head * HEAD) / 4u;
  let real = token < p.end;
  put_dk(i, scaled(select(0.0, dims.scale, real), s.dk));
  put_dv(i, scaled(select(0.0, 1.0, real), s.dv));
}

@compute @workgroup_size(4)
fn key_value_quads(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) id: u32) {
  let lane = id & 3u;
  let p = own_of(group.x, dims.kv_heads);
  let own = p.first + lane;
  let i = (own * dims.kv_width + p.head * HEAD) / 4u;
  var s0 = key_at(i); var s1 = key_at(i + dims.kv_width);
  var s2 = key_at(i + 2u * dims.kv_width); var s3 = key_at(i + 3u * dims.kv_width);
  let heads = dims.heads / dims.kv_heads;
  for (var h = p.head * heads; h < (p.head + 1u) * heads; h++) {
    for (var j = p.first; j < p.end; j += 4u) {
      let at = ((j + lane) * dims.q_width + h * HEAD) / 4u;
      let g = (j + lane) * dims.heads_width + h;
      let rows = rows_from(j, lane);
      let by = Queries(
        four(q_row(at)), four(d_out_row_key(at)), four_of(lse_key[g]), four_of(delta_key[g]), rows, rows < vec4u(p.end),
      );
      gather_back(&s0, own, by); gather_back(&s1, own + 4u, by);
      gather_back(&s2, own + 8u, by); gather_back(&s3, own + 12u, by);
    }
  }
  gathered(p, own, s0); gathered(p, own + 4u, s1); gathered(p, own + 8u, s2); gathered(p, own + 12u, s3);
}
