//! Multiply-adds by formula are those of the recorded passes.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{lora, molora, three_layers};
use lora_playground::config::{Domains, Lane, Optimizer};
use lora_playground::graph::Pass;
use lora_playground::method::FULL;
use lora_playground::method::cost::cost;
use lora_playground::net::compile;
use lora_playground::op::cross_entropy::CROSS_ENTROPY;
use lora_playground::op::gate::{GATE_BACKWARD, GATE_FORWARD};
use lora_playground::op::gelu::GELU;
use lora_playground::op::layer::{LAYER_BACKWARD, LAYER_FORWARD};
use lora_playground::op::pad;
use lora_playground::op::project::PROJECT;
use lora_playground::op::weight_grad::WEIGHT_STEP;
use lora_playground::task::{Network, TaskData, domains};

/// Multiply-adds of one pass; padding counts, so widths should have none.
fn multiply_adds(pass: &Pass) -> u32 {
    if let Some(d) = PROJECT.dims(pass) {
        d.tokens * d.inner * d.outputs
    } else if let Some(d) = LAYER_FORWARD.dims(pass) {
        let dense = if d.base_cached == 0 || d.dense == 1 { d.inputs } else { 0 };
        d.tokens * d.outputs * (dense + d.slots)
    } else if let Some(d) = LAYER_BACKWARD.dims(pass) {
        d.tokens * d.inputs * (d.outputs + d.slots)
    } else if let Some(d) = GATE_FORWARD.dims(pass) {
        d.tokens * d.inner * (d.slots + d.logits)
    } else if let Some(d) = GATE_BACKWARD.dims(pass) {
        d.tokens * d.inner * d.slots
    } else if let Some(d) = WEIGHT_STEP.dims(pass) {
        d.rows * d.elements()
    } else {
        assert!([&*GELU, &*CROSS_ENTROPY].contains(&pass.kernel), "{pass:?} is not counted here");
        0
    }
}

/// Per token of a step; `cached` of the first layer's own product are made once, before training.
fn recorded(task: &TaskData, lane: &Lane) -> usize {
    let compiled = compile(task, lane, &Optimizer::default());
    let tokens = pad(task.batch_rows());
    let sum: u32 = compiled.train.iter().map(multiply_adds).sum();
    assert_eq!(sum as usize % tokens, 0);
    sum as usize / tokens
}

#[test]
fn training_costs_what_its_passes_do() {
    let one = domains(&Domains { dim: 32, ..Domains::default() }, 1).unwrap();
    let three = TaskData { network: Network::stack(&[16, 24, 8, 16]), ..three_layers() };
    for task in [&one, &three] {
        let layers = task.network.sites();
        for lane in [lora(8, 8.0), molora(8, 2, 4.0)] {
            let expected = cost(&lane, layers, &[], task.sequence).training;
            let cached = layers[0].inputs * layers[0].outputs;
            assert_eq!(recorded(task, &lane) + cached, expected, "{lane:?} on {layers:?}");
        }
        // A full lane applies its change beside the cached product, so nothing of it is saved.
        let full = Lane::from(&FULL);
        assert_eq!(recorded(task, &full), cost(&full, layers, &[], task.sequence).training);
    }
}
