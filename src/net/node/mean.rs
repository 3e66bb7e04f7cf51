//! The mean over a sequence's rows, on each of them, and back.

use super::{Operation, Recorder, Value};
use crate::op::mean::{Dims, MEAN};
use crate::op::pad;
use crate::task::network::Wire;

pub fn forward(wire: Wire, from: Wire, recorder: &mut Recorder) -> Operation {
    record(wire, recorder.is_rows(from), [Value::Output(from), Value::Output(wire)], recorder)
}

pub fn backward(wire: Wire, dy: Value, dx: Value, recorder: &mut Recorder) -> Operation {
    record(wire, false, [dy, dx], recorder)
}

fn record(wire: Wire, batched: bool, values: [Value; 2], recorder: &mut Recorder) -> Operation {
    let [x, out] = values.map(|value| recorder.buffer(value));
    let (network, batch) = (recorder.network, recorder.batch);
    let dims = Dims {
        tokens: batch.tokens() as u32,
        real_tokens: batch.real_tokens() as u32,
        sequence: batch.sequence as u32,
        width: pad(network.width(wire)) as u32,
        x_batched: batched.into(),
    };
    Operation::Pass(MEAN.pass(dims, &[("x", x), ("out", out)]))
}
