//! Lanes evaluated on a fixed set of rows, on the CPU, from parameters in the layout of training: what displays,
//! proofs and accuracies are measured with. The same recordings as training's, run by the kernels' twins. Knows
//! nothing of what is shown.

use ndarray::Array2;

use crate::config::{Lane, Optimizer};
use crate::exec::Recording;
use crate::exec::cpu::Cpu;
use crate::graph::{Buffer, PARAMS, Step, Tensor};
use crate::net::{CompiledLane, SharedBuffers, compile, share};
use crate::op::pad;
use crate::task::{LossKind, Probe, Targets, TaskData, UNCOUNTED};
use crate::tensor::widened;

/// Lanes on `rows` rows.
pub struct Forward {
    cpu: Cpu<f32>,
    task: TaskData,
    rows: usize,
}

/// What a lane makes of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// `[rows, outputs]`.
    pub output: Vec<f32>,
    /// By adapted layer: experts, and gates `[rows, experts]`.
    pub gates: Vec<LayerGates>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LayerGates {
    pub layer: usize,
    pub experts: usize,
    /// `[rows, experts]`.
    pub values: Vec<f32>,
    /// What they are the sum of, where that is two things.
    pub parts: Option<LayerParts>,
}

/// A prototype gate taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerParts {
    /// ω.
    pub share: f32,
    /// `softmax(W_r x)` and `⟨cᵢ, e⟩`, `[rows, experts]` each.
    pub softmax: Vec<f32>,
    pub likeness: Vec<f32>,
}

impl Forward {
    /// `x [rows, inputs]`, whole sequences of `task`'s network.
    pub fn new(task: &TaskData, x: Vec<f32>, sequence: usize) -> Self {
        let rows = x.len() / task.network.inputs();
        let task = on(task, x, (rows / sequence, sequence));
        Self { cpu: Cpu::new(share(&task)), task, rows }
    }

