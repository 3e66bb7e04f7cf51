//! Multiply-adds by formula are those of the recorded passes.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::three_layers;
use lora_playground::adapter::cost::cost;
use lora_playground::config::{Domains, Lane, Method, Optimizer};
use lora_playground::kernel::{Op, pad};
use lora_playground::net::compile;
use lora_playground::task::{Network, TaskData, domains};

/// Multiply-adds of one pass; padding counts, so widths should have none.
fn multiply_adds(op: &Op) -> u32 {
    match op {
        Op::Project(d) => d.tokens * d.inner * d.outputs,
        Op::LayerForward(d) => {
            let dense = if d.base_cached == 0 || d.dense == 1 { d.inputs } else { 0 };
            d.tokens * d.outputs * (dense + d.slots)
        }
        Op::LayerBackward(d) => d.tokens * d.inputs * (d.outputs + d.slots),
        Op::GateForward(d) => d.tokens * d.inner * (d.slots + d.logits),
        Op::GateBackward(d) => d.tokens * d.inner * d.slots,
        Op::WeightStep(d) => d.rows * d.elements(),
        Op::Gelu(_) | Op::CrossEntropy(_) => 0,
        other => panic!("{other:?} is not counted here"),
    }
}

/// Per token of a step; `cached` of the first layer's own product are made once, before training.
fn recorded(task: &TaskData, lane: &Lane) -> usize {
    let compiled = compile(task, lane, &Optimizer::default());
    let tokens = pad(task.batch_rows());
    let sum: u32 = compiled.train.iter().map(|pass| multiply_adds(&pass.op)).sum();
    assert_eq!(sum as usize % tokens, 0);
    sum as usize / tokens
}

#[test]
fn training_costs_what_its_passes_do() {
    let one = domains(&Domains { dim: 32, ..Domains::default() }, 1).unwrap();
    let three = TaskData { network: Network::stack(&[16, 24, 8, 16]), ..three_layers() };
    for task in [&one, &three] {
        let layers: Vec<_> = task.network.sites().iter().map(|l| (l.inputs, l.outputs)).collect();
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
