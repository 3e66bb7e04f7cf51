//! One lane's recordings: forward, loss, backward, update; and one that ends in the output.

use super::LOSS_SLOTS;
use super::shared::{TARGET, X, base, weight};
use crate::adapter::Parts;
use crate::adapter::{Adapted, Frozen, Place, record};
use crate::config::Init;
use crate::config::{Lane, Optimizer};
use crate::graph::{Arena, Buffer, GRADS, LOSSES, MOMENTS, NOTHING, PARAMS, Pass, SINK, Tensor, Update};
use crate::op::adamw::ADAMW;
use crate::op::adamw::LOSS_PARTS;
use crate::op::cross_entropy::CROSS_ENTROPY;
use crate::op::gelu::GELU;
use crate::op::layer::{LAYER_BACKWARD, LAYER_FORWARD};
use crate::op::{PAD, adamw, cross_entropy, gelu, layer, pad};
use crate::task::{Activation, LossKind, TaskData};

/// A compiled lane.
#[derive(Debug)]
pub struct LaneProgram {
    /// Name and length of each buffer of the lane's own.
    pub buffers: Vec<(String, usize)>,
    /// Forward and backward: leaves the gradients in `grads` and the loss ready to be gathered.
    pub gradients: Vec<Pass>,
    /// A training step: the same with AdamW, and the loss into its slot.
    pub train: Vec<Pass>,
    /// Forward alone, into `output`.
    pub output: Vec<Pass>,
    /// Buffers that training carries from step to step.
    pub state: Vec<Buffer>,
    /// Buffers of the lane's own that are not zero at first, and never change.
    pub constants: Vec<(Buffer, Vec<f32>)>,
    /// Trainable tensors, in `params`; the same places hold their gradients and moments.
    pub tensors: Vec<Tensor>,
    /// Tensors in `params` that nothing trains.
    pub fixed: Vec<Tensor>,
    /// What the layers really add where that is made of other parameters: lora_A and lora_B, or delta, by layer.
    pub made: Vec<(Buffer, Tensor)>,
    /// Gates by layer, with the buffer they are in.
    pub gates: Vec<(usize, Buffer, Tensor)>,
    /// What gates of two parts are made of, by layer.
    pub parts: Vec<(usize, Parts)>,
    /// `[batch, sequence, outputs]` of the last layer.
    pub output_tensor: (Buffer, Tensor),
    /// Trainable parameters, padding not counted.
    pub parameters: usize,
    /// Padded width of `params`.
    pub padded: usize,
}

struct LayerBuffers {
    x: Buffer,
    x_batched: bool,
    /// The layer's output, before its activation.
    y: Buffer,
    dy: Buffer,
}

