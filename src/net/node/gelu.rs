//! GELU of a wire, and its derivative times what comes back.

use super::{Operation, Recorder, Value};
use crate::graph::Pass;
use crate::op::gelu::{self, GELU, GELU_BACKWARD};
use crate::task::network::Wire;

/// `dx = dy ∘ gelu'(x)`.
#[derive(Clone, Debug)]
pub struct Backward {
    /// Its own wire, and the one it reads.
    pub wire: Wire,
    pub from: Wire,
    pub dy: Value,
    pub dx: Value,
}

pub fn forward(wire: Wire, from: Wire, recorder: &mut Recorder) -> Operation {
    let [pre, out] = [from, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let dims = gelu::Dims { elements: recorder.elements(wire) as u32 };
    Operation::Pass(GELU.pass(dims, &[("pre", pre), ("out", out)]))
}

impl Backward {
    pub fn pass(&self, recorder: &mut Recorder) -> Pass {
        let [pre, d_out, d_pre] = [Value::Output(self.from), self.dy, self.dx].map(|value| recorder.buffer(value));
        let dims = gelu::Dims { elements: recorder.elements(self.wire) as u32 };
        GELU_BACKWARD.pass(dims, &[("pre", pre), ("d_out", d_out), ("d_pre", d_pre)])
    }
}
