//! The rows of a table that the tokens name. Nothing goes back to tokens; where the lane trains the table, its gradient.

use super::{Operation, Recorder, Value};
use crate::graph::{GRADS, PARAMS};
use crate::op::embedding::{Dims, EMBEDDING, EMBEDDING_BACKWARD};
use crate::op::pad;
use crate::task::network::{FrozenTensor, Wire};

pub fn forward(wire: Wire, tokens: Wire, table: FrozenTensor, recorder: &mut Recorder) -> Operation {
    let [ids, out] = [tokens, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let dims = dims(wire, tokens, table, recorder);
    let table = recorder.shared.tensor(table);
    Operation::Pass(EMBEDDING.pass(dims, &[("ids", ids), ("w0", table), ("params", PARAMS), ("out", out)]))
}

pub fn backward(
    wire: Wire,
    (tokens, table): (Wire, FrozenTensor),
    dy: Value,
    recorder: &mut Recorder,
) -> Vec<Operation> {
    let Some(offset) = recorder.saved(wire) else { return Vec::new() };
    let (ids, dy) = (recorder.buffer(Value::Output(tokens)), recorder.buffer(dy));
    let dims = dims(wire, tokens, table, recorder);
    let gradient = EMBEDDING_BACKWARD.pass(dims, &[("ids", ids), ("dy", dy), ("grads", GRADS)]);
    vec![Operation::Pass(gradient), Operation::Update(offset, (dims.rows * dims.width) as usize)]
}

fn dims(wire: Wire, tokens: Wire, table: FrozenTensor, recorder: &Recorder) -> Dims {
    let saved = recorder.saved(wire);
    Dims {
        tokens: recorder.batch.tokens() as u32,
        real_tokens: recorder.batch.real_tokens() as u32,
        ids_width: pad(recorder.network.width(tokens)) as u32,
        ids_batched: recorder.is_rows(tokens).into(),
        width: pad(recorder.network.width(wire)) as u32,
        rows: pad(recorder.network.tensors()[table.index()].rows) as u32,
        trained: saved.is_some().into(),
        offset: saved.unwrap_or(0) as u32,
    }
}
