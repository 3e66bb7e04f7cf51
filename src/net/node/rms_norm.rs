//! A norm by the root of the mean square, with a frozen weight.

use super::{Operation, Recorder, Value};
use crate::op::pad;
use crate::op::rms_norm::{Dims, RMS_NORM, RMS_NORM_BACKWARD};
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, from: Wire, weight: FrozenTensor, eps: f32, recorder: &mut Recorder) -> Operation {
    let [x, out] = [from, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let weight = recorder.shared.tensor(weight);
    Operation::Pass(RMS_NORM.pass(dims(wire, eps, recorder), &[("x", x), ("weight", weight), ("out", out)]))
}

/// The gradient of `from`, from that of `wire`.
pub fn backward(
    wire: Wire,
    (from, weight, eps): (Wire, FrozenTensor, f32),
    dy: Value,
    dx: Value,
    recorder: &mut Recorder,
) -> Operation {
    let [x, dy, dx] = [Value::Output(from), dy, dx].map(|value| recorder.buffer(value));
    let weight = recorder.shared.tensor(weight);
    let buffers = [("x", x), ("weight", weight), ("dy", dy), ("dx", dx)];
    Operation::Pass(RMS_NORM_BACKWARD.pass(dims(wire, eps, recorder), &buffers))
}

fn dims(wire: Wire, eps: f32, recorder: &Recorder) -> Dims {
    let width = recorder.network.width(wire);
    Dims { tokens: recorder.batch.tokens() as u32, width: pad(width) as u32, real_width: width as u32, eps }
}
