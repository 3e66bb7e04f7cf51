//! Logits: a linear layer that no lane adapts, whose weight is a frozen table, often the embedding's.

use super::{Operation, Recorder, Value};
use crate::graph::{NOTHING, PARAMS, SINK};
use crate::op::layer::{self, LAYER_BACKWARD, LAYER_FORWARD};
use crate::op::pad;
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, from: Wire, table: FrozenTensor, recorder: &mut Recorder) -> Operation {
    let [x, out] = [from, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let dims = layer::ForwardDims {
        tokens: recorder.batch.tokens() as u32,
        inputs: pad(recorder.network.width(from)) as u32,
        outputs: pad(recorder.network.width(wire)) as u32,
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

pub fn backward(
    wire: Wire,
    (from, table): (Wire, FrozenTensor),
    dy: Value,
    dx: Value,
    recorder: &mut Recorder,
) -> Operation {
    let [dy, dx] = [dy, dx].map(|value| recorder.buffer(value));
    let dims = layer::BackwardDims {
        tokens: recorder.batch.tokens() as u32,
        inputs: pad(recorder.network.width(from)) as u32,
        outputs: pad(recorder.network.width(wire)) as u32,
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
