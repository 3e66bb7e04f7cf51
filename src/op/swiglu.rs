//! SwiGLU's product (Shazeer, arXiv 2002.05202): one projection, through SiLU, gates another.

use crate::graph::{Bound, Real, Step, dims, kernel};

dims!(
    /// gate, up, out and their gradients have `elements` values, a multiple of 4.
    Dims { elements: u32 }
);

kernel!(
    /// `out = silu(gate) ∘ up`, where `silu(a) = a σ(a)`.
    pub static SWIGLU: Dims = "swiglu", "forward";
    bindings: [gate: Read, up: Read, out: Write],
    workgroups: |d, _| (d.elements / 4).div_ceil(64),
    twin: forward,
);
kernel!(
    /// `d_gate = d_out ∘ up ∘ silu'(gate)` and `d_up = d_out ∘ silu(gate)`.
    pub static SWIGLU_BACKWARD: Dims = "swiglu", "backward";
    bindings: [gate: Read, up: Read, d_out: Read, d_gate: Write, d_up: Write],
    workgroups: |d, _| (d.elements / 4).div_ceil(64),
    twin: backward,
);

/// Values that are taken at a time: as many as stay in the processor's nearest cache.
const AT_ONCE: usize = 256;

fn forward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (gate, up, mut out) = (b.read("gate"), b.read("up"), b.write("out"));
    let given = gate.chunks(AT_ONCE).zip(up.chunks(AT_ONCE));
    for (out, (gate, up)) in out[..d.elements as usize].chunks_mut(AT_ONCE).zip(given) {
        out.copy_from_slice(&gate[..out.len()]);
        F::sigmoids(out);
        out.iter_mut().zip(gate.iter().zip(up)).for_each(|(out, (&a, &u))| *out = *out * a * u);
    }
}

fn backward<F: Real>(_: &Step, d: &Dims, b: &Bound<F>) {
    let (gate, up, d_out) = (b.read("gate"), b.read("up"), b.read("d_out"));
    let (mut d_gate, mut d_up) = (b.write("d_gate"), b.write("d_up"));
    d_up[..d.elements as usize].copy_from_slice(&gate[..d.elements as usize]);
    d_up[..d.elements as usize].chunks_mut(AT_ONCE).for_each(F::sigmoids);
    let given = gate.iter().zip(up.iter()).zip(d_out.iter());
    let made = d_gate.iter_mut().zip(d_up.iter_mut());
    for ((d_gate, d_up), ((&a, &u), &d)) in made.zip(given).take(d.elements as usize) {
        let s = *d_up;
        *d_gate = d * u * s * (F::one() + a * (F::one() - s));
        *d_up = d * a * s;
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::testing::{assert_close, assert_gradient, dot, matrix, run};

    #[test]
    fn silu_of_the_gate_times_up() {
        let out = run(&SWIGLU, &Dims { elements: 4 }, &[&[0.0, 1.0, -2.0, -1000.0], &[5.0, 2.0, 3.0, 4.0]], &[4]);
        let wanted = [0.0, 2.0 / (1.0 + (-1f64).exp()), -6.0 / (1.0 + 2f64.exp()), 0.0];
        assert_close("out", &out[0], &wanted, 1e-12);
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let [gate, up, d_out] = [1, 2, 3].map(|seed| matrix(seed, [1, 8], [1, 8]));
        let d = Dims { elements: 8 };
        let made = run(&SWIGLU_BACKWARD, &d, &[&gate, &up, &d_out], &[8, 8]);
        assert_gradient("d_gate", &gate, &made[0], |gate| dot(&d_out, &run(&SWIGLU, &d, &[gate, &up], &[8])[0]));
        assert_gradient("d_up", &up, &made[1], |up| dot(&d_out, &run(&SWIGLU, &d, &[&gate, up], &[8])[0]));
    }
}
