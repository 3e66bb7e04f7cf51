// Low-rank factors by row: the adapter of each sequence is gathered from a bank of all of them.
//
//   x [tokens, inputs], perhaps of the whole pool   y [tokens, outputs]   down [tokens, slots]   adapter [sequences], −1 for none
//   bank: from a_offset on lora_A [adapters, slots, inputs], from b_offset on lora_B [adapters, slots, outputs]
//
// One invocation does four slots, or four outputs, of one token.

#import lib/step

struct Dims {
  tokens: u32, sequence: u32, inputs: u32, outputs: u32, slots: u32, x_batched: u32, a_offset: u32, b_offset: u32,
  scale: f32,
}

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read> adapter: array<f32>;
@group(1) @binding(3) var<storage, read> bank: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> down: array<vec4f>;

@compute @workgroup_size(64)
fn down_rows(@builtin(global_invocation_id) id: vec3u) {
  let each = dims.slots / 4u;
  let token = id.x / each;
  if (token >= dims.tokens) { return; }
  let own = adapter[token / dims.sequence];
  var sum = vec4f();
  if (own >= 0.0) {
    let columns = dims.inputs / 4u;
    let first = (token + dims.x_batched * clock.x_row) * columns;
    let a = dims.a_offset / 4u + (u32(own) * dims.slots + id.x % each * 4u) * columns;
    for (var c = 0u; c < columns; c++) {
      let v = x[first + c];
      sum += vec4f(
        dot(v, bank[a + c]),
        dot(v, bank[a + columns + c]),
        dot(v, bank[a + 2u * columns + c]),
        dot(v, bank[a + 3u * columns + c]),
      );
    }
  }
  down[id.x] = dims.scale * sum;
}

@group(1) @binding(1) var<storage, read> down_read: array<vec4f>;
@group(1) @binding(4) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(64)
fn up_rows(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.outputs / 4u;
  let token = id.x / columns;
  if (token >= dims.tokens) { return; }
  let own = adapter[token / dims.sequence];
  if (own < 0.0) { return; }
  let b = dims.b_offset / 4u + u32(own) * dims.slots * columns + id.x % columns;
  let first = token * dims.slots / 4u;
  var sum = y[id.x];
  for (var s = 0u; s < dims.slots / 4u; s++) {
    let shares = down_read[first + s];
    let up = b + 4u * s * columns;
    sum += shares.x * bank[up] + shares.y * bank[up + columns];
    sum += shares.z * bank[up + 2u * columns] + shares.w * bank[up + 3u * columns];
  }
  y[id.x] = sum;
}
