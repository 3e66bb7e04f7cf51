//! A sum of two wires. Its gradient goes to both as it is; where a wire is read more than once, what comes back is added
//! with the same kernel.

use super::{Operation, Recorder, Value};
use crate::graph::{Buffer, Pass};
use crate::op::add::{self, ADD};
use crate::op::pad;
use crate::task::network::Wire;

pub fn forward(wire: Wire, a: Wire, b: Wire, recorder: &mut Recorder) -> Operation {
    let batched = (recorder.is_rows(a), recorder.is_rows(b));
    let buffers = [a, b, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    Operation::Pass(pass(wire, batched, buffers, recorder))
}

/// The gradient of a wire from what its readers send back, in the order in which they do.
pub fn sum(wire: Wire, shares: &[Value], recorder: &mut Recorder) -> Vec<Operation> {
    let Some((&first, rest)) = shares.split_first() else { return Vec::new() };
    let mut so_far = first;
    let mut operations = Vec::new();
    for (&share, count) in rest.iter().zip(2..) {
        let whole = count == shares.len();
        let sum = if whole { Value::Gradient(wire) } else { Value::Sum { of: wire, count } };
        let buffers = [so_far, share, sum].map(|value| recorder.buffer(value));
        operations.push(Operation::Pass(pass(wire, (false, false), buffers, recorder)));
        so_far = sum;
    }
    operations
}

fn pass(wire: Wire, (a, b): (bool, bool), buffers: [Buffer; 3], recorder: &Recorder) -> Pass {
    let dims = add::Dims {
        elements: recorder.elements(wire) as u32,
        width: pad(recorder.network.width(wire)) as u32,
        a_batched: a.into(),
        b_batched: b.into(),
    };
    let [a, b, out] = buffers;
    ADD.pass(dims, &[("a", a), ("b", b), ("out", out)])
}
