//! Layer-wise allocation: whether it matters where in a network its experts are.

use super::runs::{domains, molora, relative_losses, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, quantity, shown};
use crate::config::{Config, Domains};

/// Experts by layer, lowest first; twenty in each.
const PATTERNS: [(&str, [usize; 4]); 5] = [
    ("uniform 5-5-5-5", [5, 5, 5, 5]),
    ("hourglass 8-2-2-8", [8, 2, 2, 8]),
    ("triangle 2-4-6-8", [2, 4, 6, 8]),
    ("inverted 8-6-4-2", [8, 6, 4, 2]),
    ("diamond 2-8-8-2", [2, 8, 8, 2]),
];
const HOURGLASS: usize = 1;
/// What the paper found ahead of it.
const AHEAD: [(&str, usize); 2] = [("triangle", 2), ("diamond", 4)];

pub fn all() -> Vec<Experiment> {
    let lanes = PATTERNS.map(|(_, experts)| molora(5, 2).with("experts_per_layer", experts.to_vec()));
    let gains = each(&AHEAD, &|(name, _)| quantity(format!("hourglass − {name}"), Expected::AtLeast(0.0)));
    vec![Experiment {
        id: "allocation",
        setups: vec![domains(Domains { dim: 32, depth: 4, ..Domains::default() }, lanes.to_vec())],
        quantities: [each(&PATTERNS, &|(name, _)| shown(*name)), gains].concat(),
        measure: allocated,
        figure: Some(Figure {
            x: "allocation",
            y: "loss, share of energy",
            columns: ["uniform", "hourglass", "triangle", "inverted", "diamond"].map(String::from).to_vec(),
            series: vec![Series { name: "MoLoRA, 20 experts of rank 2", first: 0 }],
            log: false,
        }),
    }]
}

fn allocated(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let losses = relative_losses(&trained(&setups[0], inputs).await?.lab);
        let gains = AHEAD.map(|(_, lane)| losses[HOURGLASS] - losses[lane]);
        Ok(losses.into_iter().chain(gains).collect())
    })
}
