//! Sizes: what each method trains, by formula and in the buffers.

use super::runs::{config, lora, molora, mor1e};
use super::{Expected, Experiment, Inputs, Measuring, near, quantity};
use crate::config::{Config, Domains, Schedule, Task};
use crate::method::FULL;
use crate::method::match_size::lane_count;
use crate::net::compile;
use crate::order::distinct;
use crate::task::domains;
use crate::task::network::LinearSite;

/// Width of a language model's layer; nothing of that size is allocated.
const WIDE: usize = 4096;

pub fn all() -> Vec<Experiment> {
    let lanes =
        vec![(&FULL).into(), lora(8), lora(7), molora(4, 2), molora(9, 3), mor1e(4, "pooled"), mor1e(8, "token")];
    let task = Domains { dim: 60, ..Domains::default() };
    vec![Experiment {
        id: "sizes",
        setups: vec![config(Task::Domains(task), lanes, Schedule { warmup: 0, total: 1 })],
        quantities: vec![
            quantity("largest formula − buffers", Expected::AtMost(0.0)),
            near("gate of MoR1E-4 at d = 4,096", 2_363_396.0, 0.0),
            near("MoR1E-4 over LoRA r8 in size", 36.6, 0.05),
        ],
        measure: counted,
        figure: None,
    }]
}

fn counted(setups: Vec<Config>, _: u32, _: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let setup = &setups[0];
        let Task::Domains(task) = &setup.task else { return Ok(vec![]) };
        let data = domains(task, setup.seed.into())?;
        let difference = setup.lanes.iter().map(|lane| {
            let compiled = compile(&data, lane, &setup.optimizer);
            let places = distinct(compiled.tensors().flat_map(|t| t.positions()).collect());
            places.len().abs_diff(lane_count(lane, data.network.sites()))
        });
        let worst = difference.max().unwrap_or(0);
        let wide = LinearSite::plain(&[(WIDE, WIDE)]);
        let mixture = lane_count(&mor1e(4, "pooled"), &wide);
        // Four pairs of vectors; the rest is the gate.
        let experts = 4 * 2 * WIDE;
        let ratio = mixture as f64 / lane_count(&lora(8), &wide) as f64;
        Ok(vec![worst as f64, (mixture - experts) as f64, ratio])
    })
}
