//! Intruder dimensions: when training puts a direction into a weight's spectrum that was not there.

use nalgebra::DMatrix;

use super::runs::{begin, change, domains, lora, train};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity, shown};
use crate::config::{Config, Domains};
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::tensor::{svd, to_nalgebra};

const WIDTH: usize = 128;
/// The frozen weight's entries have this standard deviation over √width, so a change of this size has strength θ = 1.
const SCALE: f64 = 0.25;
/// Strengths at which training is looked at; the true change's is 4.
const THETAS: [f64; 3] = [0.5, 2.0, 3.9];
/// Left singular vectors looked at, and the cosine below which one is like none of the frozen weight's.
const TOP: usize = 10;
const ALIKE: f64 = 0.5;

pub fn all() -> Vec<Experiment> {
    let at_each = |what: &str| each(&THETAS, &|theta| shown(format!("θ = {theta}: {what}")));
    let off = each(&THETAS, &|theta| near(format!("θ = {theta}: largest singular value − formula"), 0.0, 0.15));
    let mut alike = at_each("leading vector's best cosine");
    alike[0].expected = Expected::AtLeast(ALIKE);
    alike[1].expected = Expected::AtMost(ALIKE);
    alike[2].expected = Expected::AtMost(ALIKE);
    let least = vec![quantity("θ = 0.5: least best cosine of the first ten", Expected::AtLeast(ALIKE))];
    let (reached, found) = (at_each("reached"), at_each("intruders among the first ten"));
    vec![Experiment {
        id: "intruders",
        setups: vec![domains(Domains { dim: WIDTH, domains: 1, true_rank: 1, ..Domains::default() }, vec![lora(1)])],
        quantities: [alike, off, least, reached, found].concat(),
        measure: intruded,
        figure: Some(Figure {
            x: "strength of the change, θ",
            y: "best cosine with a pretrained direction",
            columns: THETAS.map(|theta| theta.to_string()).to_vec(),
            series: vec![Series { name: "leading singular vector", first: 0 }],
            log: false,
        }),
    }]
}

fn intruded(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let setup = &setups[0];
        let mut lab = begin(setup, inputs).await?.lab;
        let base = to_nalgebra(&matrix(&lab.task.base[0].weight, WIDTH));
        let pretrained = svd(base.clone()).map(|(u, ..)| u).unwrap_or_else(|| DMatrix::zeros(WIDTH, WIDTH));
        let (mut reached, mut off, mut leading, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut least = f64::NAN;
        for (number, target) in THETAS.into_iter().enumerate() {
            let (theta, changed) = until(&mut lab, target, setup.schedule.total, inputs).await?;
            let Some((u, singular, _)) = svd(&base + changed) else { continue };
            let overlaps = pretrained.transpose() * u.columns(0, TOP);
            let best: Vec<f64> = overlaps.column_iter().map(|of| of.amax()).collect();
            let formula = if theta > 1.0 { theta + 1.0 / theta } else { 2.0 };
            reached.push(theta);
            off.push(singular[0] / SCALE - formula);
            leading.push(best[0]);
            counts.push(best.iter().filter(|&&cosine| cosine < ALIKE).count() as f64);
            if number == 0 {
                least = best.iter().copied().fold(f64::INFINITY, f64::min);
            }
        }
        Ok([leading, off, vec![least], reached, counts].concat())
    })
}

/// Train step by step until the change has this strength, or the schedule ends; the strength, and the change.
async fn until(lab: &mut Lab, target: f64, total: usize, inputs: &Inputs) -> crate::error::Result<(f64, DMatrix<f64>)> {
    loop {
        let changed = to_nalgebra(&change(lab, 0).await?);
        // Of rank 1, so that its norm is its only singular value.
        let theta = changed.norm() / SCALE;
        if theta >= target || lab.step() >= total {
            return Ok((theta, changed));
        }
        train(lab, 1, inputs).await?;
    }
}
