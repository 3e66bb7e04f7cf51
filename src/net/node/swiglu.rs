//! The gated product of a transformer's feed-forward part, `silu(gate) ∘ up`.

use super::{Operation, Recorder, Value};
use crate::op::swiglu::{Dims, SWIGLU, SWIGLU_BACKWARD};
use crate::task::network::Wire;

pub fn forward(wire: Wire, gate: Wire, up: Wire, recorder: &mut Recorder) -> Operation {
    let [gate, up, out] = [gate, up, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let dims = Dims { elements: recorder.elements(wire) as u32 };
    Operation::Pass(SWIGLU.pass(dims, &[("gate", gate), ("up", up), ("out", out)]))
}

/// Gradients of both. One that nothing asks for is written where nothing reads it.
pub fn backward(
    wire: Wire,
    [gate, up]: [Wire; 2],
    dy: Value,
    to: [Option<Value>; 2],
    recorder: &mut Recorder,
) -> Operation {
    let [d_gate, d_up] = [(gate, to[0]), (up, to[1])]
        .map(|(from, to)| recorder.buffer(to.unwrap_or(Value::Share { of: from, by: wire })));
    let [gate, up] = [gate, up].map(|wire| recorder.buffer(Value::Output(wire)));
    let d_out = recorder.buffer(dy);
    let dims = Dims { elements: recorder.elements(wire) as u32 };
    let buffers = [("gate", gate), ("up", up), ("d_out", d_out), ("d_gate", d_gate), ("d_up", d_up)];
    Operation::Pass(SWIGLU_BACKWARD.pass(dims, &buffers))
}
