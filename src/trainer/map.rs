//! Every linear layer of a lane in a few numbers: how much it changed, and what its gates tell about the tokens that they
//! read. Knows nothing of how they are drawn.

use ndarray::Array1;

use crate::inspect::told::told;
use crate::lab::change::Change;
use crate::lab::forward::{Answer, Forward, LayerGates};
use crate::method::Lane;
use crate::protocol::text::MapCell;
use crate::task::TaskData;
use crate::tensor::argmax;

/// One cell for each linear layer of the network. `probe` has just evaluated the lane, which is `at`, with these parameters.
pub fn cells(
    task: &TaskData,
    lane: &Lane,
    probe: &Forward,
    at: usize,
    params: &[f32],
    answer: &Answer,
) -> Vec<MapCell> {
    let languages: Vec<usize> = task.probe.row_domains.iter().map(|&language| language.into()).collect();
    let kinds: Vec<usize> = task.probe.x.iter().map(|&token| kind(token as u32)).collect();
    let cell = |site: usize| {
        let gates = answer.gates.iter().find(|gates| gates.layer == site);
        let change = Change::new(task, lane, probe, (at, site), params);
        let norm = change.map(|change| change.norm(&mean(gates)));
        let frozen = libm::sqrt(task.base[site].weight.iter().map(|&w| f64::from(w).powi(2)).sum());
        let told = |labels: &[usize]| gates.map(|gates| told(&leading(gates), labels) as f32);
        MapCell {
            change: norm.map(|norm| (norm / frozen) as f32).filter(|ratio| ratio.is_finite()),
            language: told(&languages),
            kind: told(&kinds),
            entropy: gates.map(|gates| entropy(gates) as f32),
        }
    };
    (0..task.network.sites().len()).map(cell).collect()
}

/// Kinds of bytes: space, small and capital letters and other signs of ASCII, first and further bytes of longer characters.
fn kind(byte: u32) -> usize {
    match u8::try_from(byte) {
        Ok(b' ' | b'\n') => 0,
        Ok(b'a'..=b'z') => 1,
        Ok(b'A'..=b'Z') => 2,
        Ok(0x80..=0xBF) => 4,
        Ok(0xC0..=0xFF) => 5,
        _ => 3,
    }
}

fn leading(gates: &LayerGates) -> Vec<usize> {
    gates.values.chunks_exact(gates.experts).map(argmax).collect()
}

fn mean(gates: Option<&LayerGates>) -> Array1<f64> {
    let Some(gates) = gates else { return Array1::ones(1) };
    let tokens = gates.values.len() / gates.experts;
    let mut mean = Array1::zeros(gates.experts);
    for row in gates.values.chunks_exact(gates.experts) {
        mean.iter_mut().zip(row).for_each(|(mean, &gate)| *mean += f64::from(gate) / tokens as f64);
    }
    mean
}

/// Mean over tokens of the gates' entropy over log N.
fn entropy(gates: &LayerGates) -> f64 {
    let tokens = (gates.values.len() / gates.experts) as f64;
    let term = |&gate: &f32| if gate > 0.0 { -f64::from(gate) * libm::log(f64::from(gate)) } else { 0.0 };
    gates.values.iter().map(term).sum::<f64>() / tokens / libm::log(gates.experts as f64).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_gates_have_entropy_one() {
        let gates = LayerGates { layer: 0, experts: 4, values: vec![0.25; 12], parts: None };
        assert!((entropy(&gates) - 1.0).abs() < 1e-7);
        assert_eq!(mean(Some(&gates)), Array1::from_elem(4, 0.25));
    }
}
