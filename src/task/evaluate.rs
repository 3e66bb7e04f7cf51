//! A network in plain numbers: the one forward pass outside of recordings, in f64 and with a tanh that is the same on every
//! machine, for whatever is found out before anything is compiled. What a site computes is the caller's to say; knows
//! nothing of adapters.

use ndarray::Array2;

use super::BaseLayer;
use super::network::{Network, Node, Wire};
use crate::tensor::widened;

/// What `wire` carries for these rows, one a row of `rows`; `linear` computes a site from what it reads.
pub fn evaluate(
    network: &Network,
    wire: Wire,
    rows: &Array2<f64>,
    mut linear: impl FnMut(usize, &Array2<f64>) -> Array2<f64>,
) -> Array2<f64> {
    let mut values: Vec<Array2<f64>> = Vec::new();
    for (_, node) in network.nodes().take(wire.index() + 1) {
        let at = |wire: Wire| &values[wire.index()];
        let value = match node {
            Node::Rows => rows.clone(),
            Node::Linear { site, from } => linear(site, at(from)),
            Node::Gelu(from) => at(from).mapv(gelu),
            Node::Add(a, b) => at(a) + at(b),
        };
        values.push(value);
    }
    values.swap_remove(wire.index())
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
            BaseLayer { weight: vec![1.0, -2.0], bias: vec![0.5] },
            BaseLayer { weight: vec![3.0, 1.0], bias: vec![0.0, 1.0] },
        ];
        let rows = array![[1.0, 0.25], [0.0, 0.0]];
        let got = evaluate(&network, output, &rows, frozen(&network, &base));
        let (first, second) = (gelu(1.0), gelu(0.5));
        assert_eq!(got, array![[1.0 + 3.0 * first, 1.25 + first], [3.0 * second, 1.0 + second]]);
        assert_eq!(evaluate(&network, x, &rows, frozen(&network, &base)), rows);
        assert_eq!(evaluate(&network, inner, &rows, frozen(&network, &base)), array![[first], [second]]);
        assert!((first - crate::op::gelu::value(1.0)).abs() < 1e-10);
    }
}
