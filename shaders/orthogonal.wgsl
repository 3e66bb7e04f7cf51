// Adds to v's gradient that of coefficient · Σ_{i<j} cos²(vᵢ, vⱼ): directions that experts read should differ.
//
//   params, grads: v [experts, inputs] from v on
//
// One workgroup per expert i: ∂ = 2 · coefficient · Σⱼ c (v̂ⱼ − c v̂ᵢ) / ‖vᵢ‖ with c = v̂ᵢ · v̂ⱼ.

struct Dims { experts: u32, inputs: u32, v: u32, coefficient: f32 }

@group(1) @binding(0) var<uniform> dims: Dims;
@group(1) @binding(1) var<storage, read> params: array<f32>;
@group(1) @binding(2) var<storage, read_write> grads: array<f32>;

const SIZE = 64u;
var<workgroup> dots: array<f32, SIZE>;
var<workgroup> squares: array<f32, SIZE>;

@compute @workgroup_size(SIZE)
fn backward(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let own = dims.v + group.x * dims.inputs;
  if (local.x < dims.experts) {
    let other = dims.v + local.x * dims.inputs;
    var dot = 0.0;
    var square = 0.0;
    for (var i = 0u; i < dims.inputs; i++) {
      dot += params[own + i] * params[other + i];
      square += params[other + i] * params[other + i];
    }
    dots[local.x] = dot;
    squares[local.x] = square;
  }
  workgroupBarrier();
  let square = squares[group.x];
  for (var i = local.x; i < dims.inputs; i += SIZE) {
    var sum = 0.0;
    for (var j = 0u; j < dims.experts; j++) {
      let both = square * squares[j];
      if (j != group.x && both > 0.0) {
        let other = params[dims.v + j * dims.inputs + i];
        sum += dots[j] / both * (other - dots[j] / square * params[own + i]);
      }
    }
    grads[own + i] += 2.0 * dims.coefficient * sum;
  }
}
