// Products of tiles held in registers: an invocation owns 8 rows × 4 or 8 columns, four columns to a vector.

// Rows a0 … a7 of four columns, and b0 … b7 of the next four.
struct Tile {
  a0: vec4f, a1: vec4f, a2: vec4f, a3: vec4f, a4: vec4f, a5: vec4f, a6: vec4f, a7: vec4f,
  b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f, b4: vec4f, b5: vec4f, b6: vec4f, b7: vec4f,
}

// A tile's rows, each as two vectors, to go over them in a loop: shorter to compile than eight copies.
fn rows_of(t: Tile) -> array<vec4f, 16> {
  return array<vec4f, 16>(
    t.a0, t.b0, t.a1, t.b1, t.a2, t.b2, t.a3, t.b3, t.a4, t.b4, t.a5, t.b5, t.a6, t.b6, t.a7, t.b7,
  );
}

// Four elements of a row against those of four rows: what they add to four columns of a product with a transposed matrix.
fn dots(a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f) -> vec4f {
  return vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
}

// Four elements of a row with four columns of as many rows: what they add to four columns of a product.
fn mix4(a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f) -> vec4f {
  return a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
}