    /// Put a lane at `index`, the next free one or one in use.
    pub fn set_lane(&mut self, index: usize, lane: &Lane, optimizer: &Optimizer) {
        let compiled = compile(&self.task, lane, optimizer);
        let params = vec![0.0; compiled.padded];
        self.cpu.set_lane(index, compiled, &params);
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Other rows in place of those it has, as many.
    pub fn set_x(&mut self, x: &[f32]) {
        self.task.x = x.to_vec();
        let (inputs, shared) = (self.task.network.inputs(), SharedBuffers::new(&self.task.network));
        let mut values = self.cpu.values(0, shared.x);
        for (to, from) in values.chunks_exact_mut(pad(inputs)).zip(x.chunks_exact(inputs)) {
            to[..inputs].copy_from_slice(from);
        }
    }

    /// `[rows, inputs]`.
    pub fn x(&self) -> &[f32] {
        &self.task.x
    }

    pub fn compiled(&self, lane: usize) -> &CompiledLane {
        self.cpu.compiled(lane)
    }

    /// Evaluate a lane with these parameters, in the padded layout.
    pub fn run(&self, lane: usize, params: &[f32]) -> Answer {
        self.cpu.write(lane, PARAMS, params);
        self.cpu.run(lane, Recording::Output, Step::default());
        let gather = |(layer, buffer, tensor): (usize, Buffer, &Tensor)| LayerGates {
            layer,
            experts: tensor.shape[2],
            values: tensor.gather(&self.cpu.read(lane, buffer)),
            parts: self.parts(lane, layer),
        };
        Answer { output: self.output(lane), gates: self.compiled(lane).gates().map(gather).collect() }
    }

    fn parts(&self, lane: usize, layer: usize) -> Option<LayerParts> {
        let parts = self.compiled(lane).sites[layer].gate_parts.as_ref()?;
        let buffer = self.cpu.read(lane, parts.buffer);
        let mut softmax = parts.values.gather(&buffer);
        let likeness = softmax.split_off(softmax.len() / 2);
        Some(LayerParts { share: parts.share.gather(&buffer)[0], softmax, likeness })
    }

    /// lora_A, lora_B or delta of that name as the lane's last evaluation read it, where it is no parameter itself.
    pub fn effective_factor(&self, lane: usize, name: &str) -> Option<Vec<f32>> {
        let (buffer, tensor) = self.compiled(lane).effective_factor(name)?;
        Some(tensor.gather(&self.cpu.read(lane, *buffer)))
    }

    /// A layer's frozen weight `[outputs, inputs]` as the lane has it, where that is another than the network's.
    pub fn own_weight(&self, lane: usize, layer: usize) -> Option<Vec<f32>> {
        let (compiled, site) = (self.compiled(lane), &self.task.network.sites()[layer]);
        let name = format!("{}.frozen.weight", site.name);
        let is_it = |buffer: Buffer| matches!(buffer, Buffer::Lane(at) if compiled.buffers[at].0 == name);
        let (_, values) = compiled.constants.iter().find(|(buffer, _)| is_it(*buffer))?;
        let rows = values.chunks_exact(pad(site.inputs)).take(site.outputs);
        Some(rows.flat_map(|row| &row[..site.inputs]).copied().collect())
    }

    /// A layer's input `[rows, inputs]` in the lane's last evaluation.
    pub fn input(&self, lane: usize, layer: usize) -> Vec<f32> {
        let inputs = self.task.network.sites()[layer].inputs;
        self.unpad(lane, self.compiled(lane).sites[layer].input, inputs)
    }

    /// A layer's output `[rows, outputs]`, before its activation, in the lane's last evaluation.
    pub fn layer_output(&self, lane: usize, layer: usize) -> Vec<f32> {
        let outputs = self.task.network.sites()[layer].outputs;
        self.unpad(lane, self.compiled(lane).sites[layer].output, outputs)
    }

    /// The network's output had this layer's been `y [rows, outputs]`, the rest as in the lane's last evaluation.
    pub fn resume(&self, lane: usize, layer: usize, y: &[f32]) -> Vec<f32> {
        let outputs = self.task.network.sites()[layer].outputs;
        let compiled = self.compiled(lane);
        let site = &compiled.sites[layer];
        {
            let mut values = self.cpu.values(lane, site.output);
            for (to, from) in values.chunks_exact_mut(pad(outputs)).zip(y.chunks_exact(outputs)) {
                to[..outputs].copy_from_slice(from);
            }
        }
        for pass in &compiled.output[site.passes..] {
            self.cpu.pass(lane, pass, &Step::default());
        }
        self.output(lane)
    }

    fn output(&self, lane: usize) -> Vec<f32> {
        let (buffer, tensor) = &self.compiled(lane).output_tensor;
        tensor.gather(&self.cpu.read(lane, *buffer))
    }

    fn unpad(&self, lane: usize, buffer: Buffer, width: usize) -> Vec<f32> {
        let values = self.cpu.read(lane, buffer);
        values.chunks_exact(pad(width)).take(self.rows).flat_map(|row| &row[..width]).copied().collect()
    }
}

/// The task with these rows alone, in batches of so many sequences of so many tokens.
pub fn on(task: &TaskData, x: Vec<f32>, (sequences, sequence): (usize, usize)) -> TaskData {
    let rows = x.len() / task.network.inputs();
    // No loss is computed here, so targets are left out.
    let nothing = || match task.loss {
        LossKind::Mse => Targets::Dense(Vec::new()),
        LossKind::CrossEntropy => Targets::Classes(Vec::new()),
    };
    TaskData {
        network: task.network.clone(),
        loss: task.loss,
        batch_sequences: sequences,
        sequence,
        batches: rows / (sequences * sequence),
        spare: 0,
        x,
        y: nothing(),
        row_domains: Vec::new(),
        base: task.base.clone(),
        tensors: task.tensors.clone(),
        domain_names: Vec::new(),
        energy: task.energy,
        pool_energy: task.pool_energy,
        soft: None,
        noise_variance: 0.0,
        true_rank: None,
        teacher: None,
        mixed: task.mixed,
        probe: Probe { sequence, x: Vec::new(), y: nothing(), row_domains: Vec::new() },
    }
}

/// `[rows, width]` in f64, for `inspect`.
pub fn matrix(values: &[f32], width: usize) -> Array2<f64> {
    widened(values, (values.len() / width, width))
}

/// Loss of each row: mean squared error as a share of the target's energy, or cross-entropy; 0 of what is not counted.
pub fn row_losses(task: &TaskData, targets: &Targets, output: &[f32]) -> Vec<f64> {
    let width = task.network.outputs();
    let rows = output.chunks_exact(width);
    match targets {
        Targets::Dense(y) => {
            let square = |(&o, &t): (&f32, &f32)| (f64::from(o) - f64::from(t)).powi(2);
            let row = |(o, t): (&[f32], &[f32])| o.iter().zip(t).map(square).sum::<f64>() / width as f64 / task.energy;
            rows.zip(y.chunks_exact(width)).map(row).collect()
        }
        Targets::Classes(classes) => {
            let row = |(o, &c): (&[f32], &u32)| match c {
                UNCOUNTED => 0.0,
                c => -libm::log(probabilities(o)[c as usize].max(f64::MIN_POSITIVE)),
            };
            rows.zip(classes).map(row).collect()
        }
    }
}

/// Softmax.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f64> = logits.iter().map(|&z| libm::exp(f64::from(z) - f64::from(max))).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|e| e / sum).collect()
}

/// Rows of `output [rows, width]` whose largest entry is their class's; a row that is not numbers is wrong.
pub fn hits(output: &[f32], width: usize, classes: &[u32]) -> usize {
    let right = |&(row, &class): &(&[f32], &u32)| {
        let own = row[class as usize];
        row.iter().enumerate().all(|(i, &v)| i == class as usize || own > v)
    };
    output.chunks_exact(width).zip(classes).filter(right).count()
}
