//! Factors of one bit, or of three values, per entry: what they lose, and what they take to store.

use ndarray::Array2;

use super::runs::{STEPS, answer, domains, first_layer, lora, molora, product, read, relative_losses, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity, shown};
use crate::config::{Config, Domains, Lane, Optimizer, Schedule};
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::method::modifier::quantised;
use crate::order::sorted;
use crate::task::Targets;

const KINDS: [&str; 3] = ["float", "ternary", "binary"];
/// The page's, and one at which few entries flip in a step.
const RATES: [(&str, f64); 2] = [("0.01", 0.01), ("0.0003", 0.0003)];
/// Losses further apart than this do not match.
const MATCH: f64 = 0.02;
/// An f32, of a scale or of an entry kept in full.
const FLOAT: f64 = 4.0;

/// Bytes of both lanes: 1,024 entries in 8 matrices or in 2, and the mixture's router of 256 in full precision.
fn predicted(weights: &str) -> [f64; 2] {
    [8.0 * quantised::bytes(128, weights) + FLOAT * 256.0, 2.0 * quantised::bytes(512, weights)]
}

pub fn all() -> Vec<Experiment> {
    let lanes = |lane: Lane| KINDS.map(|weights| lane.clone().with("weights", weights)).to_vec();
    let names = ["MoLoRA 4×2", "LoRA r8"];
    let setup = |lr: f64, total| {
        let run = |task, lane| Config {
            optimizer: Optimizer { lr, ..Optimizer::default() },
            schedule: Schedule { warmup: 50, total },
            ..domains(task, lanes(lane))
        };
        let one = Domains { domains: 1, true_rank: 8, ..Domains::default() };
        vec![run(Domains::default(), molora(4, 2)), run(one, lora(8))]
    };
    let (mut losses, mut gaps, mut rescaled, mut sizes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (rate, _) in RATES {
        for case in names.map(|name| format!("{name}, rate {rate}")) {
            losses.extend(each(&KINDS, &|kind| shown(format!("{case}: {kind}"))));
            let gap = |kind: &&str| quantity(format!("{case}: {kind} − float"), Expected::AtMost(MATCH));
            gaps.extend(each(&KINDS[1..], &gap));
            rescaled.extend(each(&KINDS[1..], &|kind| shown(format!("{case}: {kind} at its best scale"))));
        }
    }
    for (at, name) in names.iter().enumerate() {
        sizes.extend(each(&KINDS, &|kind| near(format!("{name}: bytes, {kind}"), predicted(kind)[at], 0.05)));
    }
    vec![Experiment {
        id: "one-bit",
        setups: [setup(RATES[0].1, STEPS), setup(RATES[1].1, 2 * STEPS)].concat(),
        quantities: [losses, gaps, sizes, rescaled].concat(),
        measure: measured,
        figure: Some(Figure {
            x: "entries",
            y: "loss, share of energy",
            columns: KINDS.map(str::to_owned).to_vec(),
            series: vec![
                Series { name: "MoLoRA 4×2, rate 0.0003", first: 2 * KINDS.len() },
                Series { name: "LoRA r8, rate 0.0003", first: 3 * KINDS.len() },
            ],
            log: false,
        }),
    }]
}

fn measured(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut losses, mut gaps, mut sizes, mut rescaled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for setup in &setups {
            let lab = trained(setup, inputs).await?.lab;
            let own = relative_losses(&lab);
            gaps.extend([own[1] - own[0], own[2] - own[0]]);
            losses.extend(own);
            rescaled.extend([best_scale(&lab, 1).await?, best_scale(&lab, 2).await?]);
            // Sizes do not depend on the rate.
            if sizes.len() < 2 * KINDS.len() {
                for lane in 0..lab.lane_count() {
                    sizes.push(bytes(&lab, lane).await?);
                }
            }
        }
        Ok([losses, gaps, sizes, rescaled].concat())
    })
}

/// Loss on the pool had the adapter's output one more factor, the best for it: 1 − ⟨o, t⟩² / ‖o‖²‖t‖².
async fn best_scale(lab: &Lab, lane: usize) -> Result<f64> {
    let task = &lab.task;
    let Targets::Dense(y) = &task.y else { return Ok(f64::NAN) };
    let dim = task.network.inputs();
    let base = matrix(&task.x, dim).dot(&matrix(&task.base[0].weight, dim).t());
    let made = matrix(&answer(lab, lane, task.x.clone(), task.sequence).await?.output, dim) - &base;
    let wanted = matrix(y, dim) - &base;
    let inner = |a: &Array2<f64>, b: &Array2<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    Ok(1.0 - inner(&made, &wanted).powi(2) / (inner(&made, &made) * inner(&wanted, &wanted)))
}

/// What the lane's adapter takes to store.
async fn bytes(lab: &Lab, lane: usize) -> Result<f64> {
    let (settings, widths) = first_layer(lab, lane);
    let factors = product(lab, lane)?;
    let mut sum = 0.0;
    for parameter in (lab.lane(lane).method.parameters)(&settings, widths) {
        if ![factors.a, factors.b].contains(&parameter.name) {
            sum += FLOAT * parameter.len(widths) as f64;
            continue;
        }
        let factor = read(lab, lane, &format!("layers.0.{}", parameter.name)).await?;
        sum += factor.chunks_exact(factor.len() / factors.experts).map(stored).sum::<f64>();
    }
    Ok(sum)
}

/// One matrix: a few values and their scale, or all entries in full.
fn stored(matrix: &[f32]) -> f64 {
    let mut values = sorted(matrix.to_vec(), f32::total_cmp);
    values.dedup();
    match values.len() {
        few @ 1..=3 => matrix.len() as f64 * libm::log2(few as f64) / 8.0 + FLOAT,
        _ => FLOAT * matrix.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_takes_what_its_values_need() {
        assert_eq!(stored(&[0.5, -0.5].repeat(64)), 16.0 + 4.0);
        assert!((stored(&[0.5, -0.5, 0.0, 0.5].repeat(32)) - (128.0 * 1.584_962_5 / 8.0 + 4.0)).abs() < 1e-6);
        assert_eq!(stored(&[0.1, 0.2, 0.3, 0.4]), 16.0);
        assert_eq!(predicted("float"), [5_120.0, 4_096.0]);
        assert_eq!(predicted("binary"), [1_184.0, 136.0]);
        let [mixture, single] = predicted("ternary");
        assert!((mixture - 1_258.9).abs() < 0.05 && (single - 210.9).abs() < 0.05);
    }
}
