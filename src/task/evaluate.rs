//! A network in plain numbers: the one forward pass outside of recordings, in f64 and with a tanh that is the same on every
//! machine, for whatever is found out before anything is compiled. What a site computes is the caller's to say; knows
//! nothing of adapters.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::network::{FrozenTensor, Heads, Network, Node, Wire};
use super::{BaseLayer, TaskData};
use crate::fixed::Fixed;
use crate::tensor::widened;

/// A network with what its nodes need beside the sites' weights.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    pub network: &'a Network,
    /// Values of its frozen tensors.
    pub tensors: &'a [Fixed],
    /// Tokens per sequence.
    pub sequence: usize,
}

impl<'a> From<&'a TaskData> for Plain<'a> {
    fn from(task: &'a TaskData) -> Self {
        Self { network: &task.network, tensors: &task.tensors, sequence: task.sequence }
    }
}

impl<'a> From<&'a Network> for Plain<'a> {
    /// A network without frozen tensors, whose rows have nothing to do with each other.
    fn from(network: &'a Network) -> Self {
        Self { network, tensors: &[], sequence: 1 }
    }
}

/// What `wire` carries for these rows, one a row of `rows`; `linear` computes a site from what it reads.
pub fn evaluate<'a>(
    plain: impl Into<Plain<'a>>,
    wire: Wire,
    rows: &Array2<f64>,
    mut linear: impl FnMut(usize, &Array2<f64>) -> Array2<f64>,
) -> Array2<f64> {
    let plain: Plain = plain.into();
    let network = plain.network;
    let table = |tensor: FrozenTensor| {
        let shape = &network.tensors()[tensor.index()];
        widened(&plain.tensors[tensor.index()], (shape.rows, shape.cols))
    };
    let mut values: Vec<Array2<f64>> = Vec::new();
    for (_, node) in network.nodes().take(wire.index() + 1) {
        let at = |wire: Wire| &values[wire.index()];
        let value = match node {
            Node::Rows => rows.clone(),
            Node::Linear { site, from } => linear(site, at(from)),
            Node::Gelu(from) => at(from).mapv(gelu),
            Node::Add(a, b) => at(a) + at(b),
            Node::Mean(from) => mean(at(from), plain.sequence),
            Node::Embedding { tokens, table: of } => {
                let chosen: Vec<usize> = at(tokens).column(0).iter().map(|&token| token as usize).collect();
                table(of).select(Axis(0), &chosen)
            }
            Node::RmsNorm { from, weight, eps } => rms_norm(at(from), &table(weight), f64::from(eps)),
            Node::Rotate { from, table: of, heads } => rotate(at(from), &table(of), heads, plain.sequence),
            Node::Attention { query, key, value, heads } => {
                attention(at(query), at(key), at(value), heads, plain.sequence)
            }
            Node::SwiGlu { gate, up } => at(gate).mapv(|a| a / (1.0 + libm::exp(-a))) * at(up),
            Node::Head { from, table: of } => at(from).dot(&table(of).t()),
        };
        values.push(value);
    }
    values.swap_remove(wire.index())
}

/// Over each sequence's rows, on each of them.
fn mean(x: &Array2<f64>, sequence: usize) -> Array2<f64> {
    let mut out = Array2::zeros(x.dim());
    for (x, mut out) in x.axis_chunks_iter(Axis(0), sequence).zip(out.axis_chunks_iter_mut(Axis(0), sequence)) {
        let sum = x.sum_axis(Axis(0));
        out.rows_mut().into_iter().for_each(|mut row| row.assign(&(&sum / sequence as f64)));
    }
    out
}

fn rms_norm(x: &Array2<f64>, weight: &Array2<f64>, eps: f64) -> Array2<f64> {
    let mut out = x * weight;
    for (mut out, x) in out.rows_mut().into_iter().zip(x.rows()) {
        out /= libm::sqrt(x.dot(&x) / x.len() as f64 + eps);
    }
    out
}