/// Compile `lane` on `task`'s base network.
pub fn compile(task: &TaskData, lane: &Lane, optimizer: &Optimizer) -> LaneProgram {
    let (real_tokens, tokens) = (task.batch_rows(), pad(task.batch_rows()));
    let count = task.layers.len();
    let mse = task.loss == LossKind::Mse;
    let tiles = if mse { tokens / 8 * (pad(task.layers[count - 1].outputs) / 8) } else { tokens };
    let loss_at = LOSS_SLOTS * LOSS_PARTS;
    let mut arena = Arena::new(loss_at + tiles);
    let mut x = X;
    let mut places = Vec::new();
    for (l, spec) in task.layers.iter().enumerate() {
        let size = tokens * pad(spec.outputs);
        let y = arena.buffer(format!("layers.{l}.y"), size);
        let dy = arena.buffer(format!("layers.{l}.dy"), size);
        places.push(LayerBuffers { x, x_batched: l == 0, y, dy });
        x = match spec.activation {
            Activation::Gelu => arena.buffer(format!("layers.{l}.act"), size),
            Activation::None => y,
        };
    }
    let names: Vec<String> = (0..count).map(|l| format!("layers.{l}")).collect();
    let chosen: Vec<usize> = (0..count).filter(|&l| lane.adapts(l)).collect();
    let mut constants = Vec::new();
    let adapted: Vec<Option<Adapted>> = (0..count)
        .map(|l| {
            let index = chosen.iter().position(|&c| c == l)?;
            let (spec, at) = (task.layers[l], &places[l]);
            let place = Place {
                name: &names[l],
                x: at.x,
                weight: weight(l),
                x_batched: at.x_batched,
                dy: at.dy,
                tokens,
                real_tokens,
                sequence: task.sequence,
                index,
                count: chosen.len(),
                inputs: spec.inputs,
                outputs: spec.outputs,
            };
            let method = lane.method_at(l);
            let mut adapted = record(&method, &lane.options, &place, &mut arena);
            adapted.frozen = frozen(task, lane, l, &mut arena, &mut constants);
            Some(adapted)
        })
        .collect();

    let (last, out) = (count - 1, task.layers[count - 1].outputs);
    let elements = real_tokens * out;
    let mut forward = Vec::new();
    for l in 0..count {
        let (spec, at) = (task.layers[l], &places[l]);
        if let Some(adapted) = &adapted[l] {
            forward.extend(adapted.forward.iter().cloned());
        }
        if l == last {
            break;
        }
        forward.push(layer_forward(task, l, at, adapted[l].as_ref(), tokens, real_tokens, None));
        if spec.activation == Activation::Gelu {
            let elements = (tokens * pad(spec.outputs)) as u32;
            forward.push(GELU.pass(gelu::Dims { elements }, &[("pre", at.y), ("out", places[l + 1].x)]));
        }
    }
    let end = |loss| layer_forward(task, last, &places[last], adapted[last].as_ref(), tokens, real_tokens, loss);
    let mut output: Vec<Pass> = forward.iter().map(Pass::at_rest).collect();
    output.push(end(None));
    let mut gradients = forward;
    if mse {
        gradients.push(end(Some((loss_at, 2.0 / elements as f64))));
    } else {
        gradients.push(end(None));
        let dims = cross_entropy::Dims {
            tokens: tokens as u32,
            outputs: pad(out) as u32,
            real_tokens: real_tokens as u32,
            real_outputs: out as u32,
            loss_at: loss_at as u32,
        };
        let at = &places[last];
        gradients.push(CROSS_ENTROPY.pass(dims, &[("y", at.y), ("labels", TARGET), ("dy", at.dy), ("losses", LOSSES)]));
    }
    arena.seal();
    let padded = arena.buffers[0].1;
    // A training step is the same passes with AdamW in those, or after those, that leave a parameter's whole gradient.
    let mut train = Training {
        passes: gradients.clone(),
        update: Update {
            elements: padded as u32,
            loss_at: loss_at as u32,
            tiles: tiles as u32,
            beta1: optimizer.beta1 as f32,
            beta2: optimizer.beta2 as f32,
            one_minus_beta1: (1.0 - optimizer.beta1) as f32,
            one_minus_beta2: (1.0 - optimizer.beta2) as f32,
            eps: optimizer.eps as f32,
            loss_scale: 1.0 / if mse { elements } else { real_tokens } as f32,
        },
        covered: 0,
    };
    let lowest = adapted.iter().position(Option::is_some).unwrap_or(last);
    for l in (lowest..count).rev() {
        // Gradients of weights come last: with AdamW in the same pass, they change what the layer's own reads.
        let passes = adapted[l].iter().flat_map(|a| a.backward.iter().cloned());
        let (weights, mut others): (Vec<_>, Vec<_>) = passes.partition(|pass| pass.kernel.update.is_some());
        if l > lowest {
            others.push(layer_backward(task, l, &places, adapted[l].as_ref(), tokens));
        }
        gradients.extend(others.iter().chain(&weights).cloned());
        train.passes.extend(others);
        let Some(adapted) = &adapted[l] else { continue };
        gradients.extend(adapted.backward_factors.iter().cloned());
        match adapted.updates {
            None => train.fuse(weights),
            Some(range) => {
                train.passes.extend(weights.into_iter().chain(adapted.backward_factors.iter().cloned()));
                train.apart(range);
            }
        }
    }
    let covered = train.covered as usize + arena.fixed_elements;
    debug_assert_eq!(covered, arena.params, "every parameter has a pass that trains it");
    let mut train = train.passes;
    train.extend(adapted.iter().flatten().flat_map(|a| a.after.iter().cloned()));
    train.extend(adapted.iter().flatten().flat_map(|a| a.last.iter().cloned()));
    let mut state = vec![PARAMS, MOMENTS];
    state.extend(adapted.iter().flatten().flat_map(|a| a.state.iter().copied()));
    let parameters = arena.parameter_count();
    let width = pad(out);
    LaneProgram {
        gradients,
        train,
        output,
        made: adapted.iter().flatten().flat_map(|a| a.made.iter().cloned()).collect(),
        parts: adapted.iter().enumerate().filter_map(|(l, a)| Some((l, a.as_ref()?.parts.clone()?))).collect(),
        gates: adapted
            .into_iter()
            .enumerate()
            .filter_map(|(l, a)| a.and_then(|a| a.gate).map(|(buffer, tensor)| (l, buffer, tensor)))
            .collect(),
        output_tensor: (
            places[last].y,
            Tensor {
                name: "output".into(),
                shape: vec![task.batch_sequences, task.sequence, out],
                offset: 0,
                strides: vec![task.sequence * width, width, 1],
            },
        ),
        buffers: arena.buffers,
        state,
        constants,
        tensors: arena.tensors,
        fixed: arena.fixed,
        parameters,
        padded,
    }
}

