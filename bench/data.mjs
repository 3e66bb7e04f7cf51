// One layer's data, the same for every contender: N = D rows, a frozen weight, adapters that start with no effect.
// Runs in the page.

// Uniform in ±scale, from a small generator of its own, so that every contender gets the very same numbers.
export function uniform(length, scale, seed) {
  const values = new Float32Array(length);
  let state = seed >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (state / 2 ** 32 - 0.5) * 2 * scale;
  }
  return values;
}

export function layer(size) {
  return {
    x: uniform(size * size, 1, 1), // [rows, in]
    y: uniform(size * size, 1, 2), // [rows, out]
    weight: uniform(size * size, 1 / Math.sqrt(size), 3), // [out, in]
  };
}

// Of a matrix of so many columns.
export function transposed(matrix, columns) {
  const rows = matrix.length / columns;
  return matrix.map((_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]);
}

export const ADAM = { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
