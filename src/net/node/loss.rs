//! What the output is compared with: the loss in parts that AdamW's passes add up, and the gradient of the output.

use super::{Batch, Operation, Recorder, Value};
use crate::graph::{LOSSES, Pass};
use crate::op::cross_entropy::{self, CROSS_ENTROPY};
use crate::op::distil::{self, DISTIL};
use crate::op::mse::{self, MSE};
use crate::op::pad;
use crate::task::{LossKind, Soft, Targets, UNCOUNTED};

/// Mean squared error.
#[derive(Clone, Copy, Debug)]
pub struct Mse {
    pub dims: mse::Dims,
}

/// Partial sums that the loss is written in.
pub fn parts(loss: LossKind, batch: Batch, outputs: usize) -> usize {
    match loss {
        LossKind::Mse => batch.tokens() / 8 * (pad(outputs) / 8),
        LossKind::CrossEntropy => batch.tokens(),
    }
}

/// Tokens of a batch whose loss counts: all of them, but where a task of one batch leaves out some.
pub fn counted(targets: &Targets, batch: Batch) -> usize {
    match targets {
        Targets::Classes(classes) if classes.len() == batch.real_tokens() => {
            classes.iter().filter(|&&class| class != UNCOUNTED).count().max(1)
        }
        _ => batch.real_tokens(),
    }
}

/// What it is a mean over.
pub fn elements(loss: LossKind, counted: usize, batch: Batch, outputs: usize) -> usize {
    match loss {
        LossKind::Mse => batch.real_tokens() * outputs,
        LossKind::CrossEntropy => counted,
    }
}

/// Reads the output and writes its gradient.
pub fn compare(loss: LossKind, counted: usize, recorder: &mut Recorder) -> Operation {
    let (batch, real_outputs) = (recorder.batch, recorder.network.outputs());
    let (tokens, outputs, loss_at) = (batch.tokens() as u32, pad(real_outputs) as u32, recorder.loss_at as u32);
    let (real_tokens, elements) = (batch.real_tokens() as u32, elements(loss, counted, batch, real_outputs));
    let real_outputs = real_outputs as u32;
    match loss {
        LossKind::Mse => {
            let grad_scale = (2.0 / elements as f64) as f32;
            Operation::Mse(Mse { dims: mse::Dims { tokens, outputs, real_tokens, real_outputs, loss_at, grad_scale } })
        }
        LossKind::CrossEntropy => {
            let dims =
                cross_entropy::Dims { tokens, outputs, real_tokens, real_outputs, loss_at, counted: counted as u32 };
            let output = recorder.network.output();
            let [y, dy] = [Value::Output(output), Value::Gradient(output)].map(|value| recorder.buffer(value));
            let buffers = [("y", y), ("labels", recorder.shared.target), ("dy", dy), ("losses", LOSSES)];
            Operation::Pass(CROSS_ENTROPY.pass(dims, &buffers))
        }
    }
}

/// The same against a teacher's expectations, over all tokens.
pub fn distil(soft: &Soft, recorder: &mut Recorder) -> Operation {
    let (batch, output) = (recorder.batch, recorder.network.output());
    let dims = distil::Dims {
        tokens: batch.tokens() as u32,
        outputs: pad(recorder.network.outputs()) as u32,
        real_tokens: batch.real_tokens() as u32,
        real_outputs: recorder.network.outputs() as u32,
        loss_at: recorder.loss_at as u32,
        temperature: soft.temperature as f32,
        mix: soft.mix as f32,
    };
    let [y, dy] = [Value::Output(output), Value::Gradient(output)].map(|value| recorder.buffer(value));
    let (aim, labels) = (recorder.shared.soft, recorder.shared.target);
    Operation::Pass(DISTIL.pass(dims, &[("y", y), ("aim", aim), ("labels", labels), ("dy", dy), ("losses", LOSSES)]))
}

impl Mse {
    pub fn pass(&self, recorder: &mut Recorder) -> Pass {
        let output = recorder.network.output();
        let [y, dy] = [Value::Output(output), Value::Gradient(output)].map(|value| recorder.buffer(value));
        MSE.pass(self.dims, &[("y", y), ("expected", recorder.shared.target), ("dy", dy), ("losses", LOSSES)])
    }
}