/// The frozen weight of a lane that begins at its largest directions: what is left of it, in buffers of the lane's own.
fn frozen(
    task: &TaskData,
    lane: &Lane,
    l: usize,
    arena: &mut Arena,
    constants: &mut Vec<(Buffer, Vec<f32>)>,
) -> Option<Frozen> {
    if lane.options.init != Init::Pissa {
        return None;
    }
    let split = super::initial::pissa(task, l, &lane.method_at(l));
    let (weight, base, target) = super::shared::frozen(task, l, &split.residual);
    let mut put = |what: &str, values: Vec<f32>| {
        let buffer = arena.buffer(format!("layers.{l}.frozen.{what}"), values.len());
        constants.push((buffer, values));
        buffer
    };
    let target = target.map_or(TARGET, |target| put("expected", target));
    Some(Frozen { weight: put("weight", weight), base: put("base", base), target })
}

/// The kernels that training `lane` takes on a network of one layer under MSE, with dims that mean nothing but for what
/// pipelines are made with: what a device may compile while the data are still being made.
pub fn kernels(lane: &Lane) -> Vec<Pass> {
    let place = Place {
        name: "",
        x: X,
        weight: weight(0),
        x_batched: true,
        dy: SINK,
        tokens: PAD,
        real_tokens: PAD,
        sequence: 1,
        index: 0,
        count: 1,
        inputs: PAD,
        outputs: PAD,
    };
    let adapted = record(&lane.method, &lane.options, &place, &mut Arena::new(0));
    let trained = |pass: Pass| pass.with_update(&Default::default()).map_or(pass, |(pass, _)| pass);
    let dense = adapted.delta.is_some().into();
    let slots = adapted.up.map_or(0, |up| up.slots) as u32;
    let dims = layer::ForwardDims { base_cached: 1, mse: 1, dense, slots, ..Default::default() };
    let layer =
        LAYER_FORWARD.pass(dims, &LAYER_FORWARD.bindings.iter().map(|&(name, _)| (name, SINK)).collect::<Vec<_>>());
    adapted.forward.into_iter().chain([layer]).chain(adapted.backward.into_iter().map(trained)).collect()
}

/// A training step in the making.
struct Training {
    passes: Vec<Pass>,
    /// Its `tiles` are 0 once a pass has been given the loss to gather.
    update: Update,
    /// Parameters that have been given their update.
    covered: u32,
}

impl Training {
    /// Passes that leave whole gradients of parameters, each with AdamW at its end.
    fn fuse(&mut self, weights: Vec<Pass>) {
        for pass in weights {
            let Some((pass, elements)) = pass.with_update(&self.update) else { continue };
            self.covered += elements;
            if pass.kernel.binds("losses") {
                self.update.tiles = 0;
            }
            self.passes.push(pass);
        }
    }

