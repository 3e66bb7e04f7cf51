//! A network and a lane, compiled: nodes walked forward, then backward with gradients added where paths meet, adapters
//! called at the sites that the lane adapts. Knows no kernel; `node` does.

use super::initial;
use super::lane::{CompiledLane, CompiledSite};
use super::node::attention::Reads;
use super::node::{
    Batch, Operation, Recorder, Site, Value, add, attention, embedding, gelu, head, linear, loss, mean, rms_norm,
    rotate, swiglu,
};
use super::shared::Frozen;
use super::{LOSS_SLOTS, rewrite, shared};
use crate::args::{Optimizer, SavedModule};
use crate::graph::{Arena, Buffer, MOMENTS, PARAMS, Pass, Tensor, Update};
use crate::method::Lane;
use crate::method::modifier::pissa;
use crate::method::site::LayerSite;
use crate::op::adamw::LOSS_PARTS;
use crate::op::{PAD, pad};
use crate::task::network::{Network, Node, Wire};
use crate::task::{LossKind, Soft, TaskData};

/// Compile `lane` on `task`'s base network.
pub fn compile(task: &TaskData, lane: &Lane, optimizer: &Optimizer) -> CompiledLane {
    of_batch(task, Batch { sequences: task.batch_sequences, sequence: task.sequence, positions: 0 }, lane, optimizer)
}

/// The same for one text that goes on, a batch of the task's at a time from the row of the pool that a step names: what came before
/// lies in the lane's buffers, as many positions as the pool has rows. There is only the output. The twins take batches of any size,
/// shaders those of whole tiles.
pub fn continuation(task: &TaskData, lane: &Lane) -> CompiledLane {
    let batch = Batch { sequences: 1, sequence: task.sequence, positions: task.rows() };
    let compiled = of_batch(task, batch, lane, &Optimizer::default());
    CompiledLane { gradients: Vec::new(), train: Vec::new(), losses: Vec::new(), ..compiled }
}

fn of_batch(task: &TaskData, batch: Batch, lane: &Lane, optimizer: &Optimizer) -> CompiledLane {
    let compared = Compared { loss: task.loss, counted: loss::counted(&task.y, batch), soft: task.soft.as_ref() };
    network(&task.network, compared, batch, lane, optimizer, &|site| own_weight(task, lane, site))
}

/// The kernels that training `lane` takes on a network of one layer under MSE, with dims that mean nothing but for what
/// pipelines are made with: what a device may compile while the data are still being made.
pub fn kernels(lane: &Lane) -> Vec<Pass> {
    let (task, batch) = (Network::stack(&[PAD, PAD]), Batch { sequences: PAD, sequence: 1, positions: 0 });
    let compared = Compared { loss: LossKind::Mse, counted: PAD, soft: None };
    network(&task, compared, batch, lane, &Optimizer::default(), &|_| None).train
}

/// A frozen weight of the lane's own, as the kernels read it, with its base and, where that is another with it, the target.
type OwnWeight = (Vec<f32>, Vec<f32>, Option<Vec<f32>>);

/// What is left of the frozen weight of a lane that begins at its largest directions.
fn own_weight(task: &TaskData, lane: &Lane, site: usize) -> Option<OwnWeight> {
    let settings = lane.settings_at(task.network.sites()[site].layer);
    pissa::is_on(&settings).then(|| {
        // The residual is the same whatever the seed.
        let layer = initial::layer(task, site, 0);
        let split = pissa::split(&layer, settings.whole("rank"), (lane.method.scaling)(&settings));
        shared::frozen(task, site, &split.residual)
    })
}

/// What the output is compared with.
#[derive(Clone, Copy)]
struct Compared<'a> {
    loss: LossKind,
    /// Tokens of a batch that have a target.
    counted: usize,
    /// A teacher's expectations, which training is against; losses of texts that are looked at are not.
    soft: Option<&'a Soft>,
}

