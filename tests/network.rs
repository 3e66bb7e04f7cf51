//! Networks in plain numbers and as recordings are the same networks.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{mean_of_tokens, one_layer, residual, three_layers, variants};
use lora_playground::config::Optimizer;
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::graph::Step;
use lora_playground::net::{compile, initial, share};
use lora_playground::rng::Rng;
use lora_playground::task::evaluate::{evaluate, frozen};
use lora_playground::tensor::widened;

/// Starts that are made of the frozen weight are rounded to f32, as it is.
const BOUND: f64 = 1e-5;

/// An untrained adapter changes nothing, so what a lane's recording makes of a batch is the frozen network's output.
#[test]
fn an_untrained_lane_is_the_frozen_network() {
    for task in [one_layer(), three_layers(), residual(), mean_of_tokens()] {
        let network = &task.network;
        let rows = widened(&task.x, (task.rows(), network.inputs()));
        let expected = evaluate(&task, network.output(), &rows, frozen(network, &task.base));
        for (name, lane) in variants() {
            let compiled = compile(&task, &lane, &Optimizer::default());
            let params = initial::params(&task, &lane, &compiled, 1, &mut Rng::new(1, 1));
            let (shared, (buffer, tensor)) = (share::<f64>(&task), compiled.output_tensor.clone());
            let last = task.batches - 1;
            let step = Step { x_row: shared.batch_row(last) as u32, ..Default::default() };
            let mut cpu = Cpu::<f64>::new(shared);
            cpu.set_lane(0, compiled, &params);
            cpu.run(0, Recording::Output, step);
            let got = tensor.gather(&cpu.values(0, buffer));
            let first = last * task.batch_rows();
            for (at, (got, expected)) in got.iter().zip(expected.rows().into_iter().skip(first).flatten()).enumerate() {
                assert!((got - expected).abs() < BOUND, "{name}: {got} instead of {expected} at {at}");
            }
        }
    }
}
