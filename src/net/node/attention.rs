//! Causal attention. Forward keeps one number for each token and head, the logarithm of its softmax's sum, from which
//! the way back makes the weights anew: they are never stored.

use super::{Operation, Recorder, Value};
use crate::graph::Buffer;
use crate::op::attention::{ATTENTION, ATTENTION_BACKWARD_KEY, ATTENTION_BACKWARD_QUERY, Dims};
use crate::op::attention_continued::{self, ATTENTION_CONTINUED};
use crate::op::pad;
use crate::task::network::{Heads, Wire};

/// What it reads.
#[derive(Clone, Copy, Debug)]
pub struct Reads {
    pub query: Wire,
    pub key: Wire,
    pub value: Wire,
    pub heads: Heads,
}

pub fn forward(wire: Wire, reads: Reads, recorder: &mut Recorder) -> Operation {
    let [q, k, v, out] = [reads.query, reads.key, reads.value, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    if recorder.batch.positions > 0 {
        return continued(wire, reads, [q, k, v, out], recorder);
    }
    let lse = per_head(wire, "lse", reads.heads, recorder);
    let buffers = [("q", q), ("k", k), ("v", v), ("out", out), ("lse", lse)];
    Operation::Pass(ATTENTION.pass(dims(reads, recorder), &buffers))
}

/// Of tokens with which a sequence goes on, with caches of the keys and values before them.
fn continued(wire: Wire, reads: Reads, [q, k, v, out]: [Buffer; 4], recorder: &mut Recorder) -> Operation {
    let Dims { tokens, heads, kv_heads, head_dim, q_width, kv_width, scale, .. } = dims(reads, recorder);
    let dims = attention_continued::Dims { tokens, heads, kv_heads, head_dim, q_width, kv_width, scale };
    let len = recorder.batch.positions * kv_width as usize;
    let [keys, values] = ["keys", "values"].map(|what| {
        let name = format!("{}.{what}", recorder.name(wire));
        recorder.arena.buffer(name, len)
    });
    let buffers = [("q", q), ("k", k), ("v", v), ("keys", keys), ("values", values), ("out", out)];
    Operation::Pass(ATTENTION_CONTINUED.pass(dims, &buffers))
}

/// Gradients of queries, keys and values, where they are asked for.
pub fn backward(
    wire: Wire,
    reads: Reads,
    dy: Value,
    to: [Option<Value>; 3],
    recorder: &mut Recorder,
) -> Vec<Operation> {
    let [q, k, v, out] = [reads.query, reads.key, reads.value, wire].map(|wire| recorder.buffer(Value::Output(wire)));
    let d_out = recorder.buffer(dy);
    let [lse, delta] = ["lse", "delta"].map(|what| per_head(wire, what, reads.heads, recorder));
    // Both kernels write all that they make; what nothing asks for has a buffer that nothing reads.
    let [dq, dk, dv] = [(reads.query, 0), (reads.key, 1), (reads.value, 2)].map(|(from, place)| match to[place] {
        Some(value) => recorder.buffer(value),
        None => recorder.buffer(Value::Share { of: from, by: wire }),
    });
    let dims = dims(reads, recorder);
    let given = [("q", q), ("k", k), ("v", v), ("d_out", d_out), ("lse", lse)];
    let query = [&given[..], &[("out", out), ("dq", dq), ("delta", delta)]].concat();
    let key = [&given[..], &[("delta", delta), ("dk", dk), ("dv", dv)]].concat();
    vec![
        Operation::Pass(ATTENTION_BACKWARD_QUERY.pass(dims, &query)),
        Operation::Pass(ATTENTION_BACKWARD_KEY.pass(dims, &key)),
    ]
}

/// A number for each token and head.
fn per_head(wire: Wire, what: &str, heads: Heads, recorder: &mut Recorder) -> Buffer {
    let name = format!("{}.{what}", recorder.name(wire));
    recorder.arena.shared(&name, recorder.batch.tokens() * pad(heads.heads))
}

fn dims(reads: Reads, recorder: &Recorder) -> Dims {
    let Heads { heads, kv_heads, width } = reads.heads;
    Dims {
        tokens: recorder.batch.tokens() as u32,
        real_tokens: recorder.batch.real_tokens() as u32,
        sequence: recorder.batch.sequence as u32,
        heads: heads as u32,
        kv_heads: kv_heads as u32,
        head_dim: width as u32,
        q_width: pad(heads * width) as u32,
        kv_width: pad(kv_heads * width) as u32,
        heads_width: pad(heads) as u32,
        scale: (1.0 / (width as f64).sqrt()) as f32,
    }
}
