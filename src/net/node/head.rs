//! Logits: a linear layer that no lane adapts, whose weight is a table, often the embedding's; a lane may train a change of it.

use super::{Operation, Recorder, Value};
use crate::graph::{Buffer, GRADS, NOTHING, PARAMS, SINK};
use crate::op::layer::{self, LAYER_BACKWARD, LAYER_FORWARD};
use crate::op::pad;
use crate::op::weight_grad::{self, WEIGHT_GRAD};
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, from: Wire, table: FrozenTensor, recorder: &mut Recorder) -> Operation {
    let [x, out] = [from, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let saved = recorder.saved(wire);
    let dims = layer::ForwardDims {
        tokens: recorder.batch.tokens() as u32,
        inputs: pad(recorder.network.width(from)) as u32,
        outputs: pad(recorder.network.width(wire)) as u32,
        dense: saved.is_some().into(),
        offset: saved.unwrap_or(0) as u32,
        ..Default::default()
    };
    let buffers = [
        ("x", x),
        ("w0", recorder.shared.tensor(table)),
        ("params", PARAMS),
        ("gated", NOTHING),
        ("base", recorder.shared.no_bias),
        ("expected", NOTHING),
        ("out", out),
        ("losses", SINK),
    ];
    Operation::Pass(LAYER_FORWARD.pass(dims, &buffers))
}

/// The gradient of what it reads, where that is asked for, and of its table, where the lane trains it.
pub fn backward(
    wire: Wire,
    (from, table): (Wire, FrozenTensor),
    dy: Value,
    dx: Option<Value>,
    recorder: &mut Recorder,
) -> Vec<Operation> {
    let dy = recorder.buffer(dy);
    let mut operations = Vec::new();
    if let Some(dx) = dx {
        operations.push(input(wire, (from, table), (dy, recorder.buffer(dx)), recorder));
    }
    // Behind the other, which reads the table as it was.
    if let Some(offset) = recorder.saved(wire) {
        let (inputs, outputs) = (pad(recorder.network.width(from)) as u32, pad(recorder.network.width(wire)) as u32);
        let dims = weight_grad::Dims {
            rows: recorder.batch.tokens() as u32,
            m0: outputs,
            n0: inputs,
            left_stride0: outputs,
            right_stride0: inputs,
            out0: offset as u32,
            ..Default::default()
        };
        let x = recorder.buffer(Value::Output(from));
        let buffers = [("left0", dy), ("right0", x), ("left1", NOTHING), ("right1", NOTHING), ("grads", GRADS)];
        operations.push(Operation::Pass(WEIGHT_GRAD.pass(dims, &buffers)));
        operations.push(Operation::Update(offset, (outputs * inputs) as usize));
    }
    operations
}

fn input(
    wire: Wire,
    (from, table): (Wire, FrozenTensor),
    (dy, dx): (Buffer, Buffer),
    recorder: &Recorder,
) -> Operation {
    let saved = recorder.saved(wire);
    let dims = layer::BackwardDims {
        tokens: recorder.batch.tokens() as u32,
        inputs: pad(recorder.network.width(from)) as u32,
        outputs: pad(recorder.network.width(wire)) as u32,
        dense: saved.is_some().into(),
        offset: saved.unwrap_or(0) as u32,
        ..Default::default()
    };
    let buffers = [
        ("dy", dy),
        ("w0", recorder.shared.tensor(table)),
        ("params", PARAMS),
        ("d_down", NOTHING),
        ("dq", NOTHING),
        ("pre", NOTHING),
        ("dx", dx),
    ];
    Operation::Pass(LAYER_BACKWARD.pass(dims, &buffers))
}
