//! Every linear layer of a lane in a few numbers: how much it changed, and what its gates tell about the tokens that they
//! read. Knows nothing of how they are drawn.

use ndarray::Array1;

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

/// Mutual information of two labels of the same tokens, in bits. From few tokens chance alone tells something: what it is
/// expected to tell, (a − 1)(b − 1) / 2n nats for a and b labels that occur (Miller and Madow 1955), is taken off.
fn told(one: &[usize], other: &[usize]) -> f64 {
    let n = one.len().min(other.len());
    let size = |labels: &[usize]| labels.iter().max().map_or(1, |most| most + 1);
    let (a, b) = (size(one), size(other));
    let mut counts = vec![0usize; a * b];
    one.iter().zip(other).for_each(|(&i, &j)| counts[i * b + j] += 1);
    let rows: Vec<usize> = (0..a).map(|i| counts[i * b..(i + 1) * b].iter().sum()).collect();
    let cols: Vec<usize> = (0..b).map(|j| (0..a).map(|i| counts[i * b + j]).sum()).collect();
    let used = |counts: &[usize]| counts.iter().filter(|&&count| count > 0).count();
    let mut bits = 0.0;
    for (at, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let together = count as f64 * n as f64 / (rows[at / b] as f64 * cols[at % b] as f64);
        bits += count as f64 / n as f64 * libm::log2(together);
    }
    let chance = (used(&rows) - 1) as f64 * (used(&cols) - 1) as f64 / (2.0 * n as f64 * std::f64::consts::LN_2);
    (bits - chance).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn labels_tell_what_they_share() {
        let four: Vec<usize> = (0..4000).map(|i| i % 4).collect();
        let pairs: Vec<usize> = four.iter().map(|label| label / 2).collect();
        let alike = told(&four, &four);
        assert!((alike - 2.0).abs() < 0.01, "{alike}");
        let half = told(&four, &pairs);
        assert!((half - 1.0).abs() < 0.01, "{half}");
        let mut rng = Rng::new(1, 1);
        let mut draw = || (0..512).map(|_| rng.below(8)).collect::<Vec<_>>();
        let chance: f64 = (0..40).map(|_| told(&draw(), &draw())).sum::<f64>() / 40.0;
        assert!(chance < 0.01, "{chance}");
    }

    #[test]
    fn even_gates_have_entropy_one() {
        let gates = LayerGates { layer: 0, experts: 4, values: vec![0.25; 12], parts: None };
        assert!((entropy(&gates) - 1.0).abs() < 1e-7);
        assert_eq!(mean(Some(&gates)), Array1::from_elem(4, 0.25));
    }
}
