//! The rows of a frozen table that the tokens name. Nothing goes back to tokens.

use super::{Operation, Recorder, Value};
use crate::op::embedding::{self, EMBEDDING};
use crate::op::pad;
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, tokens: Wire, table: FrozenTensor, recorder: &mut Recorder) -> Operation {
    let [ids, out] = [tokens, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let dims = embedding::Dims {
        tokens: recorder.batch.tokens() as u32,
        real_tokens: recorder.batch.real_tokens() as u32,
        ids_width: pad(recorder.network.width(tokens)) as u32,
        ids_batched: recorder.is_rows(tokens).into(),
        width: pad(recorder.network.width(wire)) as u32,
    };
    let table = recorder.shared.tensor(table);
    Operation::Pass(EMBEDDING.pass(dims, &[("ids", ids), ("table", table), ("out", out)]))
}