fn network(
    network: &Network,
    Compared { loss, counted, soft }: Compared,
    batch: Batch,
    lane: &Lane,
    optimizer: &Optimizer,
    own_weight: &dyn Fn(usize) -> Option<OwnWeight>,
) -> CompiledLane {
    let parts = loss::parts(loss, batch, network.outputs());
    let loss_at = LOSS_SLOTS * LOSS_PARTS;
    let mut recorder = Recorder::new(network, batch, loss_at, loss_at + parts);
    let gradients = Gradients::new(network, &|node| match node {
        Node::Linear { site, .. } => lane.adapts(&network.sites()[site]),
        _ => node.module().is_some_and(|(module, _)| lane.saves(module)),
    });
    let mut constants = Vec::new();
    let mut sites = Vec::new();
    adapt(lane, &gradients, own_weight, &mut recorder, &mut sites, &mut constants);
    let saved = save(lane, &mut recorder);

    let mut forward = forward(&mut recorder);
    rewrite::constant_products(network, &mut forward);
    let mut step = forward.clone();
    step.push(match soft {
        Some(soft) => loss::distil(soft, &mut recorder),
        None => loss::compare(loss, counted, &mut recorder),
    });
    step.extend(backward(&gradients, &mut recorder));
    rewrite::loss_in_last_layer(network, &mut step);
    rewrite::gelu_in_layer_backward(&mut step);

    for (at, operation) in forward.iter().enumerate() {
        if let Operation::Linear(linear) = operation {
            sites[linear.site].passes = at + 1;
        }
    }
    let output: Vec<Pass> = recorder.passes(forward).iter().map(Pass::at_rest).collect();
    let losses = match loss {
        LossKind::Mse => Vec::new(),
        LossKind::CrossEntropy => {
            let compare = loss::compare(loss, counted, &mut recorder);
            output.iter().cloned().chain(recorder.passes(vec![compare])).collect()
        }
    };
    let gradients = recorder.passes(step.clone());
    recorder.arena.seal();
    let padded = recorder.arena.len_of(PARAMS);
    // A training step is the same passes with AdamW in those, or after those, that leave a parameter's whole gradient.
    let elements = match soft {
        Some(_) => batch.real_tokens(),
        None => loss::elements(loss, counted, batch, network.outputs()),
    };
    let loss_scale = 1.0 / elements as f32;
    let update = Update {
        elements: padded as u32,
        loss_at: loss_at as u32,
        tiles: parts as u32,
        beta1: optimizer.beta1 as f32,
        beta2: optimizer.beta2 as f32,
        one_minus_beta1: (1.0 - optimizer.beta1) as f32,
        one_minus_beta2: (1.0 - optimizer.beta2) as f32,
        eps: optimizer.eps as f32,
        loss_scale,
    };
    let (step, updated) = rewrite::updates(&recorder.sites, &update, step);
    let trainable = recorder.arena.params - recorder.arena.frozen_elements;
    debug_assert_eq!(updated, trainable, "every parameter has a pass that trains it");
    let mut train = recorder.passes(step);
    let adapted = || recorder.sites.iter().filter_map(|site| site.adapted.as_ref());
    train.extend(adapted().flat_map(|a| a.after_update.iter().cloned()));
    train.extend(adapted().flat_map(|a| a.after_all_updates.iter().cloned()));
    let mut state = vec![PARAMS, MOMENTS];
    state.extend(adapted().flat_map(|a| a.state.iter().copied()));
    let output_tensor = (recorder.buffer(Value::Output(network.output())), output_tensor(network, batch));
    let whole = saved.iter().map(|(_, tensor)| tensor);
    let parameters = sites.iter().flat_map(|site| &site.parameters).chain(whole).map(Tensor::len).sum();
    let buffers = recorder.arena.buffers;
    CompiledLane {
        buffers,
        gradients,
        train,
        output,
        losses,
        loss_at,
        state,
        constants,
        sites,
        saved,
        output_tensor,
        parameters,
        padded,
    }
}

pub(super) fn output_tensor(network: &Network, batch: Batch) -> Tensor {
    let width = pad(network.outputs());
    Tensor {
        name: "output".into(),
        shape: vec![batch.sequences, batch.sequence, network.outputs()],
        offset: 0,
        strides: vec![batch.sequence * width, width, 1],
    }
}

