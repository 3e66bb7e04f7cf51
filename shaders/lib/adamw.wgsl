// AdamW as PyTorch defines it, of one parameter, with the constants that end the importing shader's dims.
#import lib/step

struct Updated { p: f32, m: f32, v: f32 }

// What parameter p and its moments m and v become by gradient g.
fn adamw(g: f32, p: f32, m: f32, v: f32) -> Updated {
  let first = dims.beta1 * m + dims.rest1 * g;
  let second = dims.beta2 * v + dims.rest2 * g * g;
  return Updated(clock.keep * p - clock.rate * first / (sqrt(second) * clock.second + dims.eps), first, second);
}
