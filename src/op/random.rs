//! Numbers that look random, the same on the CPU and in `shaders/lib/random.wgsl`.

/// PCG (O'Neill 2014): a number to 32 bits that look random.
pub fn pcg(v: u32) -> u32 {
    let s = v.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let w = ((s >> ((s >> 28) + 4)) ^ s).wrapping_mul(277_803_737);
    (w >> 22) ^ w
}
