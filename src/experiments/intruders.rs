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
        title: "Intruder dimensions",
        claim: "LoRA puts a singular vector into a weight that is like none of the pretrained ones only once its change is stronger than the spike threshold.",
        source: "Shuttleworth et al., arXiv 2410.21228; the threshold: Benaych-Georges and Nadakuditi, arXiv 1103.2221",
        setups: vec![domains(Domains { dim: WIDTH, domains: 1, true_rank: 1, ..Domains::default() }, vec![lora(1)])],
        method: "One task of rank 1 at width 128, LoRA of rank 1, looked at in mid-training when its change reaches strength θ (its singular value over the frozen weight's entry deviation times √width, 0.25): 0.5, 2 and 3.9. The best cosine is a left singular vector's largest with any of the frozen weight's 128; below 0.5 it is an intruder.",
        prediction: "Below θ = 1 the leading vector stays the frozen weight's own: best cosine at least 0.5, for all of the first ten. Above, it is the change's, at θ + 1/θ (in units of 0.25) with overlap 1 − 1/θ²; a random direction's best cosine with 128 others is about √(2 ln 128 / 128) = 0.28, so at most 0.5. Tolerance 0.15 for the finite width.",
        quantities: [alike, off, least, reached, found].concat(),
        measure: intruded,
        otherwise: "Width 128 is not infinite, and a vector of the bulk that lies between two of the frozen weight's is half of each.",
        remark: "The paper sees intruders with LoRA and not with full fine-tuning; in one layer whose change has rank 1 both learn the same change, so the threshold is the whole of the matter here.",
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
