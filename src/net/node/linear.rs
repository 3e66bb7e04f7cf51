//! A linear site: its adapter's passes around its own, the gradient of what it reads, and those of its parameters. Knows
//! adapters by what they record, not which they are.

use super::loss::Mse;
use super::{Operation, Recorder, Value};
use crate::graph::{LOSSES, NOTHING, PARAMS, Pass, SINK};
use crate::op::layer::{self, LAYER_BACKWARD, LAYER_FORWARD};
use crate::op::pad;
use crate::task::network::Wire;

/// The site's own forward pass, behind its adapter's.
#[derive(Clone, Debug)]
pub struct Forward {
    pub site: usize,
    /// The frozen product is known beforehand.
    pub cached: bool,
    /// It ends in the loss and its gradient; the output itself is not written.
    pub loss: Option<Mse>,
}

/// The gradient of what the site reads.
#[derive(Clone, Debug)]
pub struct Backward {
    pub site: usize,
    pub dy: Value,
    pub dx: Value,
    /// It is multiplied by GELU' of what this wire carries.
    pub gelu: Option<Wire>,
}

pub fn forward(site: usize, recorder: &mut Recorder) -> Vec<Operation> {
    let adapted = || recorder.sites[site].adapted.iter();
    let mut operations: Vec<_> = adapted().flat_map(|a| a.forward.iter().cloned()).map(Operation::Pass).collect();
    operations.push(Operation::Linear(Forward { site, cached: false, loss: None }));
    operations.extend(adapted().flat_map(|a| a.behind.iter().cloned()).map(Operation::Pass));
    operations
}

/// `dx`: where the gradient of its input goes, if anything asks for it.
pub fn backward(site: usize, dy: Value, dx: Option<Value>, recorder: &mut Recorder) -> Vec<Operation> {
    let input = dx.map(|dx| Operation::LinearBackward(Backward { site, dy, dx, gelu: None }));
    let Some(adapted) = &recorder.sites[site].adapted else { return input.into_iter().collect() };
    // Gradients of weights come last: with AdamW in the same pass, they change what the site's own reads.
    let (gradients, others): (Vec<_>, Vec<_>) =
        adapted.backward.iter().cloned().partition(|pass| pass.kernel.update.is_some());
    let mut operations: Vec<_> = others.into_iter().map(Operation::Pass).chain(input).collect();
    operations.extend(gradients.into_iter().map(|pass| Operation::ParameterGradient { site, pass }));
    operations.extend(adapted.backward_factors.iter().cloned().map(Operation::Pass));
    operations.extend(adapted.updates.map(|(begin, count)| Operation::Update(begin, count)));
    operations
}

impl Forward {
    pub fn pass(&self, recorder: &mut Recorder) -> Pass {
        let network = recorder.network;
        let (from, wire) = (network.site_input(self.site), network.site_output(self.site));
        let x = recorder.buffer(Value::Output(from));
        let out = recorder.buffer(if self.loss.is_some() { Value::Gradient(wire) } else { Value::Output(wire) });
        let (shape, site) = (&network.sites()[self.site], &recorder.sites[self.site]);
        let (up, delta) = site.adapted.as_ref().map_or((None, None), |a| (a.up, a.delta));
        let (at, offset) = delta.or(up.map(|up| (up.at, up.offset))).unwrap_or((PARAMS, 0));
        let dims = layer::ForwardDims {
            tokens: recorder.batch.tokens() as u32,
            inputs: pad(shape.inputs) as u32,
            outputs: pad(shape.outputs) as u32,
            slots: up.map_or(0, |up| up.slots) as u32,
            x_batched: recorder.is_rows(from).into(),
            base_cached: self.cached.into(),
            dense: delta.is_some().into(),
            offset: offset as u32,
            mse: self.loss.is_some().into(),
            real_tokens: recorder.batch.real_tokens() as u32,
            real_outputs: shape.outputs as u32,
            loss_at: self.loss.map_or(0, |mse| mse.dims.loss_at),
            grad_scale: self.loss.map_or(0.0, |mse| mse.dims.grad_scale),
        };
        let (target, losses) = if self.loss.is_some() { (site.frozen.target, LOSSES) } else { (NOTHING, SINK) };
        let gated = up.map_or(NOTHING, |up| up.gated);
        let buffers = [
            ("x", x),
            ("w0", site.frozen.weight),
            ("params", at),
            ("gated", gated),
            ("base", site.frozen.base),
            ("expected", target),
            ("out", out),
            ("losses", losses),
        ];
        LAYER_FORWARD.pass(dims, &buffers)
    }
}

impl Backward {
    pub fn pass(&self, recorder: &mut Recorder) -> Pass {
        let [dy, dx] = [self.dy, self.dx].map(|value| recorder.buffer(value));
        let pre = self.gelu.map_or(NOTHING, |wire| recorder.buffer(Value::Output(wire)));
        let (shape, site) = (&recorder.network.sites()[self.site], &recorder.sites[self.site]);
        let (down, delta, gate) = site.adapted.as_ref().map_or((None, None, None), |a| (a.down, a.delta, a.gate_input));
        let (at, offset) = delta.or(down.map(|down| (down.at, down.offset))).unwrap_or((PARAMS, 0));
        let dims = layer::BackwardDims {
            tokens: recorder.batch.tokens() as u32,
            inputs: pad(shape.inputs) as u32,
            outputs: pad(shape.outputs) as u32,
            slots: down.map_or(0, |down| down.rows) as u32,
            dense: delta.is_some().into(),
            offset: offset as u32,
            gate_tokens: gate.map_or(0, |gate| gate.gate_tokens) as u32,
            gelu: self.gelu.is_some().into(),
        };
        let d_down = down.map_or(NOTHING, |down| down.d_down);
        let dq = gate.map_or(NOTHING, |gate| gate.dq);
        let buffers = [
            ("dy", dy),
            ("w0", site.frozen.weight),
            ("params", at),
            ("d_down", d_down),
            ("dq", dq),
            ("pre", pre),
            ("dx", dx),
        ];
        LAYER_BACKWARD.pass(dims, &buffers)
    }
}
