//! Gates: how fine they are, and how many experts they keep.

use super::floors::all_lanes;
use super::runs::{domains, molora, mor1e, relative_loss, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, near, quantity, shown};
use crate::config::{Config, Domains};

pub fn all() -> Vec<Experiment> {
    vec![granularity(), sparse()]
}

fn granularity() -> Experiment {
    let lanes = || vec![mor1e(8, "pooled"), mor1e(8, "token")];
    Experiment {
        id: "gate-granularity",
        setups: vec![
            domains(Domains::default(), lanes()),
            domains(Domains { mixed: true, ..Domains::default() }, lanes()),
        ],
        quantities: vec![
            near("pure: pooled gate", 0.0, 0.005),
            near("pure: token gate", 0.059, 0.025),
            near("mixed: pooled gate", 0.685, 0.025),
            near("mixed: token gate", 0.072, 0.025),
        ],
        measure: all_lanes,
        figure: Some(Figure {
            x: "gate",
            y: "loss, share of energy",
            columns: ["pooled", "token"].map(String::from).to_vec(),
            series: vec![Series { name: "pure sequences", first: 0 }, Series { name: "mixed sequences", first: 2 }],
            log: false,
        }),
    }
}

fn sparse() -> Experiment {
    let lane = |top_k: usize, renormalize: bool| molora(4, 2).with("top_k", top_k).with("renormalize", renormalize);
    Experiment {
        id: "top-k",
        setups: vec![domains(Domains::default(), vec![molora(4, 2), lane(2, false), lane(1, false), lane(2, true)])],
        quantities: vec![
            shown("soft"),
            shown("top 2"),
            shown("top 1"),
            shown("top 2, renormalised"),
            quantity("top 2 − soft", Expected::AtLeast(0.0)),
            quantity("top 1 − soft", Expected::AtLeast(0.0)),
            quantity("top 2 renormalised − soft", Expected::AtLeast(0.0)),
        ],
        measure: sparse_lanes,
        figure: Some(Figure {
            x: "routing",
            y: "loss, share of energy",
            columns: ["soft", "top 2", "top 1", "top 2, renorm."].map(String::from).to_vec(),
            series: vec![Series { name: "MoLoRA 4×2", first: 0 }],
            log: false,
        }),
    }
}

fn sparse_lanes(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let [soft, two, one, renormalised] = [0, 1, 2, 3].map(|lane| relative_loss(&lab, lane));
        Ok(vec![soft, two, one, renormalised, two - soft, one - soft, renormalised - soft])
    })
}
