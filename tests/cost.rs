//! Multiply-adds by formula are those of the recorded passes.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::three_layers;
use lora_playground::adapter::cost::cost;
use lora_playground::config::{Domains, Lane, Method, Optimizer};
use lora_playground::graph::Pass;
use lora_playground::model::compile;
use lora_playground::op::cross_entropy::CROSS_ENTROPY;
use lora_playground::op::gate::{GATE_BACKWARD, GATE_FORWARD};
use lora_playground::op::gelu::GELU;
use lora_playground::op::layer::{LAYER_BACKWARD, LAYER_FORWARD};
use lora_playground::op::pad;
use lora_playground::op::project::PROJECT;
use lora_playground::op::weight_grad::WEIGHT_STEP;
use lora_playground::task::{TaskData, domains};

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
    let program = compile(task, lane, &Optimizer::default());
    let tokens = pad(task.batch_rows());
    let sum: u32 = program.train.iter().map(multiply_adds).sum();
    assert_eq!(sum as usize % tokens, 0);
    sum as usize / tokens
}

#[test]
fn training_costs_what_its_passes_do() {
    let one = domains(&Domains { dim: 32, ..Domains::default() }, 1).unwrap();
    let mut three = three_layers();
    for (layer, (inputs, outputs)) in three.layers.iter_mut().zip([(16, 24), (24, 8), (8, 16)]) {
        (layer.inputs, layer.outputs) = (inputs, outputs);
    }
    for task in [&one, &three] {
        let layers: Vec<_> = task.layers.iter().map(|l| (l.inputs, l.outputs)).collect();
        let lora = Method::Lora { rank: 8, alpha: 8.0, rslora: false };
        let mut molora = Method::molora();
        if let Method::Molora { experts, rank, .. } = &mut molora {
            (*experts, *rank) = (8, 2);
        }
        for method in [lora, molora] {
            let expected = cost(&method.clone().into(), &layers, task.sequence).training;
            let cached = layers[0].0 * layers[0].1;
            assert_eq!(recorded(task, &method.clone().into()) + cached, expected, "{method:?} on {layers:?}");
        }
        // A full lane applies its change beside the cached product, so nothing of it is saved.
        assert_eq!(recorded(task, &Method::Full.into()), cost(&Method::Full.into(), &layers, task.sequence).training);
    }
}