    /// AdamW for parameters (first, how many) whose gradients are ready, with more than one part or by way of others.
    fn apart(&mut self, (begin, count): (usize, usize)) {
        let dims = adamw::Dims { begin: begin as u32, count: count as u32, ..Default::default() };
        self.passes.push(ADAMW.pass(
            dims.with_update(&self.update),
            &[("grads", GRADS), ("params", PARAMS), ("moments", MOMENTS), ("losses", LOSSES)],
        ));
        self.update.tiles = 0;
        self.covered += dims.count;
    }
}

/// The layer's own forward pass, ending in y, or in the MSE loss (where its tiles begin, and the gradient's scale).
fn layer_forward(
    task: &TaskData,
    l: usize,
    place: &LayerBuffers,
    adapted: Option<&Adapted>,
    tokens: usize,
    real_tokens: usize,
    loss: Option<(usize, f64)>,
) -> Pass {
    let spec = task.layers[l];
    let up = adapted.and_then(|a| a.up);
    let delta = adapted.and_then(|a| a.delta);
    let at = delta.or(up.map(|u| (u.at, u.offset))).unwrap_or((PARAMS, 0));
    let frozen = frozen_at(l, adapted);
    let dims = layer::ForwardDims {
        tokens: tokens as u32,
        inputs: pad(spec.inputs) as u32,
        outputs: pad(spec.outputs) as u32,
        slots: up.map_or(0, |u| u.slots) as u32,
        x_batched: place.x_batched.into(),
        // Only the first layer's input is known beforehand.
        base_cached: (l == 0).into(),
        dense: delta.is_some().into(),
        offset: at.1 as u32,
        mse: loss.is_some().into(),
        real_tokens: real_tokens as u32,
        real_outputs: spec.outputs as u32,
        loss_at: loss.map_or(0, |(at, _)| at) as u32,
        grad_scale: loss.map_or(0.0, |(_, scale)| scale as f32),
    };
    let (out, partial, target) = match loss {
        Some(_) => (place.dy, LOSSES, frozen.target),
        None => (place.y, SINK, NOTHING),
    };
    let hg = up.map_or(NOTHING, |u| u.hg);
    LAYER_FORWARD.pass(
        dims,
        &[
            ("x", place.x),
            ("w0", frozen.weight),
            ("params", at.0),
            ("gated", hg),
            ("base", frozen.base),
            ("expected", target),
            ("out", out),
            ("losses", partial),
        ],
    )
}

/// The gradient of layer `l`'s input, which is that of the layer before's output.
fn layer_backward(
    task: &TaskData,
    l: usize,
    places: &[LayerBuffers],
    adapted: Option<&Adapted>,
    tokens: usize,
) -> Pass {
    let spec = task.layers[l];
    let down = adapted.and_then(|a| a.down);
    let delta = adapted.and_then(|a| a.delta);
    let gate = adapted.and_then(|a| a.gate_input);
    let at = delta.or(down.map(|d| (d.at, d.offset))).unwrap_or((PARAMS, 0));
    let before = &places[l - 1];
    let activation = task.layers[l - 1].activation;
    let dims = layer::BackwardDims {
        tokens: tokens as u32,
        inputs: pad(spec.inputs) as u32,
        outputs: pad(spec.outputs) as u32,
        slots: down.map_or(0, |d| d.rows) as u32,
        dense: delta.is_some().into(),
        offset: at.1 as u32,
        gate_tokens: gate.map_or(0, |g| g.gate_tokens) as u32,
        gelu: (activation == Activation::Gelu).into(),
    };
    let dhz = down.map_or(NOTHING, |d| d.dhz);
    let dq = gate.map_or(NOTHING, |g| g.dq);
    LAYER_BACKWARD.pass(
        dims,
        &[
            ("dy", places[l].dy),
            ("w0", frozen_at(l, adapted).weight),
            ("params", at.0),
            ("d_down", dhz),
            ("dq", dq),
            ("pre", before.y),
            ("dx", before.dy),
        ],
    )
}

/// The frozen weight and base that a layer reads, and the target: shared, or the lane's own.
fn frozen_at(l: usize, adapted: Option<&Adapted>) -> Frozen {
    adapted.and_then(|a| a.frozen).unwrap_or(Frozen { weight: weight(l), base: base(l), target: TARGET })
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
