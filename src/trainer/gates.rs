//! What gates do on the probe: who is used, how sharply, what one expert carries, and what a gate of two parts is the sum
//! of. Knows nothing of training.

use crate::config::Lane;
use crate::lab::change::Change;
use crate::lab::forward::LayerParts;
use crate::lab::forward::{Forward, LayerGates, matrix, row_losses};
use crate::op::prototype::LIKENESS;
use crate::protocol::GateParts;
use crate::protocol::{AblationFrame, GateFrame};
use crate::task::TaskData;
use crate::tensor::argmax;

/// The gates of one lane's layer; `None` where they are not numbers.
pub fn frame(lane: usize, gates: LayerGates, row_domains: &[u8], domains: usize) -> Option<GateFrame> {
    let LayerGates { layer, experts, values, .. } = gates;
    let parts = gates.parts;
    if values.iter().any(|g| !g.is_finite()) {
        return None;
    }
    let tokens = values.len() / experts;
    let mut sums = vec![0.0; experts];
    let mut top = vec![0usize; experts];
    for row in values.chunks_exact(experts) {
        sums.iter_mut().zip(row).for_each(|(s, &g)| *s += f64::from(g));
        top[argmax(row)] += 1;
    }
    let shares = &values;
    let shares = parts.as_ref().map_or(shares, |parts| &parts.softmax);
    let entropy: f64 = shares.chunks_exact(experts).map(|row| self::entropy(row) / tokens as f64).sum();
    let by_domain = |values: &[f32]| by_domain(values, experts, row_domains, domains);
    Some(GateFrame {
        lane,
        layer,
        experts,
        token_domains: row_domains.iter().copied().map(usize::from).collect(),
        mean: sums.iter().map(|s| (s / tokens as f64) as f32).collect(),
        domains: by_domain(&values),
        parts: parts.map(|parts| taken_apart(&parts, experts, &by_domain)),
        utilisation: top.iter().map(|&n| n as f32 / tokens as f32).collect(),
        entropy: entropy as f32,
        ablation: None,
        tokens: values,
    })
}

/// Means over each domain's tokens, `[domains, experts]`.
fn by_domain(values: &[f32], experts: usize, row_domains: &[u8], domains: usize) -> Vec<f32> {
    let mut sums = vec![0.0; domains * experts];
    let mut counts = vec![0usize; domains];
    for (row, &domain) in values.chunks_exact(experts).zip(row_domains) {
        let domain = usize::from(domain);
        counts[domain] += 1;
        sums[domain * experts..][..experts].iter_mut().zip(row).for_each(|(s, &g)| *s += f64::from(g));
    }
    let share = |(at, s): (usize, &f64)| (s / counts[at / experts].max(1) as f64) as f32;
    sums.iter().enumerate().map(share).collect()
}

/// Both parts as they stand in the gate.
fn taken_apart(parts: &LayerParts, experts: usize, by_domain: &impl Fn(&[f32]) -> Vec<f32>) -> GateParts {
    let times = |values: &[f32], factor: f32| by_domain(values).into_iter().map(|mean| factor * mean).collect();
    GateParts {
        share: parts.share,
        intuition: times(&parts.likeness, LIKENESS as f32 * (1.0 - parts.share)),
        router: times(&parts.softmax, experts as f32 * parts.share),
    }
}

/// Entropy of one gate over log N: 1 is uniform, 0 one expert only, and so is a single expert. What top-k left out
/// counts as nothing.
fn entropy(gate: &[f32]) -> f64 {
    let sum: f64 = gate.iter().map(|&g| f64::from(g)).sum();
    if gate.len() < 2 || sum <= 0.0 {
        return 0.0;
    }
    let part = |&g: &f32| match f64::from(g) / sum {
        p if p > 0.0 => -p * libm::log(p),
        _ => 0.0,
    };
    gate.iter().map(part).sum::<f64>() / libm::log(gate.len() as f64)
}

