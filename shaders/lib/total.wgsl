// The sum of a workgroup's values, one of each of its SIZE invocations, for all of them; SIZE is the importing shader's.

var<workgroup> sums: array<f32, SIZE>;

fn total(local: u32, value: f32) -> f32 {
  sums[local] = value;
  workgroupBarrier();
  if (local == 0u) {
    var sum = 0.0;
    for (var i = 0u; i < SIZE; i++) { sum += sums[i]; }
    sums[0] = sum;
  }
  workgroupBarrier();
  let sum = sums[0];
  workgroupBarrier();
  return sum;
}
