//! Rotary positions. The way back turns the other way.

use super::{Operation, Recorder, Value};
use crate::op::pad;
use crate::op::rotate::{Dims, ROTATE};
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, from: Wire, by: (FrozenTensor, usize), recorder: &mut Recorder) -> Operation {
    record(wire, Value::Output(from), Value::Output(wire), by, 1.0, recorder)
}

pub fn backward(wire: Wire, dy: Value, dx: Value, by: (FrozenTensor, usize), recorder: &mut Recorder) -> Operation {
    record(wire, dy, dx, by, -1.0, recorder)
}

fn record(
    wire: Wire,
    from: Value,
    to: Value,
    (table, heads): (FrozenTensor, usize),
    direction: f32,
    recorder: &mut Recorder,
) -> Operation {
    let [x, out] = [from, to].map(|value| recorder.buffer(value));
    let (network, batch) = (recorder.network, recorder.batch);
    let head_dim = network.tensors()[table.index()].cols;
    let dims = Dims {
        tokens: batch.tokens() as u32,
        width: pad(network.width(wire)) as u32,
        heads: heads as u32,
        head_dim: head_dim as u32,
        table_width: pad(head_dim) as u32,
        sequence: batch.sequence as u32,
        continued: (batch.positions > 0).into(),
        direction,
    };
    Operation::Pass(ROTATE.pass(dims, &[("x", x), ("table", recorder.shared.tensor(table)), ("out", out)]))
}
