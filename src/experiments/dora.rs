//! DoRA: whether training lengths apart from directions brings LoRA closer to full fine-tuning.

use ndarray::{Array2, ArrayView1};

use super::floors::tail;
use super::runs::{change, domains, lora, ranked, relative_loss, trained};
use super::{Expected, Experiment, Inputs, Measuring, each, near, quantity, shown};
use crate::config::{Config, Domains, Spectrum};
use crate::lab::forward::matrix;
use crate::method::{DORA, FULL};

const RANK: usize = 4;
const TRUE_RANK: usize = 16;
/// Before this step the early loss is read.
const EARLY: usize = 100;

pub fn all() -> Vec<Experiment> {
    let task = Domains { domains: 1, true_rank: TRUE_RANK, spectrum: Spectrum::Harmonic, ..Domains::default() };
    let early = each(&["LoRA r4", "DoRA r4"], &|lane| shown(format!("{lane}: loss before step 100")));
    let alike = each(&["full", "LoRA r4", "DoRA r4"], &|lane| shown(format!("{lane}: correlation")));
    let claims = vec![
        shown("full"),
        near("LoRA r4", tail(RANK, TRUE_RANK), 0.005),
        near("DoRA r4", tail(RANK, TRUE_RANK) * (1.0 - 1.0 / 64.0), 0.005),
        quantity("DoRA − LoRA", Expected::AtMost(0.0)),
        quantity("DoRA's distance from full − LoRA's, in correlation", Expected::AtMost(0.0)),
    ];
    vec![Experiment {
        id: "dora",
        setups: vec![domains(task, vec![(&FULL).into(), lora(RANK), ranked(&DORA, RANK)])],
        quantities: [claims, early, alike].concat(),
        measure: weighed,
        figure: None,
    }]
}

fn weighed(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let base = matrix(&lab.task.base[0].weight, lab.task.network.inputs());
        let [full, plain, dora] = [0, 1, 2].map(|lane| relative_loss(&lab, lane));
        let mut alike = Vec::new();
        for lane in 0..lab.lane_count() {
            alike.push(together(&base, &(&base + &change(&lab, lane).await?)));
        }
        let nearer = (alike[2] - alike[0]).abs() - (alike[1] - alike[0]).abs();
        let mut values = vec![full, plain, dora, dora - plain, nearer];
        // One batch's loss is a noisy share of the pool's energy; sixteen are less so.
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        values.extend([1, 2].map(|lane| mean(&lab.losses(lane)[EARLY - 16..EARLY]) / lab.task.pool_energy));
        values.extend(alike);
        Ok(values)
    })
}

/// Correlation over rows of the change of length with the change of direction.
fn together(before: &Array2<f64>, after: &Array2<f64>) -> f64 {
    let length = |row: ArrayView1<f64>| libm::sqrt(row.dot(&row));
    let rows = before.outer_iter().zip(after.outer_iter());
    let pairs: Vec<(f64, f64)> = rows
        .map(|(old, new)| {
            let (from, to) = (length(old), length(new));
            ((to - from).abs(), 1.0 - old.dot(&new) / (from * to))
        })
        .collect();
    correlation(&pairs)
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / count, y + pair.1 / count));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let both = sum(&|p| (p.0 - x) * (p.1 - y));
    both / libm::sqrt(sum(&|p| (p.0 - x) * (p.0 - x)) * sum(&|p| (p.1 - y) * (p.1 - y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_by_hand() {
        assert!((correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]) - 1.0).abs() < 1e-12);
        assert!((correlation(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) + 1.0).abs() < 1e-12);
        // Rows that are only made longer turn nowhere: no correlation is defined, and none is made up.
        let one = ndarray::array![[1.0, 0.0], [0.0, 1.0]];
        assert!(together(&one, &(2.0 * &one)).is_nan());
    }
}
