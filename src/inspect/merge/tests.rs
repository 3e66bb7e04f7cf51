//! The merges against analytic cases.

use super::*;
use crate::rng::Rng;

const COUNT: usize = 3;
const RANK: usize = 2;
const INPUTS: usize = 6;
const OUTPUTS: usize = 5;
const TOKENS: usize = 40;

struct Case {
    a: Vec<f32>,
    b: Vec<f32>,
    x: Array2<f64>,
    gates: Array2<f64>,
    row_domains: Vec<u8>,
}

fn case() -> Case {
    let mut rng = Rng::new(2, 2);
    let mut draw = |n| (0..n).map(|_| rng.normal() as f32).collect::<Vec<_>>();
    let a = draw(COUNT * RANK * INPUTS);
    let b = draw(COUNT * RANK * OUTPUTS);
    let mut gates = Array2::from_shape_fn((TOKENS, COUNT), |_| rng.uniform(0.1, 1.0));
    for mut row in gates.outer_iter_mut() {
        let sum = row.sum();
        row /= sum;
    }
    Case {
        a,
        b,
        x: Array2::from_shape_fn((TOKENS, INPUTS), |_| rng.normal()),
        gates,
        row_domains: (0..TOKENS).map(|t| (t % 2) as u8).collect(),
    }
}

impl Case {
    fn experts(&self) -> Experts {
        Experts::new((COUNT, RANK), (INPUTS, OUTPUTS), &self.a, &self.b, 0.5).unwrap()
    }

    fn observed(&self) -> Observed<'_> {
        Observed { x: &self.x, gates: &self.gates, row_domains: &self.row_domains, domains: 2 }
    }

    /// `0.5 Σ gᵢ Bᵢ Aᵢ`, element by element from the flat arrays.
    fn plain(&self, gate: &[f64]) -> Array2<f64> {
        Array2::from_shape_fn((OUTPUTS, INPUTS), |(o, i)| {
            let mut sum = 0.0;
            for (n, gate) in gate.iter().enumerate() {
                for r in 0..RANK {
                    sum += 0.5
                        * gate
                        * f64::from(self.b[(n * OUTPUTS + o) * RANK + r])
                        * f64::from(self.a[(n * RANK + r) * INPUTS + i]);
                }
            }
            sum
        })
    }
}

fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    (a - b).iter().fold(0.0, |m, v| f64::max(m, v.abs()))
}

#[test]
fn cosines_are_those_of_the_products() {
    let case = case();
    let experts = case.experts();
    let cosines = experts.cosines();
    let alone = |e: usize| experts.weighted(Array1::from_shape_fn(COUNT, |i| if i == e { 1.0 } else { 0.0 }).view());
    let dot = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
    for i in 0..COUNT {
        for j in 0..COUNT {
            let (a, b) = (alone(i), alone(j));
            let expected = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
            assert!((cosines[[i, j]] - expected).abs() < 1e-12, "{i} {j}");
        }
    }
    let untrained = Experts::new((2, 1), (3, 2), &[1.0; 6], &[0.0, 0.0, 1.0, 1.0], 1.0).unwrap();
    let cosines = untrained.cosines();
    assert_eq!([cosines[[0, 0]], cosines[[0, 1]]], [0.0, 0.0]);
    assert!((cosines[[1, 1]] - 1.0).abs() < 1e-12);
}

#[test]
fn own_gate_is_exact_for_its_token() {
    let case = case();
    let experts = case.experts();
    let routed = experts.routed(&case.x, &case.gates);
    for token in [0, 7] {
        let merged = experts.merge(MergeMode::PerInput, case.observed(), token).unwrap();
        let gate = case.gates.row(token).to_vec();
        assert!(distance(merged.of(0).unwrap(), &case.plain(&gate)) < 1e-12);
        let output = merged.output(&case.x, &case.row_domains);
        let gap = &output.row(token) - &routed.row(token);
        assert!(gap.iter().all(|v| v.abs() < 1e-12));
    }
    assert!(experts.merge(MergeMode::PerInput, case.observed(), TOKENS).is_err());
}

