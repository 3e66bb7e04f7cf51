//! A text read as it goes on against the same text read at once, on the CPU and by the shaders.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{language_model, mor1e, random_params};
use common::language::close;
use common::on;
use lora_playground::config::{Lane, Named, Optimizer, SavedModule};
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::exec::gpu::Gpu;
use lora_playground::graph::{Step, Target};
use lora_playground::lab::forward::on as on_rows;
use lora_playground::net::{compile, continuation, share};
use lora_playground::op::PAD;
use pollster::block_on;

const SEQUENCE: usize = 24;

/// A text read block by block, with what came before in caches, has the logits of the text read at once, on every backend.
#[test]
fn a_text_that_goes_on_is_read_as_a_whole() {
    let task = language_model((1, SEQUENCE));
    let tokens = task.x.clone();
    let (whole, blocks) = (on_rows(&task, tokens.clone(), (1, SEQUENCE)), on_rows(&task, tokens, (1, PAD)));
    let lane = Lane { modules_to_save: SavedModule::ALL.to_vec(), ..mor1e(4, 1.5, "running") };
    let compiled = continuation(&blocks, &lane);
    let mut params = random_params(&compiled, 4);
    params.iter_mut().for_each(|value| *value *= 0.2);
    let mut cpu = Cpu::<f32>::new(share(&whole));
    cpu.set_lane(0, compile(&whole, &lane, &Optimizer::default()), &params);
    cpu.run(0, Recording::Output, Step::default());
    let (output, tensor) = cpu.compiled(0).output_tensor.clone();
    let expected: Vec<f64> = tensor.gather(&cpu.read(0, output)).iter().map(|&v| v.into()).collect();
    let (output, tensor) = compiled.output_tensor.clone();
    let steps = || (0..SEQUENCE as u32).step_by(PAD).map(|x_row| Step { x_row, ..Step::default() });
    let mut cpu = Cpu::<f32>::new(share(&blocks));
    cpu.set_lane(0, compiled.clone(), &params);
    let got = steps().flat_map(|step| {
        cpu.run(0, Recording::Output, step);
        tensor.gather(&cpu.read(0, output))
    });
    close("cpu", &got.collect::<Vec<_>>(), &expected, 1e-4, 0.0);
    for target in Target::ALL {
        let mut gpu = Gpu::new(on(target), share(&blocks));
        gpu.set_lane(0, compiled.clone(), &params).unwrap();
        let got = steps().flat_map(|step| {
            gpu.run(0, Recording::Output, step).unwrap();
            tensor.gather(&block_on(gpu.read(&[(0, output)])).unwrap().remove(0))
        });
        close(&format!("{target:?}"), &got.collect::<Vec<_>>(), &expected, 1e-4, 0.0);
    }
}
