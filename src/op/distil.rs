//! A student's loss against a teacher's expectations of each token (Hinton et al. 2015, arXiv 1503.02531), together with its
//! gradient: `(1 − λ) · cross-entropy + λ T² · KL(q ‖ p)`, with q and p the teacher's and the student's softmax of logits over T.
//! T² keeps the two parts' gradients of one size whatever T.

use crate::graph::{Bound, Real, Step, Target, dims, kernel};

dims!(
    /// y and dy `[tokens, outputs]`, aim `[pool, outputs]`: the teacher's logits; labels `[pool]`, losses: one value per token
    /// from `loss_at` on.
    Dims {
        tokens: u32,
        outputs: u32,
        /// Tokens and classes that are not padding.
        real_tokens: u32,
        real_outputs: u32,
        loss_at: u32,
        /// T.
        temperature: f32,
        /// λ. A token whose label is negative has no label: of its loss there is the teacher's part alone.
        mix: f32,
    }
);

kernel!(
    /// The loss of every token, and the gradient of its logits.
    pub static DISTIL: Dims = "distil", "backward";
    bindings: [y: Read, aim: Read, labels: Read, dy: Write, losses: Write],
    workgroups: |d, target| (d.tokens * d.lanes(target)).div_ceil(target.workgroup()),
    constants: |d, target| vec![target.size(), ("LANES", d.lanes(target).into())],
    twin: backward,
);

impl Dims {
    /// Invocations that share a token.
    fn lanes(&self, target: Target) -> u32 {
        if target == Target::Gpu && self.outputs >= 128 { target.workgroup() } else { 1 }
    }
}

/// `(z − max z) / T` of a token's logits, and the powers of e of these; returns the sum of the latter.
fn soften<F: Real>(logits: &[F], temperature: F, (below, powers): (&mut [F], &mut [F])) -> F {
    let max = logits.iter().copied().fold(F::neg_infinity(), F::max);
    below.iter_mut().zip(logits).for_each(|(b, &z)| *b = (z - max) / temperature);
    powers.copy_from_slice(below);
    F::powers_of_e(powers);
    powers.iter().copied().sum()
}

fn backward<F: Real>(step: &Step, d: &Dims, b: &Bound<F>) {
    let (o, classes) = (d.outputs as usize, d.real_outputs as usize);
    let (y, aim, labels) = (b.read("y"), b.read("aim"), b.read("labels"));
    let (mut dy, mut losses) = (b.write("dy"), b.write("losses"));
    let loss = &mut losses[d.loss_at as usize..];
    let (temperature, mix) = (F::of(d.temperature.into()), F::of(d.mix.into()));
    let share = F::one() / F::of(d.real_tokens.into());
    let [mut below, mut taught_below, mut powers, mut taught] = [(); 4].map(|()| vec![F::zero(); classes]);
    for t in 0..d.tokens as usize {
        let out = &mut dy[t * o..(t + 1) * o];
        out.fill(F::zero());
        loss[t] = F::zero();
        if t >= d.real_tokens as usize {
            continue;
        }
        let row = step.x_row as usize + t;
        let (logits, aim) = (&y[t * o..t * o + classes], &aim[row * o..row * o + classes]);
        let sum = soften(logits, temperature, (&mut below, &mut powers));
        let taught_sum = soften(aim, temperature, (&mut taught_below, &mut taught));
        let (each, taught_each) = (F::one() / sum, F::one() / taught_sum);
        let mut apart = F::zero();
        let weight = share * mix * temperature;
        for c in 0..classes {
            let q = taught_each * taught[c];
            apart += q * (taught_below[c] - below[c]);
            out[c] = weight * (each * powers[c] - q);
        }
        loss[t] = mix * temperature * temperature * (apart + sum.ln() - taught_sum.ln());
        let label = labels[row].f64();
        let hard = F::one() - mix;
        if label < 0.0 || hard == F::zero() {
            continue;
        }
        let label = label as usize;
        let sum = soften(logits, F::one(), (&mut below, &mut powers));
        loss[t] += hard * (sum.ln() - below[label]);
        let each = share * hard / sum;
        out[..classes].iter_mut().zip(&powers).for_each(|(out, &power)| *out += each * power);
        out[label] = out[label] - share * hard;
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::op::cross_entropy::{self, CROSS_ENTROPY};
    use crate::op::testing::{assert_close, assert_gradient, matrix, run};

    const DIMS: Dims =
        Dims { tokens: 8, outputs: 8, real_tokens: 5, real_outputs: 6, loss_at: 0, temperature: 2.0, mix: 0.75 };
    // The step's batch begins at row 2 of the pool; its second and last token have no label.
    const LABELS: [f64; 10] = [0.0, 0.0, 3.0, -1.0, 5.0, 0.0, -1.0, 0.0, 0.0, 0.0];

    fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
        let raised: Vec<f64> = logits.iter().map(|z| (z / temperature).exp()).collect();
        raised.iter().map(|e| e / raised.iter().sum::<f64>()).collect()
    }

    #[test]
    fn it_is_the_definition_and_its_gradient() {
        let (y, aim) = (matrix(1, [5, 6], [8, 8]), matrix(2, [7, 6], [10, 8]));
        let made = run(&DISTIL, &DIMS, &[&y, &aim, &LABELS], &[64, 8]);
        for t in 0..5 {
            let (z, taught) = (&y[t * 8..t * 8 + 6], &aim[(t + 2) * 8..(t + 2) * 8 + 6]);
            let (p, q) = (softmax(z, 2.0), softmax(taught, 2.0));
            let kl: f64 = q.iter().zip(&p).map(|(q, p)| q * (q / p).ln()).sum();
            let label = LABELS[t + 2];
            let hard = if label < 0.0 { 0.0 } else { -softmax(z, 1.0)[label as usize].ln() };
            let wanted = 0.25 * hard + 0.75 * 4.0 * kl;
            assert!((made[1][t] - wanted).abs() < 1e-12, "{t}: {} instead of {wanted}", made[1][t]);
        }
        assert!(made[0][40..].iter().chain(&made[1][5..]).all(|&v| v == 0.0));
        let mean = |y: &[f64]| run(&DISTIL, &DIMS, &[y, &aim, &LABELS], &[64, 8])[1].iter().sum::<f64>() / 5.0;
        assert_gradient("dy", &y, &made[0], mean);
    }

    /// With no weight on the teacher it is cross-entropy; a student that expects what its teacher does has nothing to learn.
    #[test]
    fn the_ends_of_the_mix() {
        let (y, aim) = (matrix(1, [5, 6], [8, 8]), matrix(2, [7, 6], [10, 8]));
        let labels: Vec<f64> = LABELS.iter().map(|label| label.max(0.0)).collect();
        let plain = run(&DISTIL, &Dims { mix: 0.0, ..DIMS }, &[&y, &aim, &labels], &[64, 8]);
        let dims =
            cross_entropy::Dims { tokens: 8, outputs: 8, real_tokens: 5, real_outputs: 6, loss_at: 0, counted: 5 };
        let wanted = run(&CROSS_ENTROPY, &dims, &[&y, &labels], &[64, 8]);
        assert_close("dy", &plain[0], &wanted[0], 1e-12);
        assert_close("losses", &plain[1], &wanted[1], 1e-12);
        let same = run(&DISTIL, &Dims { mix: 1.0, ..DIMS }, &[&aim[16..], &aim, &LABELS], &[64, 8]);
        assert!(same.iter().flatten().all(|v| v.abs() < 1e-15), "{same:?}");
    }
}