#[test]
fn means_and_tops_are_those_of_the_tokens() {
    let case = case();
    let experts = case.experts();
    let average = |pick: &dyn Fn(usize) -> bool| -> Vec<f64> {
        let tokens: Vec<_> = (0..TOKENS).filter(|&t| pick(t)).collect();
        (0..COUNT).map(|n| tokens.iter().map(|&t| case.gates[[t, n]]).sum::<f64>() / tokens.len() as f64).collect()
    };
    let merged = |mode| experts.merge(mode, case.observed(), 0).unwrap();
    let all = merged(MergeMode::MeanGate);
    assert!(distance(all.of(0).unwrap(), &case.plain(&average(&|_| true))) < 1e-12);
    let means = merged(MergeMode::MeanGatePerDomain);
    let tops = merged(MergeMode::TopExpertPerDomain);
    for d in 0..2 {
        let gate = average(&|t| t % 2 == d);
        assert!(distance(means.of(d).unwrap(), &case.plain(&gate)) < 1e-12);
        let best = (0..COUNT).max_by(|&i, &j| gate[i].total_cmp(&gate[j])).unwrap();
        let one: Vec<f64> = (0..COUNT).map(|n| f64::from(u8::from(n == best))).collect();
        assert!(distance(tops.of(d).unwrap(), &case.plain(&one)) < 1e-12);
    }
}

#[test]
fn least_squares_beats_every_other_single_weight() {
    let case = case();
    let experts = case.experts();
    let routed = experts.routed(&case.x, &case.gates);
    let best = experts.merge(MergeMode::LeastSquares, case.observed(), 0).unwrap();
    assert!(matches!(best, Merged::One(_)));
    let residual = best.output(&case.x, &case.row_domains) - &routed;
    // Normal equations: what is left is orthogonal to every input.
    assert!(residual.t().dot(&case.x).iter().all(|v| v.abs() < 1e-9));
    let left = |m: &Array2<f64>| m.iter().map(|v| v * v).sum::<f64>();
    let mean = experts.merge(MergeMode::MeanGate, case.observed(), 0).unwrap();
    assert!(left(&residual) < left(&(mean.output(&case.x, &case.row_domains) - &routed)));
}

#[test]
fn least_squares_says_when_the_data_do_not_span_the_inputs() {
    let case = case();
    let few = case.x.select(Axis(0), &[0, 1, 2]);
    let gates = case.gates.select(Axis(0), &[0, 1, 2]);
    let observed = Observed { x: &few, gates: &gates, row_domains: &[0, 0, 0], domains: 1 };
    let experts = case.experts();
    let merged = experts.merge(MergeMode::LeastSquares, observed, 0).unwrap();
    let Merged::Ridge { ridge, .. } = &merged else { panic!("three tokens cannot span six inputs") };
    assert!(*ridge > 0.0);
    // Three tokens are still reproduced, up to the ridge.
    let routed = experts.routed(&few, &gates);
    assert!(distance(&merged.output(&few, &[0, 0, 0]), &routed) < 1e-4);
}

/// With a constant gate, N rank-R experts are exactly one LoRA of rank N·R, and every merge is exact.
#[test]
fn constant_gate_is_one_lora() {
    let mut case = case();
    let gate = [0.2, 0.5, 0.3];
    for mut row in case.gates.outer_iter_mut() {
        row.assign(&ArrayView1::from(&gate));
    }
    let experts = case.experts();
    let routed = experts.routed(&case.x, &case.gates);
    let (a, b) = experts.factors(ArrayView1::from(&gate));
    assert_eq!((a.nrows(), b.ncols()), (COUNT * RANK, COUNT * RANK));
    assert!(distance(&case.x.dot(&a.t()).dot(&b.t()), &routed) < 1e-12);
    for mode in [MergeMode::PerInput, MergeMode::MeanGate, MergeMode::MeanGatePerDomain, MergeMode::LeastSquares] {
        let merged = experts.merge(mode, case.observed(), 3).unwrap();
        assert!(distance(&merged.output(&case.x, &case.row_domains), &routed) < 1e-9);
    }
}

/// `Σ gᵢ uᵢ vᵢᵀ = U diag(g) Vᵀ`.
#[test]
fn rank_one_experts_are_a_diagonal_product() {
    let case = case();
    let (v, u) = (&case.a[..COUNT * INPUTS], &case.b[..COUNT * OUTPUTS]);
    let experts = Experts::new((COUNT, 1), (INPUTS, OUTPUTS), v, u, 1.0).unwrap();
    let gate = [0.7, -0.1, 0.4];
    let left = Array2::from_shape_fn((OUTPUTS, COUNT), |(o, n)| f64::from(u[n * OUTPUTS + o]));
    let right = Array2::from_shape_fn((COUNT, INPUTS), |(n, i)| f64::from(v[n * INPUTS + i]));
    let diagonal = Array2::from_diag(&Array1::from(gate.to_vec()));
    let expected = left.dot(&diagonal).dot(&right);
    assert!(distance(&experts.weighted(ArrayView1::from(&gate)), &expected) < 1e-12);
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = case();
    assert!(Experts::new((COUNT, RANK), (INPUTS, OUTPUTS), &case.a[1..], &case.b, 1.0).is_err());
    let observed = Observed { domains: 1, ..case.observed() };
    assert!(case.experts().merge(MergeMode::MeanGate, observed, 0).is_err());
}
