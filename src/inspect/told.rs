//! What one thing about a token tells about another, in bits. Knows nothing of what the things are.

/// Mutual information of two labels of the same tokens, in bits. From few tokens chance alone tells something: what it is
/// expected to tell, (a − 1)(b − 1) / 2n nats for a and b labels that occur (Miller and Madow 1955), is taken off.
pub fn told(one: &[usize], other: &[usize]) -> f64 {
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

/// Mutual information of a chooser's shares and what it chooses for, in bits, from the mean shares in each of some equally
/// likely cases: the entropy of their mean less the mean of their entropies.
pub fn shares_tell(cases: &[Vec<f64>]) -> f64 {
    let entropy = |p: &[f64]| p.iter().filter(|&&p| p > 0.0).map(|&p| -p * libm::log2(p)).sum::<f64>();
    let (count, width) = (cases.len().max(1) as f64, cases.first().map_or(0, Vec::len));
    let mean: Vec<f64> = (0..width).map(|i| cases.iter().map(|case| case[i]).sum::<f64>() / count).collect();
    (entropy(&mean) - cases.iter().map(|case| entropy(case)).sum::<f64>() / count).max(0.0)
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
    fn shares_tell_as_much_as_they_differ() {
        assert_eq!(shares_tell(&[vec![1.0, 0.0], vec![0.0, 1.0]]), 1.0);
        assert_eq!(shares_tell(&[vec![0.3, 0.7], vec![0.3, 0.7]]), 0.0);
        // Prototype, MoLoRA of two experts, second layer: 0.483 bits.
        let bits = shares_tell(&[vec![0.996, 0.004], vec![0.292, 0.708]]);
        assert!((bits - 0.483).abs() < 2e-3, "{bits}");
    }
}
