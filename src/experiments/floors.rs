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
        title: "What rank costs",
        claim: "A LoRA of rank r loses exactly what the best rank-r approximation of the needed change loses.",
        source: "Eckart and Young 1936; LoRA, arXiv 2106.09685",
        setups: vec![domains(task, RANKS.map(lora).to_vec())],
        method: "One task whose true change has 16 singular values 1/i. Loss as a share of the target's energy, mean over the last pass through the data.",
        prediction: "The energy of the singular values beyond the r largest, over that of all: Σ_{i>r} i⁻² / Σ i⁻².",
        quantities: each(&RANKS, &|&r| near(format!("LoRA r{r}"), tail(r, TRUE_RANK), 0.005)),
        measure: all_lanes,
        otherwise: "Above the floor, training has not converged; below it, the loss would be measured wrongly.",
        remark: "",
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
        title: "What one weight cannot do",
        claim: "On D conflicting tasks no single weight, full fine-tuning included, gets below 1 − 1/D of the energy.",
        source: "methods",
        setups: vec![domains(task, vec![(&FULL).into(), lora(8), lora(2)])],
        method: "Four tasks that read the same 8 input directions and write to orthogonal outputs.",
        prediction: "The best single weight is the mean of the four changes, which leaves 1 − 1/4. Rank 2 keeps 2 of the mean's 8 equal singular values: 1 − (2/8)/4. A pool of 16,384 tokens can be fitted a little better than its expectation, by less than the tolerance.",
        quantities: vec![near("full", 0.75, 0.005), near("LoRA r8", 0.75, 0.005), near("LoRA r2", 0.9375, 0.005)],
        measure: all_lanes,
        otherwise: "Above the floor, training has not converged.",
        remark: "",
        figure: None,
    }
}

fn routed() -> Experiment {
    let lanes = vec![molora(4, 2), mor1e(8, "token"), mor1e(4, "token")];
    Experiment {
        id: "routed-floor",
        title: "What routing adds",
        claim: "A mixture whose gate reads the input goes below that floor, as far as its gate can tell the tasks and its experts have directions.",
        source: "methods; MoLoRA, arXiv 2309.05444; MoR1E, arXiv 2404.08985",
        setups: vec![domains(Domains::default(), lanes)],
        method: "Four tasks of rank 2: eight output directions are needed.",
        prediction: "Eight directions would reach 0 with perfect gates; gates that see one noisy token leak, to 0.067 in a float64 prototype. Four experts of rank 1 have half the directions: 0.5 at best, 0.53 in the prototype.",
        quantities: vec![
            near("MoLoRA 4×2", 0.067, 0.025),
            near("MoR1E 8, token gate", 0.067, 0.025),
            near("MoR1E 4, token gate", 0.53, 0.03),
        ],
        measure: all_lanes,
        otherwise: "A gate may settle on a division of labour that serves two tasks with one expert.",
        remark: "",
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
        title: "A mixture or one larger LoRA",
        claim: "At equal size a mixture of LoRAs beats one LoRA where tasks conflict, and gains nothing where there is one task.",
        source: "methods; MixLoRA, arXiv 2404.15159; MoLoRA, arXiv 2309.05444",
        setups: tasks.map(|task| domains(task, vec![lora(10), molora(4, 2)])).to_vec(),
        method: "1,280 parameters in both lanes. Four tasks that read the same directions; four that read directions of their own; one task of rank 8.",
        prediction: "The floor 1 − 1/4 holds for directions of their own too, since every task's inputs fill all directions. A mixture errs by Σ (gᵢ − g*ᵢ)² of the energy in both cases, so its leak is the same, 0.067. One task of rank 8 is within reach of both: 0.",
        quantities: vec![
            near("shared directions: LoRA r10", 0.75, 0.005),
            near("shared directions: MoLoRA 4×2", 0.067, 0.025),
            near("own directions: LoRA r10", 0.75, 0.005),
            near("own directions: MoLoRA 4×2", 0.067, 0.025),
            near("one task: LoRA r10", 0.0, 0.005),
            near("one task: MoLoRA 4×2", 0.0, 0.005),
        ],
        measure: all_lanes,
        otherwise: "A gate may settle on a division of labour that serves two tasks with one expert; soft gates that vary with the input cannot add up to one constant weight.",
        remark: "",
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
