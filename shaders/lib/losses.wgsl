// A step's loss, added up from what its tiles left in the importing shader's `losses [slots, 32], then from loss_at on
// [tiles]` to 32 sums, which the reader adds: no barrier is needed, and the last addition is made in f64.
#import lib/step

const PARTS = 32u;

fn gather(part: u32) {
  var sum = 0.0;
  for (var i = part; i < dims.tiles; i += PARTS) { sum += losses[dims.loss_at + i]; }
  losses[clock.slot * PARTS + part] = dims.loss_scale * sum;
}
