//! What gates do on the probe: who is used, how sharply, and what one expert carries. Knows nothing of training.

use crate::lab::forward::{Forward, LayerGates, row_losses};
use crate::protocol::{AblationFrame, GateFrame};
use crate::task::TaskData;

/// The gates of one lane's layer; `None` where they are not numbers.
pub fn frame(lane: usize, gates: LayerGates, row_domains: &[u8], domains: usize) -> Option<GateFrame> {
    let LayerGates { layer, experts, values } = gates;
    if values.iter().any(|g| !g.is_finite()) {
        return None;
    }
    let tokens = values.len() / experts;
    let mut sums = vec![0.0; domains * experts];
    let mut counts = vec![0usize; domains];
    let mut top = vec![0usize; experts];
    let mut entropy = 0.0;
    for (row, &domain) in values.chunks_exact(experts).zip(row_domains) {
        let domain = usize::from(domain);
        counts[domain] += 1;
        sums[domain * experts..][..experts].iter_mut().zip(row).for_each(|(s, &g)| *s += f64::from(g));
        top[largest(row)] += 1;
        entropy += self::entropy(row) / tokens as f64;
    }
    let mean = (0..experts).map(|e| (0..domains).map(|d| sums[d * experts + e]).sum::<f64>() / tokens as f64);
    let share = |(at, s): (usize, &f64)| (s / counts[at / experts].max(1) as f64) as f32;
    Some(GateFrame {
        lane,
        layer,
        experts,
        token_domains: row_domains.iter().copied().map(usize::from).collect(),
        mean: mean.map(|m| m as f32).collect(),
        domains: sums.iter().enumerate().map(share).collect(),
        tokens: values,
        utilisation: top.iter().map(|&n| n as f32 / tokens as f32).collect(),
        entropy: entropy as f32,
        ablation: None,
    })
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

fn largest(gate: &[f32]) -> usize {
    (1..gate.len()).fold(0, |best, i| if gate[i] > gate[best] { i } else { best })
}

/// Loss per domain on the probe, as trained and with one expert's gate at zero: the same as its part of lora_B (u) at
/// zero, for what it adds is `s g B A x`.
pub fn ablation(
    task: &TaskData,
    probe: &Forward,
    (lane, layer, expert): (usize, usize, usize),
    params: &[f32],
) -> AblationFrame {
    let mut without = params.to_vec();
    let of_layer = [format!("layers.{layer}.lora_B"), format!("layers.{layer}.u")];
    for tensor in probe.program(lane).tensors.iter().filter(|t| of_layer.contains(&t.name)) {
        let own = tensor.len() / tensor.shape[0];
        let mut values = tensor.gather(params);
        values[expert * own..(expert + 1) * own].fill(0.0);
        tensor.scatter(&mut without, &values);
    }
    let losses = |params: &[f32]| per_domain(task, &probe.run(lane, params).output);
    AblationFrame { expert, with: losses(params), without: losses(&without) }
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

    #[test]
    fn gates_are_summed_up() {
        let values = vec![0.5, 0.5, 0.0, 1.0, 0.25, 0.25];
        let gates = LayerGates { layer: 1, experts: 2, values };
        let frame = frame(3, gates, &[0, 0, 1], 2).unwrap();
        assert_eq!((frame.lane, frame.layer), (3, 1));
        assert_eq!(frame.domains, [0.25, 0.75, 0.25, 0.25]);
        assert_eq!(frame.mean, [0.25, 1.75 / 3.0]);
        // Among equals the first; the third token's gate was cut by top-k and is uniform over what is left.
        assert_eq!(frame.utilisation, [2.0 / 3.0, 1.0 / 3.0]);
        assert!((frame.entropy - 2.0 / 3.0).abs() < 1e-6);
        let diverged = LayerGates { layer: 0, experts: 2, values: vec![f32::NAN, 1.0] };
        assert_eq!(super::frame(0, diverged, &[0], 1), None);
        let lone = LayerGates { layer: 0, experts: 1, values: vec![1.0] };
        assert_eq!(super::frame(0, lone, &[0], 1).unwrap().entropy, 0.0);
    }
}