/// `table`: cosines, then sines of a head's pairs at each position.
fn rotate(x: &Array2<f64>, table: &Array2<f64>, heads: usize, sequence: usize) -> Array2<f64> {
    let half = table.ncols() / 2;
    let mut out = x.clone();
    for (row, mut out) in out.rows_mut().into_iter().enumerate() {
        let angles = table.row(row % sequence);
        for pair in (0..heads).flat_map(|head| (0..half).map(move |i| (2 * head * half + i, i))) {
            let ((at, i), other) = (pair, pair.0 + half);
            let (cos, sin) = (angles[i], angles[half + i]);
            (out[at], out[other]) =
                (x[[row, at]] * cos - x[[row, other]] * sin, x[[row, other]] * cos + x[[row, at]] * sin);
        }
    }
    out
}

/// Softmax over the tokens of the same sequence up to each.
fn attention(q: &Array2<f64>, k: &Array2<f64>, v: &Array2<f64>, heads: Heads, sequence: usize) -> Array2<f64> {
    let Heads { heads, kv_heads, width } = heads;
    let mut out = Array2::zeros((q.nrows(), heads * width));
    for (row, head) in (0..q.nrows()).flat_map(|row| (0..heads).map(move |head| (row, head))) {
        let (own, shared) = (head * width, head / (heads / kv_heads) * width);
        let seen = row / sequence * sequence..row + 1;
        let query = part(q, row..row + 1, own..own + width);
        let keys = part(k, seen.clone(), shared..shared + width);
        let scores = query.dot(&keys.t()) / libm::sqrt(width as f64);
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = scores.mapv(|score| libm::exp(score - top));
        let mixed = weights.dot(&part(v, seen, shared..shared + width)) / weights.sum();
        mixed.iter().enumerate().for_each(|(i, &value)| out[[row, own + i]] = value);
    }
    out
}

fn part(of: &Array2<f64>, rows: Range<usize>, cols: Range<usize>) -> ArrayView2<'_, f64> {
    let (mut part, [rows, cols]) = (of.view(), [rows, cols].map(Slice::from));
    part.slice_axis_inplace(Axis(0), rows);
    part.slice_axis_inplace(Axis(1), cols);
    part
}

/// Sites as they are before anything adapts them.
pub fn frozen<'a>(network: &'a Network, base: &'a [BaseLayer]) -> impl Fn(usize, &Array2<f64>) -> Array2<f64> + 'a {
    |site, x| {
        let (shape, base) = (&network.sites()[site], &base[site]);
        let mut y = x.dot(&widened(&base.weight, (shape.outputs, shape.inputs)).t());
        for mut row in y.rows_mut() {
            row.iter_mut().zip(&base.bias).for_each(|(y, &bias)| *y += f64::from(bias));
        }
        y
    }
}

/// The tanh form, with √(2/π) as the shaders write it.
pub fn gelu(a: f64) -> f64 {
    0.5 * a * (1.0 + libm::tanh(0.797_884_560_8 * (a + 0.044_715 * a * a * a)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// `x + W₁ gelu(W₀ x + b₀)`, by hand.
    #[test]
    fn paths_meet() {
        let (mut network, x) = Network::new(2);
        let inner = network.linear("up", x, 1);
        let inner = network.gelu(inner);
        let back = network.linear("down", inner, 2);
        let output = network.add(x, back);
        let base = [
            BaseLayer { weight: vec![1.0, -2.0].into(), bias: vec![0.5] },
            BaseLayer { weight: vec![3.0, 1.0].into(), bias: vec![0.0, 1.0] },
        ];
        let rows = array![[1.0, 0.25], [0.0, 0.0]];
        let got = evaluate(&network, output, &rows, frozen(&network, &base));
        let (first, second) = (gelu(1.0), gelu(0.5));
        assert_eq!(got, array![[1.0 + 3.0 * first, 1.25 + first], [3.0 * second, 1.0 + second]]);
        assert_eq!(evaluate(&network, x, &rows, frozen(&network, &base)), rows);
        assert_eq!(evaluate(&network, inner, &rows, frozen(&network, &base)), array![[first], [second]]);
        let mut twin = [1.0];
        crate::op::gelu::values(&mut twin);
        assert!((first - twin[0]).abs() < 1e-10);
    }
}
