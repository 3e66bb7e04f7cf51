//! Ranks that are not fixed: DyLoRA's smaller ranks, and AdaLoRA's budget.

use super::floors::tail;
use super::runs::{change, domains, lora, placed, ranked, relative_loss, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity, shown};
use crate::config::{Config, Domains, Schedule, Spectrum};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::ranks::{cut_loss, in_use};
use crate::method::{ADALORA, DYLORA};
use crate::spectrum::singular_values;

/// Of both lanes, and of the true change.
const RANK: usize = 8;
const CUTS: [usize; 5] = [1, 2, 4, 6, 8];
/// Those at which a plain LoRA must be worse.
const JUDGED: usize = 3;
/// A direction of less than this share of the largest singular value is not in use.
const FAINT: f64 = 0.01;
const DEPTH: usize = 4;
/// Steps after which AdaLoRA is compared with LoRA.
const LONG: usize = 3_000;

pub fn all() -> Vec<Experiment> {
    vec![dylora(), adalora()]
}

fn dylora() -> Experiment {
    let task = Domains { domains: 1, true_rank: RANK, spectrum: Spectrum::Harmonic, ..Domains::default() };
    let setup = domains(task, vec![ranked(&DYLORA, RANK), lora(RANK)]);
    let kept = each(&CUTS, &|&r| near(format!("DyLoRA cut to {r}"), tail(r, RANK), 0.05));
    let cut = each(&CUTS, &|r| shown(format!("LoRA cut to {r}")));
    let worse = each(&CUTS[..JUDGED], &|r| quantity(format!("cut to {r}: LoRA − DyLoRA"), Expected::AtLeast(0.1)));
    Experiment {
        id: "dylora",
        setups: vec![Config { schedule: Schedule { warmup: 50, total: 2_000 }, ..setup }],
        quantities: [kept, cut, worse].concat(),
        measure: cuts,
        figure: Some(Figure {
            x: "directions kept",
            y: "loss, share of energy",
            columns: CUTS.map(|r| r.to_string()).to_vec(),
            series: vec![Series { name: "DyLoRA", first: 0 }, Series { name: "LoRA cut", first: CUTS.len() }],
            log: false,
        }),
    }
}

fn cuts(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let (dylora, plain) = (cut_shares(&lab, 0).await?, cut_shares(&lab, 1).await?);
        let worse = plain.iter().zip(&dylora).take(JUDGED).map(|(plain, dylora)| plain - dylora).collect();
        Ok([dylora, plain, worse].concat())
    })
}

/// Loss on the whole pool with the first few directions alone, as a share of the target's energy, at each of the cuts.
async fn cut_shares(lab: &Lab, lane: usize) -> Result<Vec<f64>> {
    let task = &lab.task;
    let (pool, params) = placed(lab, lane, task.x.clone(), task.sequence).await?;
    let how = lab.lane(lane).method.extras.cut.ok_or_else(|| Error::Missing {
        what: "factors to cut",
        name: lab.lane(lane).title(),
        hint: "the experiment needs lanes whose first directions can be looked at alone".into(),
    })?;
    let left = |&rank: &usize| cut_loss(task, &pool, (0, &how), &params, rank) * task.energy / task.pool_energy;
    Ok(CUTS.iter().map(left).collect())
}

fn adalora() -> Experiment {
    let to = |target: usize| ranked(&ADALORA, 8).with("target_rank", target);
    let one = |true_rank, spectrum| Domains { domains: 1, true_rank, spectrum, ..Domains::default() };
    let deep = Domains { dim: 32, depth: DEPTH, batch: 8, ..one(8, Spectrum::Harmonic) };
    let claims = vec![
        near("rank 4, budget 4: directions kept", 4.0, 0.0),
        quantity("rank 4, budget 4: loss", Expected::AtMost(0.001)),
        near("rank 4, budget 6: directions kept", 6.0, 0.0),
        near("rank 4, budget 6: directions in use", 4.0, 0.0),
        near("one layer: AdaLoRA − LoRA r4", 0.0, 0.005),
        near("four layers: directions kept", 16.0, 0.0),
        quantity("four layers: AdaLoRA − LoRA r4", Expected::AtMost(0.0)),
        shown("four layers: LoRA r4"),
    ];
    let layers = (1..=DEPTH).map(|layer| shown(format!("four layers: kept in layer {layer}"))).collect();
    let compared =
        |task| Config { schedule: Schedule { warmup: 50, total: LONG }, ..domains(task, vec![to(4), lora(4)]) };
    Experiment {
        id: "adalora",
        setups: vec![
            domains(one(4, Spectrum::Flat), vec![to(4), to(6)]),
            compared(one(16, Spectrum::Harmonic)),
            compared(deep),
        ],
        quantities: [claims, layers].concat(),
        measure: budgets,
        figure: None,
    }
}

fn budgets(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let mut values = vec![kept(&lab, 0, 0).await?, relative_loss(&lab, 0), kept(&lab, 1, 0).await?];
        let singular = singular_values(&change(&lab, 1).await?);
        values.push(singular.iter().filter(|&&s| s > FAINT * singular[0]).count() as f64);
        let lab = trained(&setups[1], inputs).await?.lab;
        values.push(relative_loss(&lab, 0) - relative_loss(&lab, 1));
        let lab = trained(&setups[2], inputs).await?.lab;
        let mut layers = Vec::new();
        for layer in 0..DEPTH {
            layers.push(kept(&lab, 0, layer).await?);
        }
        values.extend([layers.iter().sum(), relative_loss(&lab, 0) - relative_loss(&lab, 1), relative_loss(&lab, 1)]);
        values.extend(layers);
        Ok(values)
    })
}

/// Directions of a layer that were not pruned.
async fn kept(lab: &Lab, lane: usize, layer: usize) -> Result<f64> {
    let values = lab.tensor(lane, &format!("layers.{layer}.lora_E")).await?;
    Ok(in_use(&values) as f64)
}
