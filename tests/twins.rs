//! Every shader against its CPU twin on the same f32 inputs, and the same run twice against itself. That the recordings of
//! these lanes have every shader there is, `shaders.rs` sees to.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::lanes::{cases, random_params, three_layers, variants};
use common::{assert_close, device, on};
use lora_playground::config::{Config, Lane, Optimizer, Schedule};
use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::exec::gpu::{Device, Gpu};
use lora_playground::graph::{Buffer, LOSSES, MOMENTS, Pass, Target};
use lora_playground::lab::Lab;
use lora_playground::method::description::{Start, Widths};
use lora_playground::net::{CompiledLane, LOSS_SLOTS, compile, share};
use lora_playground::op::adamw::LOSS_PARTS;
use lora_playground::optim;
use lora_playground::rng::Rng;
use lora_playground::task::TaskData;
use pollster::block_on;

const STEPS: usize = 2;
const ABSOLUTE: f32 = 1e-5;
const RELATIVE: f32 = 1e-4;
/// Of a buffer's largest value.
const ROUNDING: f32 = 5e-6;

/// Moments of a run under way: AdamW from zero moments would turn the rounding of a gradient near zero into a whole
/// step either way, and say nothing about the shader.
fn moments(compiled: &CompiledLane) -> Vec<f32> {
    let mut rng = Rng::new(9, 9);
    let mut both = [vec![0.0; compiled.padded], vec![0.0; compiled.padded]];
    for tensor in compiled.tensors() {
        let mut draw = |low, high| (0..tensor.len()).map(|_| rng.uniform(low, high) as f32).collect::<Vec<_>>();
        let (first, second) = (draw(-0.1, 0.1), draw(0.01, 0.1));
        tensor.scatter(&mut both[0], &first);
        tensor.scatter(&mut both[1], &second);
    }
    both.concat()
}

/// Values by which both are compared: a loss is the sum of its parts, which the two may cut differently.
fn comparable(name: &str, values: &[f32]) -> Vec<f32> {
    match name {
        "losses" => {
            let (slots, tiles) = values.split_at(LOSS_SLOTS * LOSS_PARTS);
            slots.chunks_exact(LOSS_PARTS).chain([tiles]).map(|parts| parts.iter().sum()).collect()
        }
        _ => values.to_vec(),
    }
}

fn compare(what: &str, cpu: &Cpu<f32>, gpu: &Gpu) {
    let names: Vec<String> = cpu.compiled(0).buffers.iter().map(|(name, _)| name.clone()).collect();
    let wanted = all_buffers(cpu.compiled(0));
    let theirs = block_on(gpu.read(&wanted)).unwrap();
    for ((name, gpu), &(_, buffer)) in names.iter().zip(&theirs).zip(&wanted) {
        let twin = cpu.read(0, buffer);
        // The smallest buffers are longer on the GPU, by zeros.
        let (gpu, rest) = gpu.split_at(twin.len());
        assert!(rest.iter().all(|&v| v == 0.0), "{what}: {name} was written beyond its end");
        let twin = comparable(name, &twin);
        // What is small by cancellation is rounded like what it is made of.
        let largest = twin.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
        let absolute = ABSOLUTE.max(ROUNDING * largest);
        assert_close(&format!("{what}: {name}"), &comparable(name, gpu), &twin, absolute, RELATIVE);
    }
}

/// Every buffer of the lane's own.
fn all_buffers(compiled: &CompiledLane) -> Vec<(usize, Buffer)> {
    (0..compiled.buffers.len()).map(|index| (0, Buffer::Lane(index))).collect()
}

/// A lane that runs one pass of `compiled` and nothing else.
fn only(compiled: &CompiledLane, pass: &Pass) -> CompiledLane {
    CompiledLane { gradients: vec![pass.clone()], train: vec![], output: vec![], constants: vec![], ..compiled.clone() }
}

