// AdamW as PyTorch defines it, of one parameter, with the constants that end the importing shader's dims.
#import lib/step

struct Updated { p: f32, m: f32, v: f32 }

// What parameter p and its moments m and v become by gradient g.
fn adamw(g: f32, p: f32, m: f32, v: f32) -> Updated {
  let first = dims.beta1 * m + dims.one_minus_beta1 * g;
  let second = dims.beta2 * v + dims.one_minus_beta2 * g * g;
  return Updated(clock.decay * p - clock.rate * first / (sqrt(second) * clock.inv_sqrt_bias2 + dims.eps), first, second);
}
