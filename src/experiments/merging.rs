//! Merging: exact for LoRA, of five kinds and none exact for a mixture.

use ndarray::{Array2, Axis};

use super::runs::{answer, apart, domains, largest, lora, molora, trained};
use super::start::ROUNDING;
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, near, quantity};
use crate::config::{Config, Domains};
use crate::error::{Error, Result};
use crate::inspect::merge::{Experts, Observed};
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::protocol::MergeMode;
use crate::task::Targets;

/// Tokens on which the merge for one token's own gate is checked.
const TOKENS: usize = 64;
/// Experts and rank.
const SIZE: (usize, usize) = (4, 2);

pub fn all() -> Vec<Experiment> {
    vec![single(), mixture()]
}

fn single() -> Experiment {
    Experiment {
        id: "lora-merge",
        setups: vec![domains(Domains::default(), vec![lora(8)])],
        quantities: vec![quantity("relative difference", Expected::AtMost(ROUNDING))],
        measure: merged_lora,
        figure: None,
    }
}

fn merged_lora(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let change = experts(&lab, (1, 8)).await?.weighted(ndarray::array![1.0].view()).mapv(|v| v as f32);
        let dim = lab.task.network.inputs();
        let merged = Array2::from_shape_fn((dim, dim), |(o, i)| lab.task.base[0].weight[o * dim + i] + change[[o, i]]);
        let x = Array2::from_shape_fn((lab.task.rows(), dim), |(r, c)| lab.task.x[r * dim + c]);
        let merged: Vec<f32> = x.dot(&merged.t()).iter().copied().collect();
        let adapted = answer(&lab, 0, lab.task.x.clone(), lab.task.sequence).await?.output;
        Ok(vec![apart(&merged, &adapted) / largest(&adapted)])
    })
}

/// The factors of lane 0, `(count, rank)` of them.
async fn experts(lab: &Lab, size: (usize, usize)) -> Result<Experts> {
    let layer = &lab.task.network.sites()[0];
    let (a, b) = (lab.tensor(0, "layers.0.lora_A").await?, lab.tensor(0, "layers.0.lora_B").await?);
    let scaling = (lab.lane(0).method.scaling)(&lab.lane(0).settings);
    Experts::new(size, (layer.inputs, layer.outputs), &a, &b, scaling)
}

fn mixture() -> Experiment {
    Experiment {
        id: "merges",
        setups: vec![domains(Domains::default(), vec![molora(SIZE.0, SIZE.1)])],
        quantities: vec![
            quantity("(a) own gate, its token", Expected::AtMost(ROUNDING)),
            near("routed", 0.067, 0.025),
            near("(b) mean gate", 0.749, 0.005),
            near("(c) mean gate per task", 0.0065, 0.005),
            near("(d) top expert per task", 0.0001, 0.001),
            near("(e) least squares", 0.75, 0.005),
        ],
        measure: merged_mixture,
        figure: Some(Figure {
            x: "merge",
            y: "loss, share of energy",
            columns: ["routed", "(b)", "(c)", "(d)", "(e)"].map(String::from).to_vec(),
            series: vec![Series { name: "MoLoRA 4×2", first: 1 }],
            log: false,
        }),
    }
}

fn merged_mixture(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let task = &lab.task;
        let dim = task.network.inputs();
        let read = answer(&lab, 0, task.x.clone(), task.sequence).await?;
        let gates = read.gates.first().map(|g| matrix(&g.values, g.experts)).ok_or_else(|| missing("gates"))?;
        let Targets::Dense(y) = &task.y else { return Err(missing("dense targets")) };
        let x = matrix(&task.x, dim);
        let base = x.dot(&matrix(&task.base[0].weight, dim).t());
        let wanted = matrix(y, dim) - &base;
        let adapted = matrix(&read.output, dim) - &base;
        let experts = experts(&lab, SIZE).await?;
        let squares = |values: &Array2<f64>| values.iter().map(|v| v * v).sum::<f64>();
        let left = |change: Array2<f64>| squares(&(change - &wanted)) / squares(&wanted);

        let domains = task.domain_names.len();
        let observed = Observed { x: &x, gates: &gates, row_domains: &task.row_domains, domains };
        let top = read.output.iter().fold(0.0, |worst, v| f64::max(worst, f64::from(*v).abs()));
        let mut off = 0.0;
        for token in 0..TOKENS {
            let one = x.select(Axis(0), &[token]);
            let merged = experts.merge(MergeMode::PerInput, observed, token)?.output(&one, &[0]);
            let pairs = merged.iter().zip(adapted.row(token));
            off = pairs.fold(off, |worst, (m, a)| f64::max(worst, (m - a).abs()));
        }
        let mut values = vec![off / top, left(experts.routed(&x, &gates))];
        for mode in
            [MergeMode::MeanGate, MergeMode::MeanGatePerDomain, MergeMode::TopExpertPerDomain, MergeMode::LeastSquares]
        {
            values.push(left(experts.merge(mode, observed, 0)?.output(&x, &task.row_domains)));
        }
        Ok(values)
    })
}

fn missing(what: &'static str) -> Error {
    Error::Missing { what, name: "merges".into(), hint: "the experiment needs a mixture on a regression".into() }
}
