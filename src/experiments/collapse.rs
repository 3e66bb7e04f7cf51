//! Experts that are not used: routing that collapses, what is said to cure it, and rank-1 experts that read alike.

use super::runs::{answer, balanced, domains, molora, mor1e, relative_losses, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, quantity, shown};
use crate::config::{Config, Domains};
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::tensor::argmax;

const EXPERTS: usize = 4;
/// An expert that fewer tokens than this choose is dead.
const DEAD: f64 = 0.01;
const COLD: f64 = 0.1;
/// Coefficients of the orthogonality penalty.
const PENALTIES: [f64; 3] = [0.0, 0.001, 0.1];
/// Rank-1 experts, two for each of four tasks.
const VECTORS: usize = 8;
/// Least mean cos² of eight vectors in a plane (Welch): (64/2 − 8) / 56.
const WELCH: f64 = 24.0 / 56.0;

pub fn all() -> Vec<Experiment> {
    vec![collapse(), orthogonality()]
}

fn collapse() -> Experiment {
    let lane = |temperature: f64| molora(EXPERTS, 2).with("top_k", 1).with("temperature", temperature);
    let names = ["T = 1", "T = 0.1", "T = 0.1 with noise", "T = 0.1 with the Switch term"];
    let lanes = || vec![lane(1.0), lane(COLD), lane(COLD).with("noise", 1.0), balanced(lane(COLD), "switch", 0.01)];
    let all = Expected::Near { value: EXPERTS as f64, within: 0.0 };
    let said = [Expected::Shown, Expected::AtMost(EXPERTS as f64 - 1.0), all, all];
    let mut quantities = Vec::new();
    for tasks in ["four tasks", "one task"] {
        for (name, said) in names.iter().zip(said) {
            quantities.push(quantity(format!("{tasks}, {name}: experts in use"), said));
        }
        quantities.extend(each(&names, &|name| shown(format!("{tasks}, {name}: loss"))));
        let cure = |name: &&str| format!("{tasks}: loss at T = 0.1, without − with {name}");
        quantities.extend(each(&["noise", "the Switch term"], &|name| quantity(cure(name), Expected::AtLeast(0.0))));
    }
    Experiment {
        id: "collapse",
        setups: vec![
            domains(Domains::default(), lanes()),
            domains(Domains { domains: 1, true_rank: 8, ..Domains::default() }, lanes()),
        ],
        quantities,
        measure: collapsed,
        figure: Some(Figure {
            x: "router",
            y: "experts in use",
            columns: ["T = 1", "T = 0.1", "and noise", "and Switch"].map(String::from).to_vec(),
            series: vec![
                Series { name: "four tasks", first: 0 },
                Series { name: "one task", first: 2 * names.len() + 2 },
            ],
            log: false,
        }),
    }
}

fn collapsed(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut values = Vec::new();
        for setup in &setups {
            let lab = trained(setup, inputs).await?.lab;
            for lane in 0..lab.lane_count() {
                values.push(in_use(&lab, lane).await?);
            }
            let losses = relative_losses(&lab);
            let cure = [losses[1] - losses[2], losses[1] - losses[3]];
            values.extend(losses.into_iter().chain(cure));
        }
        Ok(values)
    })
}

/// Experts that at least 1 % of the pool's tokens choose first.
async fn in_use(lab: &Lab, lane: usize) -> Result<f64> {
    let read = answer(lab, lane, lab.task.x.clone(), lab.task.sequence).await?;
    let Some(gates) = read.gates.first() else { return Ok(f64::NAN) };
    let mut chosen = vec![0usize; gates.experts];
    for gate in gates.values.chunks_exact(gates.experts) {
        chosen[argmax(gate)] += 1;
    }
    let least = DEAD * lab.task.rows() as f64;
    Ok(chosen.iter().filter(|&&count| count as f64 >= least).count() as f64)
}

fn orthogonality() -> Experiment {
    let lanes = || PENALTIES.map(|penalty| mor1e(VECTORS, "pooled").with("orthogonality", penalty)).to_vec();
    let alike = |kind: &str| each(&PENALTIES, &|c| shown(format!("{kind}: mean cos² at {c}")));
    let losses = |kind: &str| each(&PENALTIES, &|c| shown(format!("{kind}: loss at {c}")));
    let (mut own, mut shared) = (alike("own directions"), alike("shared directions"));
    own[1].expected = Expected::AtMost(0.02);
    own[2].expected = Expected::AtMost(0.02);
    shared[0].expected = Expected::Between(WELCH, 0.6);
    let changes = vec![
        quantity("own directions: loss at 0.1 − at 0", Expected::AtMost(0.01)),
        quantity("shared directions: mean cos² at 0.1 − at 0", Expected::AtMost(-0.1)),
        quantity("shared directions: loss at 0.1 − at 0", Expected::AtLeast(0.05)),
    ];
    Experiment {
        id: "orthogonality",
        setups: vec![
            domains(Domains { conflict: false, ..Domains::default() }, lanes()),
            domains(Domains::default(), lanes()),
        ],
        quantities: [own, losses("own directions"), shared, losses("shared directions"), changes].concat(),
        measure: orthogonal,
        figure: Some(Figure {
            x: "coefficient",
            y: "mean cos² between experts",
            columns: PENALTIES.map(|c| c.to_string()).to_vec(),
            series: vec![
                Series { name: "own directions", first: 0 },
                Series { name: "shared directions", first: 2 * PENALTIES.len() },
            ],
            log: false,
        }),
    }
}

fn orthogonal(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut values, mut changes) = (Vec::new(), Vec::new());
        for setup in &setups {
            let lab = trained(setup, inputs).await?.lab;
            let mut alike = Vec::new();
            for lane in 0..lab.lane_count() {
                let v = lab.tensor(lane, "layers.0.v").await?;
                alike.push(mean_square_cosine(&v, lab.task.network.inputs()));
            }
            let losses = relative_losses(&lab);
            changes.push([alike[2] - alike[0], losses[2] - losses[0]]);
            values.extend(alike.into_iter().chain(losses));
        }
        let [own, shared] = [changes[0], changes[1]];
        values.extend([own[1], shared[0], shared[1]]);
        Ok(values)
    })
}

/// Over all pairs of rows `[N, width]`.
fn mean_square_cosine(rows: &[f32], width: usize) -> f64 {
    let rows = matrix(rows, width);
    let gram = rows.dot(&rows.t());
    let count = gram.nrows();
    let mut sum = 0.0;
    for i in 0..count {
        sum += (0..i).map(|j| gram[[i, j]].powi(2) / (gram[[i, i]] * gram[[j, j]])).sum::<f64>();
    }
    sum / (count * (count - 1) / 2) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors at equal angles in a plane meet Welch's bound; the axes are orthogonal.
    #[test]
    fn cosines_by_hand() {
        let angles = (0..VECTORS).map(|i| std::f64::consts::PI * i as f64 / VECTORS as f64);
        let fan: Vec<f32> = angles.flat_map(|a| [libm::cos(a) as f32, 3.0 * libm::sin(a) as f32 / 3.0]).collect();
        assert!((mean_square_cosine(&fan, 2) - WELCH).abs() < 1e-6);
        assert_eq!(mean_square_cosine(&[2.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 1.0], 3), 0.0);
    }
}