/// Loss per domain on the probe, as trained and with one expert's gate at zero: without what it adds, `s g B A x`, to the
/// layer's output. Its factors stay, for it may share them with others.
pub fn ablation(
    task: &TaskData,
    lane: &Lane,
    probe: &Forward,
    (index, layer, expert): (usize, usize, usize),
    params: &[f32],
) -> Option<AblationFrame> {
    let answer = probe.run(index, params);
    let Some(Change::Experts { experts, .. }) = Change::new(task, lane, probe, (index, layer), params) else {
        return None;
    };
    let gates = answer.gates.iter().find(|gates| gates.layer == layer)?;
    let mut own = gates.values.clone();
    own.iter_mut().enumerate().filter(|(at, _)| at % gates.experts != expert).for_each(|(_, gate)| *gate = 0.0);
    let own = matrix(&own, gates.experts);
    let x = matrix(&probe.input(index, layer), task.network.sites()[layer].inputs);
    let added = experts.routed(&x, &own);
    let y: Vec<f32> = probe.layer_output(index, layer).iter().zip(&added).map(|(&y, &own)| y - own as f32).collect();
    let without = per_domain(task, &probe.resume(index, layer, &y));
    Some(AblationFrame { expert, with: per_domain(task, &answer.output), without })
}

/// Mean loss of each domain's probe tokens.
fn per_domain(task: &TaskData, output: &[f32]) -> Vec<f32> {
    let rows = row_losses(task, &task.probe.y, output);
    let of = |domain: usize| {
        let own = || rows.iter().zip(&task.probe.row_domains).filter(move |&(_, &d)| usize::from(d) == domain);
        (own().map(|(loss, _)| loss).sum::<f64>() / own().count().max(1) as f64) as f32
    };
    (0..task.domain_names.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(layer: usize, experts: usize, values: Vec<f32>) -> LayerGates {
        LayerGates { layer, experts, values, parts: None }
    }

    #[test]
    fn gates_are_summed_up() {
        let values = vec![0.5, 0.5, 0.0, 1.0, 0.25, 0.25];
        let frame = frame(3, gates(1, 2, values), &[0, 0, 1], 2).unwrap();
        assert_eq!((frame.lane, frame.layer), (3, 1));
        assert_eq!(frame.domains, [0.25, 0.75, 0.25, 0.25]);
        assert_eq!(frame.mean, [0.25, 1.75 / 3.0]);
        // Among equals the first; the third token's gate was cut by top-k and is uniform over what is left.
        assert_eq!(frame.utilisation, [2.0 / 3.0, 1.0 / 3.0]);
        assert!((frame.entropy - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(super::frame(0, gates(0, 2, vec![f32::NAN, 1.0]), &[0], 1), None);
        assert_eq!(super::frame(0, gates(0, 1, vec![1.0]), &[0], 1).unwrap().entropy, 0.0);
    }

    #[test]
    fn a_gate_of_two_parts_is_their_sum() {
        let parts = LayerParts { share: 0.75, softmax: vec![0.5, 0.5, 1.0, 0.0], likeness: vec![1.0, -1.0, 0.5, 0.25] };
        let gate = |at: usize| 2.0 * 0.75 * parts.softmax[at] + 4.0 * 0.25 * parts.likeness[at];
        let values: Vec<f32> = (0..4).map(gate).collect();
        let frame = frame(0, LayerGates { layer: 0, experts: 2, values, parts: Some(parts) }, &[1, 1], 2).unwrap();
        let apart = frame.parts.unwrap();
        assert_eq!(
            (apart.share, &apart.intuition[2..], &apart.router[2..]),
            (0.75, &[0.75, -0.375][..], &[1.125, 0.375][..])
        );
        assert_eq!((&apart.intuition[..2], &apart.router[..2]), (&[0.0, 0.0][..], &[0.0, 0.0][..]));
        assert!(frame.domains.iter().zip(apart.intuition.iter().zip(&apart.router)).all(|(g, (i, r))| *g == i + r));
        // Of the router's softmax: uniform, and one expert only.
        assert!((frame.entropy - 0.5).abs() < 1e-6);
    }
}
