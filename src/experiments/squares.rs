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
        title: "A square matrix instead of two thin ones",
        claim: "At equal size MoRA's square matrix holds more of a change of high rank than LoRA can, and less of one of low rank.",
        source: "MoRA, arXiv 2405.12130; the numbers: methods",
        setups: setups.to_vec(),
        method: "1,024 parameters in both lanes; one task whose true change has rank 8, 16, 32 or 63 with equal singular values.",
        prediction: "LoRA keeps its 8 of k equal singular values: 1 − 8/k. MoRA's change repeats M in blocks, ΔW[o,i] = M[o mod 32, i mod 32], a space of 1,024 among 4,096 dimensions that knows nothing of the true change, so it keeps a quarter whatever the rank, less a hundredth for what it makes of the inputs' mean: 0.755. They cross at k = 32. On the pool both floors are computed exactly: the Eckart–Young tail of T·L with LLᵀ the inputs' second moments, and M = (EᵀE)⁻¹EᵀTCFᵀ(FCFᵀ)⁻¹ for tiling E and fold F.",
        quantities: [low, square, TRUE_RANKS.map(off).concat(), gain].concat(),
        measure: both,
        otherwise: "A quarter is kept on average over true changes; of one of rank 8 the share depends on how few random directions fold, and varies from seed to seed by more than the tolerance. The floors on the pool, which know the seed's directions, are met all the same. And a pool of 16,384 tokens does not weigh all directions equally; a LoRA picks those that weigh most, which gains it more the more there are to choose from.",
        remark: "MoRA's gain is one of chance: no more is kept than the share of dimensions it has. A change that is low rank, as LoRA supposes, is where it loses.",
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
