// Rows times a matrix, for four invocations that swap what they read: where reading is dear, in software. A workgroup is
// one quad and owns 32 columns of the results, for many rows: an invocation holds eight columns of the matrix,
// 4 · BLOCKS of its rows at a time, while the rows on the left go by. Of every four of those it reads one, and three swaps
// bring it the others'. A thin second product, of 4 · EXTRA, goes along with the first blocks.
//
// The importing shader says what is multiplied, all by fours; `at` is a place in the result:
//   left(row, k), thin(row, k)       a row's elements on the left of either product
//   matrix(k, c), factor(k, c)       four columns of as many rows on the right, each a column; zeros behind the last block
//   start(at, c), so_far(at), put(at, value)
//
// What is held is filled in a loop, which is shorter to compile by far than a line for each block, and read at constant
// places, which costs no more than a register.

// 4 to 24 by fours, and 2 to 8 by twos.
override BLOCKS: u32 = 16u;
override EXTRA: u32 = 2u;

// Eight columns of the results of four rows: those of lanes ^0, ^1, ^2 and ^3.
struct Sums { a0: vec4f, b0: vec4f, a1: vec4f, b1: vec4f, a2: vec4f, b2: vec4f, a3: vec4f, b3: vec4f }

// Dots are a tenth cheaper than `v * m`.
fn times(v: vec4f, m: mat4x4f) -> vec4f { return vec4f(dot(v, m[0]), dot(v, m[1]), dot(v, m[2]), dot(v, m[3])); }

fn add(s: ptr<function, Sums>, a: mat4x4f, b: mat4x4f, v: vec4f) {
  let x = quadSwapX(v);
  let y = quadSwapY(v);
  let d = quadSwapDiagonal(v);
  (*s).a0 += times(v, a); (*s).b0 += times(v, b);
  (*s).a1 += times(x, a); (*s).b1 += times(x, b);
  (*s).a2 += times(y, a); (*s).b2 += times(y, b);
  (*s).a3 += times(d, a); (*s).b3 += times(d, b);
}

// Rows of a workgroup. As layer.rs has it, and no constant, so that layers of many widths share a pipeline.
fn rows_each(rows: u32, columns: u32) -> u32 {
  let few = select(16u, 128u, rows >= 256u);
  let many = (rows + 2u * few - 1u) / (2u * few) * ((columns + 7u) / 8u) >= 16u;
  return select(few, 2u * few, many);
}

// The first of an invocation's columns, by fours, and the first row of a workgroup.
fn own_columns(group: u32, lane: u32, columns: u32) -> u32 { return group % ((columns + 7u) / 8u) * 8u + lane * 2u; }
fn own_rows(group: u32, rows: u32, columns: u32) -> u32 { return group / ((columns + 7u) / 8u) * rows_each(rows, columns); }

// All of a workgroup's results, of products `depth` fours deep.
fn product(group: u32, lane: u32, rows: u32, depth: u32, columns: u32) {
  let c = own_columns(group, lane, columns);
  let first = own_rows(group, rows, columns);
  let last = min(first + rows_each(rows, columns), rows);
  var f: array<mat4x4f, 16>;
  for (var i = 0u; i < 2u * EXTRA; i++) { f[i] = factor(i / 2u, c + i % 2u); }
  var m: array<mat4x4f, 48>;
  for (var k = 0u; k < depth; k += BLOCKS) {
    for (var i = 0u; i < 2u * BLOCKS; i++) { m[i] = matrix(k + i / 2u, c + i % 2u); }
    for (var t = first; t < last; t += 4u) {
      let r = t + lane;
      let t0 = r * columns + c;
      let t1 = (t + (lane ^ 1u)) * columns + c;
      let t2 = (t + (lane ^ 2u)) * columns + c;
      let t3 = (t + (lane ^ 3u)) * columns + c;
      var s: Sums;
      if (k == 0u) {
        s = Sums(
          start(t0, c), start(t0 + 1u, c + 1u), start(t1, c), start(t1 + 1u, c + 1u),
          start(t2, c), start(t2 + 1u, c + 1u), start(t3, c), start(t3 + 1u, c + 1u),
        );
        add(&s, f[0], f[1], thin(r, 0u)); add(&s, f[2], f[3], thin(r, 1u));
        if (EXTRA > 2u) { add(&s, f[4], f[5], thin(r, 2u)); add(&s, f[6], f[7], thin(r, 3u)); }
        if (EXTRA > 4u) { add(&s, f[8], f[9], thin(r, 4u)); add(&s, f[10], f[11], thin(r, 5u)); }
        if (EXTRA > 6u) { add(&s, f[12], f[13], thin(r, 6u)); add(&s, f[14], f[15], thin(r, 7u)); }
      } else {
        s = Sums(
          so_far(t0), so_far(t0 + 1u), so_far(t1), so_far(t1 + 1u), so_far(t2), so_far(t2 + 1u), so_far(t3), so_far(t3 + 1u),
        );
      }
      add(&s, m[0], m[1], left(r, k)); add(&s, m[2], m[3], left(r, k + 1u));
      add(&s, m[4], m[5], left(r, k + 2u)); add(&s, m[6], m[7], left(r, k + 3u));
      if (BLOCKS > 4u) {
        add(&s, m[8], m[9], left(r, k + 4u)); add(&s, m[10], m[11], left(r, k + 5u));
        add(&s, m[12], m[13], left(r, k + 6u)); add(&s, m[14], m[15], left(r, k + 7u));
      }
      if (BLOCKS > 8u) {
        add(&s, m[16], m[17], left(r, k + 8u)); add(&s, m[18], m[19], left(r, k + 9u));
        add(&s, m[20], m[21], left(r, k + 10u)); add(&s, m[22], m[23], left(r, k + 11u));
      }
      if (BLOCKS > 12u) {
        add(&s, m[24], m[25], left(r, k + 12u)); add(&s, m[26], m[27], left(r, k + 13u));
        add(&s, m[28], m[29], left(r, k + 14u)); add(&s, m[30], m[31], left(r, k + 15u));
      }
      if (BLOCKS > 16u) {
        add(&s, m[32], m[33], left(r, k + 16u)); add(&s, m[34], m[35], left(r, k + 17u));
        add(&s, m[36], m[37], left(r, k + 18u)); add(&s, m[38], m[39], left(r, k + 19u));
      }
      if (BLOCKS > 20u) {
        add(&s, m[40], m[41], left(r, k + 20u)); add(&s, m[42], m[43], left(r, k + 21u));
        add(&s, m[44], m[45], left(r, k + 22u)); add(&s, m[46], m[47], left(r, k + 23u));
      }
      if (c < columns) {
        put(t0, s.a0); put(t0 + 1u, s.b0); put(t1, s.a1); put(t1 + 1u, s.b1);
        put(t2, s.a2); put(t2 + 1u, s.b2); put(t3, s.a3); put(t3 + 1u, s.b3);
      }
    }
  }
}
