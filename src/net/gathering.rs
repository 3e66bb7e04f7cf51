//! A network whose linear layers read, for each sequence of a batch, the factors of an adapter of that sequence's own, out of
//! a bank of many: forward alone. Which adapter is a number in a buffer, so that another one is neither another recording nor
//! another upload of weights. Knows the factors' shapes, not where they come from.

use super::LOSS_SLOTS;
use super::compile::{forward, output_tensor};
use super::lane::{CompiledLane, CompiledSite};
use super::node::{Batch, Recorder, Site, Value, loss};
use crate::graph::{Buffer, Tensor};
use crate::method::site::AdapterPasses;
use crate::op::adamw::LOSS_PARTS;
use crate::op::gathered::{Dims, GATHERED_DOWN, GATHERED_UP};
use crate::op::pad;
use crate::task::{LossKind, TaskData};

/// How many adapters there are, of which rank, and what their products are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bank {
    pub adapters: usize,
    pub rank: usize,
    pub scaling: f64,
}

/// The compiled network, and where numbers and factors go.
#[derive(Clone, Debug)]
pub struct Gathering {
    pub lane: CompiledLane,
    /// By sequence, the number of its adapter, or −1 for none.
    pub adapter: Buffer,
    pub bank: Buffer,
    /// By linear layer, lora_A `[adapters, rank, inputs]` and lora_B `[adapters, outputs, rank]` in the bank.
    pub factors: Vec<[Tensor; 2]>,
}

/// Elements of a slot's group: what a kernel reads at once.
const GROUP: usize = 4;

/// Compile `task`'s network with the bank on all of its linear layers.
pub fn gathering(task: &TaskData, of: Bank) -> Gathering {
    let batch = Batch { sequences: task.batch_sequences, sequence: task.sequence, positions: 0 };
    let network = &task.network;
    let parts = loss::parts(task.loss, batch, network.outputs());
    let loss_at = LOSS_SLOTS * LOSS_PARTS;
    let mut recorder = Recorder::new(network, batch, loss_at, loss_at + parts);
    let tokens = batch.tokens();
    let slots = of.rank.next_multiple_of(GROUP);
    // Padding may begin another sequence, which has none.
    let adapter = recorder.arena.buffer("adapter", tokens.div_ceil(batch.sequence));
    let widest: usize = network.sites().iter().map(|site| pad(site.inputs) + pad(site.outputs)).sum();
    let bank = recorder.arena.buffer("bank", of.adapters * slots * widest);
    let down = recorder.arena.buffer("down", tokens * slots);
    let (mut at, mut factors, mut sites) = (0, Vec::new(), Vec::new());
    for (l, site) in network.sites().iter().enumerate() {
        let (from, wire) = (network.site_input(l), network.site_output(l));
        let (x, y) = (recorder.buffer(Value::Output(from)), recorder.buffer(Value::Output(wire)));
        let (inputs, outputs) = (pad(site.inputs), pad(site.outputs));
        let (a_offset, b_offset) = (at, at + of.adapters * slots * inputs);
        at = b_offset + of.adapters * slots * outputs;
        let dims = Dims {
            tokens: tokens as u32,
            sequence: batch.sequence as u32,
            inputs: inputs as u32,
            outputs: outputs as u32,
            slots: slots as u32,
            x_batched: recorder.is_rows(from).into(),
            a_offset: a_offset as u32,
            b_offset: b_offset as u32,
            scale: of.scaling as f32,
        };
        let shared = [("adapter", adapter), ("bank", bank), ("down", down)];
        let first = GATHERED_DOWN.pass(dims, &[shared.as_slice(), &[("x", x)]].concat());
        let last = GATHERED_UP.pass(dims, &[shared.as_slice(), &[("y", y)]].concat());
        let tensor = |name: &str, outer, offset, strides| Tensor {
            name: format!("{}.{name}", site.name),
            shape: [vec![of.adapters], outer].concat(),
            offset,
            strides,
        };
        factors.push([
            tensor("lora_A", vec![of.rank, site.inputs], a_offset, vec![slots * inputs, inputs, 1]),
            tensor("lora_B", vec![site.outputs, of.rank], b_offset, vec![slots * outputs, 1, outputs]),
        ]);
        let adapted = AdapterPasses { forward: vec![first], behind: vec![last], ..Default::default() };
        recorder.sites.push(Site { adapted: Some(adapted), frozen: recorder.shared.frozen(l) });
        sites.push(CompiledSite {
            name: site.name.clone(),
            input: x,
            output: y,
            passes: 0,
            parameters: Vec::new(),
            frozen_parameters: Vec::new(),
            effective_factors: Vec::new(),
            gate: None,
            gate_parts: None,
        });
    }
    let operations = forward(&mut recorder);
    let output = recorder.passes(operations);
    let losses = match task.loss {
        LossKind::Mse => Vec::new(),
        LossKind::CrossEntropy => {
            let compare = loss::compare(task.loss, loss::counted(&task.y, batch), &mut recorder);
            output.iter().cloned().chain(recorder.passes(vec![compare])).collect()
        }
    };
    recorder.arena.seal();
    let output_tensor = (recorder.buffer(Value::Output(network.output())), output_tensor(network, batch));
    let lane = CompiledLane {
        buffers: recorder.arena.buffers,
        gradients: Vec::new(),
        train: Vec::new(),
        output,
        losses,
        loss_at,
        state: Vec::new(),
        constants: Vec::new(),
        sites,
        saved: Vec::new(),
        output_tensor,
        parameters: 0,
        padded: 0,
    };
    Gathering { lane, adapter, bank, factors }
}