/// Runs two steps pass by pass, each on both backends from what the CPU has come to. Returns the device.
fn follow(what: &str, task: &TaskData, lane: &Lane, device: Device) -> Device {
    let optimizer = Optimizer { weight_decay: 0.1, ..Default::default() };
    let schedule = Schedule { warmup: 0, total: 100 };
    let compiled = compile(task, lane, &optimizer);
    let shared = share(task);
    let rows: Vec<usize> = (0..STEPS).map(|t| shared.batch_row(t)).collect();
    let mut cpu = Cpu::<f32>::new(share(task));
    let mut params = random_params(&compiled, 7);
    // Through a transformer's depth, factors as large as these would enlarge every rounding.
    if !task.network.tensors().is_empty() {
        params.iter_mut().for_each(|value| *value *= 0.2);
    }
    cpu.set_lane(0, compile(task, lane, &optimizer), &params);
    cpu.write(0, MOMENTS, &moments(&compiled));
    let mut gpu = Gpu::new(device, shared);
    for (t, &row) in rows.iter().enumerate() {
        let step = optim::step(&optimizer, &schedule, t, row, t);
        for pass in compiled.output.iter().chain(&compiled.gradients).chain(&compiled.train) {
            gpu.set_lane(0, only(&compiled, pass), &[]).unwrap();
            for (_, buffer) in all_buffers(&compiled) {
                gpu.write(0, buffer, &cpu.read(0, buffer)).unwrap();
            }
            cpu.pass(0, pass, &step);
            gpu.run(0, Recording::Gradients, step).unwrap();
            compare(&format!("{what}, step {t}, {}", pass.kernel.name), &cpu, &gpu);
        }
        let loss: f32 = cpu.read(0, LOSSES)[t * LOSS_PARTS..][..LOSS_PARTS].iter().sum();
        assert!(loss > 0.0, "{what}: step {t} left no loss");
    }
    gpu.into_device()
}

#[test]
fn every_shader_agrees_with_its_twin_in_software() {
    every_shader_agrees_with_its_twin(Target::Software);
}

#[test]
fn every_shader_agrees_with_its_twin_as_on_a_gpu() {
    every_shader_agrees_with_its_twin(Target::Gpu);
}

#[test]
fn every_shader_agrees_with_its_twin_by_quads() {
    every_shader_agrees_with_its_twin(Target::Quads);
}

fn every_shader_agrees_with_its_twin(target: Target) {
    let mut held = on(target);
    for (name, task, lane) in cases() {
        held = follow(&name, &task, &lane, held);
    }
}

/// All bits of a run's losses and parameters.
fn bits(device: Option<Device>) -> (Vec<u64>, Vec<u32>, Option<Device>) {
    let lanes = variants().into_iter().map(|(_, lane)| lane).collect();
    let config = Config { seed: 3, lanes, schedule: Schedule { warmup: 5, total: 40 }, ..Default::default() };
    let mut lab = Lab::new(config, three_layers(), device).unwrap();
    block_on(lab.train(40)).unwrap();
    let (mut losses, mut values) = (vec![], vec![]);
    for lane in 0..lab.lane_count() {
        // Where nothing that trains begins at random and of usual size (AdaLoRA), learning takes its time.
        let own = lab.lane(lane);
        let declared = (own.method.parameters)(&own.settings, Widths { inputs: 11, outputs: 9 });
        let trained: Vec<_> = declared.iter().filter(|parameter| parameter.trained).collect();
        let slow =
            trained.len() > 1 && !trained.iter().any(|p| matches!(p.start, Start::Uniform { .. } | Start::Made(_)));
        let share = if slow { 1.0 } else { 0.9 };
        // Both on the same batch.
        assert!(lab.losses(lane)[38] < share * lab.losses(lane)[0], "lane {lane} learned nothing");
        losses.extend(lab.losses(lane).iter().map(|v| v.to_bits()));
        for tensor in lab.tensors(lane).unwrap() {
            values.extend(block_on(lab.tensor(lane, &tensor.name)).unwrap().iter().map(|v| v.to_bits()));
        }
    }
    (losses, values, lab.into_device())
}

#[test]
fn same_seed_same_bits_on_the_cpu() {
    let (first, second) = (bits(None), bits(None));
    assert_eq!(first.0, second.0);
    assert_eq!(first.1, second.1);
}

#[test]
fn same_seed_same_bits_on_the_gpu() {
    let (losses, values, held) = bits(Some(device()));
    let (again, values_again, _) = bits(held);
    assert_eq!(losses, again);
    assert_eq!(values, values_again);
}