/// Call the adapters, in the order of the sites, which is that of their parameters.
fn adapt(
    lane: &Lane,
    gradients: &Gradients,
    own_weight: &dyn Fn(usize) -> Option<OwnWeight>,
    recorder: &mut Recorder,
    sites: &mut Vec<CompiledSite>,
    constants: &mut Vec<(Buffer, Vec<f32>)>,
) {
    let network = recorder.network;
    let chosen: Vec<usize> = (0..network.sites().len()).filter(|&site| lane.adapts(&network.sites()[site])).collect();
    for (l, site) in network.sites().iter().enumerate() {
        let (from, wire) = (network.site_input(l), network.site_output(l));
        let (x, y) = (recorder.buffer(Value::Output(from)), recorder.buffer(Value::Output(wire)));
        let mut frozen = recorder.shared.frozen(l);
        let dy = gradients.value[wire.index()];
        let adapted = chosen.iter().position(|&c| c == l).zip(dy).map(|(index, dy)| {
            let place = LayerSite {
                name: &site.name,
                x,
                weight: frozen.weight,
                x_batched: recorder.is_rows(from),
                dy: recorder.buffer(dy),
                tokens: recorder.batch.tokens(),
                real_tokens: recorder.batch.real_tokens(),
                sequence: recorder.batch.sequence,
                positions: recorder.batch.positions,
                index,
                count: chosen.len(),
                inputs: site.inputs,
                outputs: site.outputs,
            };
            let adapted = (lane.method.record)(&lane.settings_at(site.layer), &place, &mut recorder.arena);
            if let Some(own) = own_weight(l) {
                frozen = own_frozen(&site.name, own, frozen, &mut recorder.arena, constants);
            }
            adapted
        });
        sites.push(CompiledSite {
            name: site.name.clone(),
            input: x,
            output: y,
            passes: 0,
            parameters: std::mem::take(&mut recorder.arena.tensors),
            frozen_parameters: std::mem::take(&mut recorder.arena.frozen_parameters),
            effective_factors: adapted.as_ref().map_or_else(Vec::new, |a| a.effective_factors.clone()),
            gate: adapted.as_ref().and_then(|a| a.gate.clone()),
            gate_parts: adapted.as_ref().and_then(|a| a.parts.clone()),
        });
        recorder.sites.push(Site { adapted, frozen });
    }
}

/// Room for what the lane adds to tables that it trains whole. It is a change, zero at first, like full fine-tuning's.
fn save(lane: &Lane, recorder: &mut Recorder) -> Vec<(SavedModule, Tensor)> {
    let network = recorder.network;
    let mut modules = Vec::new();
    for (wire, node) in network.nodes() {
        let Some((module, table)) = node.module().filter(|&(module, _)| lane.saves(module)) else { continue };
        let shape = &network.tensors()[table.index()];
        let (rows, width) = (pad(shape.rows), pad(shape.cols));
        let name = format!("{}.delta", module.module());
        let offset = recorder.arena.param(name, rows * width, vec![shape.rows, shape.cols], vec![width, 1]);
        recorder.saved.push((wire, offset));
        modules.push(module);
    }
    modules.into_iter().zip(std::mem::take(&mut recorder.arena.tensors)).collect()
}

/// A frozen weight in buffers of the lane's own.
fn own_frozen(
    site: &str,
    (weight, base, target): OwnWeight,
    shared: Frozen,
    arena: &mut Arena,
    constants: &mut Vec<(Buffer, Vec<f32>)>,
) -> Frozen {
    let mut put = |what: &str, values: Vec<f32>| {
        let buffer = arena.buffer(format!("{site}.frozen.{what}"), values.len());
        constants.push((buffer, values));
        buffer
    };
    let target = target.map_or(shared.target, |target| put("target", target));
    Frozen { weight: put("weight", weight), base: put("base", base), target }
}

pub(super) fn forward(recorder: &mut Recorder) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (wire, node) in recorder.network.nodes() {
        match node {
            Node::Rows => {}
            Node::Linear { site, .. } => operations.extend(linear::forward(site, recorder)),
            Node::Gelu(from) => operations.push(gelu::forward(wire, from, recorder)),
            Node::Add(a, b) => operations.push(add::forward(wire, a, b, recorder)),
            Node::Mean(from) => operations.push(mean::forward(wire, from, recorder)),
            Node::Embedding { tokens, table } => operations.push(embedding::forward(wire, tokens, table, recorder)),
            Node::RmsNorm { from, weight, eps } => {
                operations.push(rms_norm::forward(wire, from, weight, eps, recorder));
            }
            Node::Rotate { from, table, heads } => {
                operations.push(rotate::forward(wire, from, (table, heads), recorder));
            }
            Node::Attention { query, key, value, heads } => {
                operations.push(attention::forward(wire, Reads { query, key, value, heads }, recorder));
            }
            Node::SwiGlu { gate, up } => operations.push(swiglu::forward(wire, gate, up, recorder)),
            Node::Head { from, table } => operations.push(head::forward(wire, from, table, recorder)),
        }
    }
    operations
}

