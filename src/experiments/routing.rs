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
        title: "One gate per sequence, or per token",
        claim: "A gate for the whole sequence is the better one where a sequence is of one task, and fails where it mixes tasks.",
        source: "methods; MoR1E, arXiv 2404.08985",
        setups: vec![
            domains(Domains::default(), lanes()),
            domains(Domains { mixed: true, ..Domains::default() }, lanes()),
        ],
        method: "MoR1E with 8 experts, sequences of 8 tokens.",
        prediction: "Float64 prototype: the mean of 8 tokens tells the task almost surely, one token only nearly. In a mixed sequence one gate must serve about four tasks at once, hence stays near the floor of a single weight.",
        quantities: vec![
            near("pure: pooled gate", 0.0, 0.005),
            near("pure: token gate", 0.059, 0.025),
            near("mixed: pooled gate", 0.685, 0.025),
            near("mixed: token gate", 0.072, 0.025),
        ],
        measure: all_lanes,
        otherwise: "The numbers are those of a prototype with starts and data of its own. A token gate that sharpens further than the prototype's leaks less and ends below its number, which leaves the comparison of the two gates as it is.",
        remark: "",
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
        title: "All experts, or the best one or two",
        claim: "Soft routing is better than keeping only the top expert or the top two.",
        source: "MoLoRA, arXiv 2309.05444 (its comparison of soft and discrete routing)",
        setups: vec![domains(Domains::default(), vec![molora(4, 2), lane(2, false), lane(1, false), lane(2, true)])],
        method: "MoLoRA 4×2 on four conflicting tasks, one per sequence; soft, top 2 and top 1 with gates as they are, and top 2 with gates made to sum to 1, as Mixtral and MixLoRA do.",
        prediction: "If the claim holds, each loss minus that of soft routing is at least 0.",
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
        otherwise: "Each token here belongs to one task, and every gate given to another task's expert adds error. Cutting small gates off removes that leak; language does not fall into four clean tasks.",
        remark: "A large spread means that on some seeds an expert was left without a task and two tasks share another: top-k gives an expert that is not chosen no gradient, so that such a start is not mended. Where a seed trains well, the differences are small.",
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
