//! MoRA: a square matrix of high rank against two thin ones of the same size.

use super::best::Need;
use super::runs::{domains, lora, product, ranked, relative_loss, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity};
use crate::config::{Config, Domains};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::forward::matrix;
use crate::method::MORA;

/// Of the LoRA whose 1,024 parameters on a layer of width 64 are a square of side 32.
const RANK: usize = 8;
/// The last leaves one direction to the inputs' mean.
const TRUE_RANKS: [usize; 4] = [8, 16, 32, 63];

pub fn all() -> Vec<Experiment> {
    let setups = TRUE_RANKS.map(|true_rank| {
        domains(Domains { domains: 1, true_rank, ..Domains::default() }, vec![lora(RANK), ranked(&MORA, RANK)])
    });
    let low = each(&TRUE_RANKS, &|&k| near(format!("rank {k}: LoRA r8"), 1.0 - RANK as f64 / k as f64, 0.02));
    let square = each(&TRUE_RANKS, &|k| near(format!("rank {k}: MoRA"), 0.755, 0.02));
    let off = |k: usize| {
        each(&["LoRA", "MoRA"], &|lane| near(format!("rank {k}: {lane} − its floor on the pool"), 0.0, 0.005))
    };
    let gain = vec![
        quantity("rank 16: LoRA − MoRA", Expected::AtMost(-0.1)),
        quantity("rank 63: LoRA − MoRA", Expected::AtLeast(0.05)),
    ];
    vec![Experiment {
        id: "mora",
        setups: setups.to_vec(),
        quantities: [low, square, TRUE_RANKS.map(off).concat(), gain].concat(),
        measure: both,
        figure: Some(Figure {
            x: "rank of the true change",
            y: "loss, share of energy",
            columns: TRUE_RANKS.map(|k| k.to_string()).to_vec(),
            series: vec![Series { name: "LoRA r8", first: 0 }, Series { name: "MoRA", first: TRUE_RANKS.len() }],
            log: false,
        }),
    }]
}

fn both(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut low, mut square, mut off) = (Vec::new(), Vec::new(), Vec::new());
        for setup in &setups {
            let lab = trained(setup, inputs).await?.lab;
            let need = need(&lab)?;
            let [thin, wide] = [0, 1].map(|lane| relative_loss(&lab, lane));
            off.push(thin - need.low_rank(RANK) / need.energy());
            off.push(wide - need.square(product(&lab, 1)?.rank) / need.energy());
            low.push(thin);
            square.push(wide);
        }
        let gains = [1, 3].map(|at| low[at] - square[at]).to_vec();
        Ok([low, square, off, gains].concat())
    })
}

/// The true change of the only task, on its pool.
pub fn need(lab: &Lab) -> Result<Need> {
    let change = lab.task.teacher.as_ref().and_then(|changes| changes.first()).ok_or_else(|| Error::Missing {
        what: "true change",
        name: "teacher".into(),
        hint: "the experiment needs a task of one layer".into(),
    })?;
    Ok(Need::new(change, &matrix(&lab.task.x, lab.task.network.inputs())))
}
