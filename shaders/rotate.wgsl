// Rotary position embedding: column i of a head's first half and column i of its second turn by the position's angle i.
//
//   x, out [tokens, width]: heads side by side, each of head_dim columns
//   table [positions, table_width]: head_dim / 2 cosines, then as many sines
//
// One invocation does four columns of a token: of one half of a head (FOURS), where halves are multiples of four wide, which
// is five times as fast in software, or of two heads.

#import lib/step

struct Dims {
  tokens: u32, width: u32, heads: u32, head_dim: u32, sequence: u32, table_width: u32, continued: u32, direction: f32,
}

override FOURS: bool = false;

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> x: array<vec4f>;
@group(1) @binding(2) var<storage, read> table: array<vec4f>;
@group(1) @binding(3) var<storage, read_write> out: array<vec4f>;

fn x_at(i: u32) -> f32 { return x[i / 4u][i % 4u]; }
fn table_at(i: u32) -> f32 { return table[i / 4u][i % 4u]; }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
  let columns = dims.width / 4u;
  let t = id.x / columns;
  if (t >= dims.tokens) { return; }
  let angles = (t % dims.sequence + dims.continued * clock.x_row) * dims.table_width;
  let row = t * dims.width;
  let half = dims.head_dim / 2u;
  let end = dims.heads * dims.head_dim;
  let first = id.x % columns * 4u;
  if (FOURS) {
    let at = first % dims.head_dim;
    let second = at >= half;
    let angle = (angles + select(at, at - half, second)) / 4u;
    let other = (row + select(first + half, first - half, second)) / 4u;
    let sine = select(-dims.direction, dims.direction, second) * table[angle + half / 4u];
    out[id.x] = select(vec4f(), x[id.x] * table[angle] + sine * x[other], first < end);
    return;
  }
  var turned = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let c = first + i;
    if (c < end) {
      let at = c % dims.head_dim;
      let second = at >= half;
      let angle = angles + select(at, at - half, second);
      let other = x_at(row + select(c + half, c - half, second));
      let sine = dims.direction * table_at(angle + half);
      turned[i] = x_at(row + c) * table_at(angle) + select(-sine, sine, second) * other;
    }
  }
  out[id.x] = turned;
}
