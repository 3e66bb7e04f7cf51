//! A trained lane on rows that it was not compiled for: held-out images, or many tokens at once.

use lora_playground::exec::Recording;
use lora_playground::exec::cpu::Cpu;
use lora_playground::graph::Step;
use lora_playground::lab::Lab;
use lora_playground::net::{compile, share};
use lora_playground::task::{BaseLayer, Targets, TaskData};

/// What a lane makes of some rows.
pub struct Reading {
    /// `[rows, outputs]`.
    pub output: Vec<f32>,
    /// Of the first adapted layer, `[rows, experts]`; empty without a gate.
    pub gates: Vec<f32>,
}

/// `task` with these rows as its only batch.
pub fn with_rows(task: &TaskData, sequence: usize, x: &[f32], y: Targets) -> TaskData {
    let rows = x.len() / task.network.inputs();
    assert_eq!(rows % sequence, 0);
    TaskData {
        batch_sequences: rows / sequence,
        sequence,
        batches: 1,
        x: x.to_vec(),
        y,
        row_domains: vec![0; rows],
        ..task.clone()
    }
}

/// Lane `lane` of `lab`, as trained so far, on the rows of `task`, which differs from the lab's in its rows only.
pub fn read(lab: &Lab, lane: usize, task: &TaskData) -> Reading {
    let compiled = compile(task, lab.lane(lane), &lab.config.optimizer);
    let mut params = vec![0.0; compiled.padded];
    for tensor in compiled.tensors() {
        tensor.scatter(&mut params, &pollster::block_on(lab.tensor(lane, &tensor.name)).unwrap());
    }
    let output = compiled.output_tensor.clone();
    let gate = compiled.gates().next().map(|(_, buffer, tensor)| (buffer, tensor.clone()));
    let mut cpu = Cpu::<f32>::new(share(task));
    cpu.set_lane(0, compiled, &params);
    cpu.run(0, Recording::Output, Step::default());
    Reading {
        output: output.1.gather(&cpu.read(0, output.0)),
        gates: gate.map_or(vec![], |(buffer, tensor)| tensor.gather(&cpu.read(0, buffer))),
    }
}

/// Share of rows whose largest output is their class.
pub fn accuracy(output: &[f32], classes: &[u32]) -> f64 {
    let width = output.len() / classes.len();
    let hits = output.chunks_exact(width).zip(classes).filter(|(row, class)| {
        let best = (1..width).fold(0, |best, i| if row[i] > row[best] { i } else { best });
        best == **class as usize
    });
    hits.count() as f64 / classes.len() as f64
}

/// The frozen base with a `full` lane's change added.
pub fn merged_base(lab: &Lab, lane: usize) -> Vec<BaseLayer> {
    let add = |(l, layer): (usize, &BaseLayer)| {
        let delta = pollster::block_on(lab.tensor(lane, &format!("layers.{l}.delta"))).unwrap();
        let weight = layer.weight.iter().zip(&delta).map(|(w, d)| w + d).collect::<Vec<_>>().into();
        BaseLayer { weight, bias: layer.bias.clone() }
    };
    lab.task.base.iter().enumerate().map(add).collect()
}