/// From the output's gradient to those of all parameters.
fn backward(gradients: &Gradients, recorder: &mut Recorder) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (wire, node) in recorder.network.nodes().rev() {
        let Some(dy) = gradients.value[wire.index()].filter(|_| gradients.wanted[wire.index()]) else { continue };
        operations.extend(add::sum(wire, &gradients.shares[wire.index()], recorder));
        let to = |from| gradients.share(recorder.network, from, wire);
        match node {
            Node::Rows | Node::Add(..) => {}
            Node::Embedding { tokens, table } => {
                operations.extend(embedding::backward(wire, (tokens, table), dy, recorder));
            }
            Node::Linear { site, from } => operations.extend(linear::backward(site, dy, to(from), recorder)),
            Node::Gelu(from) => {
                let dx = to(from).map(|dx| Operation::GeluBackward(gelu::Backward { wire, from, dy, dx }));
                operations.extend(dx);
            }
            Node::Mean(from) => operations.extend(to(from).map(|dx| mean::backward(wire, dy, dx, recorder))),
            Node::RmsNorm { from, weight, eps } => {
                let dx = to(from).map(|dx| rms_norm::backward(wire, (from, weight, eps), dy, dx, recorder));
                operations.extend(dx);
            }
            Node::Rotate { from, table, heads } => {
                operations.extend(to(from).map(|dx| rotate::backward(wire, dy, dx, (table, heads), recorder)));
            }
            Node::Attention { query, key, value, heads } => {
                let reads = Reads { query, key, value, heads };
                operations.extend(attention::backward(wire, reads, dy, [query, key, value].map(to), recorder));
            }
            Node::SwiGlu { gate, up } => {
                operations.push(swiglu::backward(wire, [gate, up], dy, [gate, up].map(to), recorder));
            }
            Node::Head { from, table } => {
                operations.extend(head::backward(wire, (from, table), dy, to(from), recorder));
            }
        }
    }
    operations
}

/// Where gradients flow: by wire, whether a parameter at or before it asks for its gradient, what those that read it send
/// back, and what the sum of that is, which is the one share itself where there is no other.
struct Gradients {
    wanted: Vec<bool>,
    shares: Vec<Vec<Value>>,
    value: Vec<Option<Value>>,
}

impl Gradients {
    fn new(network: &Network, trains: &dyn Fn(Node) -> bool) -> Self {
        let count = network.nodes().len();
        let mut wanted: Vec<bool> = Vec::with_capacity(count);
        for (_, node) in network.nodes() {
            wanted.push(trains(node) || node.reads().any(|wire| wanted[wire.index()]));
        }
        let mut flow = Self { wanted, shares: vec![Vec::new(); count], value: vec![None; count] };
        // The loss writes the output's, whether or not anything is trained.
        flow.shares[count - 1].push(Value::Gradient(network.output()));
        for (wire, node) in network.nodes().rev() {
            let value = match flow.shares[wire.index()][..] {
                [] => continue,
                [only] => only,
                _ => Value::Gradient(wire),
            };
            flow.value[wire.index()] = Some(value);
            for from in node.reads() {
                let share = if matches!(node, Node::Add(..)) { Some(value) } else { flow.share(network, from, wire) };
                flow.shares[from.index()].extend(share.filter(|_| flow.wanted[from.index()]));
            }
        }
        flow
    }

    /// Where the node at `by` writes its share of the gradient of a wire that it reads; `None` where nothing asks for it.
    fn share(&self, network: &Network, of: Wire, by: Wire) -> Option<Value> {
        let alone =
            network.readers(of).map(|(_, node)| node.reads().filter(|&wire| wire == of).count()).sum::<usize>() == 1;
        self.wanted[of.index()].then_some(if alone { Value::Gradient(of) } else { Value::Share { of, by } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Domains};
    use crate::graph::Target;
    use crate::task::domains;

    /// A pipeline compiled ahead and never used would be waited for like any other.
    #[test]
    fn what_is_compiled_ahead_is_what_a_step_takes() {
        let Config { lanes, optimizer, .. } = Config::default();
        let task = domains(&Domains { dim: 16, batch: 4, ..Domains::default() }, 1).unwrap();
        for lane in lanes {
            for target in Target::ALL {
                let made = |pass: &Pass| (pass.kernel, pass.on(target).entry, pass.on(target).constants);
                let ahead: Vec<_> = kernels(&lane).iter().map(made).collect();
                let step: Vec<_> = compile(&task, &lane, &optimizer).train.iter().map(made).collect();
                assert_eq!(ahead, step, "{lane:?}");
            }
        }
    }
}
