//! Floors of the loss that no training can go below: of rank, and of a single weight for several tasks.

use super::runs::{domains, lora, molora, mor1e, relative_losses, trained};
use super::{Experiment, Figure, Inputs, Measuring, Series, each, near};
use crate::config::{Config, Domains, Spectrum};
use crate::method::FULL;

const RANKS: [usize; 5] = [1, 2, 4, 8, 16];
const TRUE_RANK: usize = 16;

pub fn all() -> Vec<Experiment> {
    vec![rank_floor(), static_floor(), routed(), size_matched()]
}

/// `Σ_{i>r} i⁻² / Σ_i i⁻²` over so many singular values `1/i`.
pub fn tail(rank: usize, count: usize) -> f64 {
    let energy = |from: usize| (from..=count).map(|i| 1.0 / (i * i) as f64).sum::<f64>();
    energy(rank + 1) / energy(1)
}

fn rank_floor() -> Experiment {
    let task = Domains { domains: 1, true_rank: TRUE_RANK, spectrum: Spectrum::Harmonic, ..Domains::default() };
    Experiment {
        id: "rank-floor",
        setups: vec![domains(task, RANKS.map(lora).to_vec())],
        quantities: each(&RANKS, &|&r| near(format!("LoRA r{r}"), tail(r, TRUE_RANK), 0.005)),
        measure: all_lanes,
        figure: Some(Figure {
            x: "rank",
            y: "loss, share of energy",
            columns: RANKS.iter().map(ToString::to_string).collect(),
            series: vec![Series { name: "LoRA", first: 0 }],
            log: false,
        }),
    }
}

fn static_floor() -> Experiment {
    let task = Domains { true_rank: 8, ..Domains::default() };
    Experiment {
        id: "static-floor",
        setups: vec![domains(task, vec![(&FULL).into(), lora(8), lora(2)])],
        quantities: vec![near("full", 0.75, 0.005), near("LoRA r8", 0.75, 0.005), near("LoRA r2", 0.9375, 0.005)],
        measure: all_lanes,
        figure: None,
    }
}

fn routed() -> Experiment {
    let lanes = vec![molora(4, 2), mor1e(8, "token"), mor1e(4, "token")];
    Experiment {
        id: "routed-floor",
        setups: vec![domains(Domains::default(), lanes)],
        quantities: vec![
            near("MoLoRA 4×2", 0.067, 0.025),
            near("MoR1E 8, token gate", 0.067, 0.025),
            near("MoR1E 4, token gate", 0.53, 0.03),
        ],
        measure: all_lanes,
        figure: Some(Figure {
            x: "lane",
            y: "loss, share of energy",
            columns: ["MoLoRA 4×2", "MoR1E 8", "MoR1E 4"].map(String::from).to_vec(),
            series: vec![Series { name: "measured", first: 0 }],
            log: false,
        }),
    }
}

/// 4·2·128 + 4·64 parameters on a layer of width 64, exactly those of a LoRA of rank 10.
fn size_matched() -> Experiment {
    let tasks = [
        Domains::default(),
        Domains { conflict: false, ..Domains::default() },
        Domains { domains: 1, true_rank: 8, ..Domains::default() },
    ];
    Experiment {
        id: "equal-size",
        setups: tasks.map(|task| domains(task, vec![lora(10), molora(4, 2)])).to_vec(),
        quantities: vec![
            near("shared directions: LoRA r10", 0.75, 0.005),
            near("shared directions: MoLoRA 4×2", 0.067, 0.025),
            near("own directions: LoRA r10", 0.75, 0.005),
            near("own directions: MoLoRA 4×2", 0.067, 0.025),
            near("one task: LoRA r10", 0.0, 0.005),
            near("one task: MoLoRA 4×2", 0.0, 0.005),
        ],
        measure: all_lanes,
        figure: None,
    }
}

/// The share that every lane of every set-up is left with.
pub fn all_lanes(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut left = Vec::new();
        for config in &setups {
            left.extend(relative_losses(&trained(config, inputs).await?.lab));
        }
        Ok(left)
    })
}
