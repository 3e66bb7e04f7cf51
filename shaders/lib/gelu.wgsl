// GELU in its tanh form, and its derivative, of one value and of four.

// Beyond ±10 tanh is ±1 in f32; some drivers' tanh overflows there.
fn gelu_tanh(a: f32) -> f32 { return tanh(clamp(0.7978845608 * (a + 0.044715 * a * a * a), -10.0, 10.0)); }
fn gelu_tanh4(a: vec4f) -> vec4f {
  return tanh(clamp(0.7978845608 * (a + 0.044715 * a * a * a), vec4f(-10.0), vec4f(10.0)));
}

fn gelu(a: f32) -> f32 { return 0.5 * a * (1.0 + gelu_tanh(a)); }
fn gelu4(a: vec4f) -> vec4f { return 0.5 * a * (1.0 + gelu_tanh4(a)); }

fn gelu_derivative(a: f32) -> f32 {
  let th = gelu_tanh(a);
  return 0.5 * (1.0 + th) + 0.5 * a * (1.0 - th * th) * 0.7978845608 * (1.0 + 0.134145 * a * a);
}
fn gelu_derivative4(a: vec4f) -> vec4f {
  let th = gelu_tanh4(a);
  return 0.5 * (1.0 + th) + 0.5 * a * (1.0 - th * th) * 0.7978845608 * (1.0 + 0.134145 * a * a);
}
