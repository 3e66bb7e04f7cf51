//! Changing the number of trained rank-1 experts (MoR1E). Knows nothing of lanes or engines.
//!
//! **Growing** must not change the output, and a softmax with one more logit changes every gate. So a new expert splits
//! the gate of an old one: both take the old one's gate row with its bias lowered by ln 2, hence half its gate
//! each for every input; the old `u` is doubled, the new `u` is zero and the new `v` fresh. The others' gates stay as they
//! were, and the new expert has a gate large enough to learn with, which a very low bias would not give it. The expert
//! with the largest mean gate is split first; one split into m pieces is shifted by ln m and scaled by m.
//! `∂u` is proportional to the gate, so its first moment is divided by m and its second by m²; `∂v` has gate times u, so
//! its moments stay. The gate row's gradient is shared out by the split, and its moments are scaled as u's. New
//! experts start with first moments 0 and the second moments of the one they split from, so that AdamW's first steps
//! are not larger than its others.
//!
//! **Shrinking** keeps the experts with the largest mean gate times ‖u‖‖v‖, in their order. Softmax hands the gate of
//! those dropped to those kept in proportion, which costs nothing on inputs that never used the dropped ones.

use super::Parameter;
use crate::error::{Error, Result};
use crate::order::falling;
use crate::rng::Rng;
use crate::tensor::argmax;

/// Rank-1 experts with the last layer of their gate, which has a row for each of them.
#[derive(Clone, Debug, PartialEq)]
pub struct RankOneExperts {
    pub count: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Width of the gate.
    pub hidden: usize,
    /// `[count, inputs]`.
    pub v: Parameter,
    /// `[count, outputs]`.
    pub u: Parameter,
    /// `[count, hidden]`.
    pub gate_weight: Parameter,
    /// `[count]`.
    pub gate_bias: Parameter,
}

/// The same experts as `count` of them, and for each the old expert it is, or was split from. `mean_gate [experts]` is
/// measured on whatever data the choice should favour; fresh `v` are uniform in ±1/√inputs.
///
/// # Errors
/// `Error::Data` where a tensor or `mean_gate` does not have its shape, or the count is or becomes 0.
pub fn resize(
    experts: &RankOneExperts,
    count: usize,
    mean_gate: &[f64],
    rng: &mut Rng,
) -> Result<(RankOneExperts, Vec<usize>)> {
    let old = experts.count;
    experts.v.check("v", old * experts.inputs)?;
    experts.u.check("u", old * experts.outputs)?;
    experts.gate_weight.check("gate weight", old * experts.hidden)?;
    experts.gate_bias.check("gate bias", old)?;
    if count == 0 || old == 0 || mean_gate.len() != old {
        return Err(Error::Data {
            what: "number of experts".into(),
            expected: format!("at least 1, with a mean gate for each of {old}"),
            got: format!("{count}, with {} mean gates", mean_gate.len()),
        });
    }
    if count < old {
        let kept = strongest(experts, count, mean_gate);
        return Ok((experts.select(&kept), kept));
    }
    Ok(split(experts, count, mean_gate, rng))
}

fn strongest(experts: &RankOneExperts, count: usize, mean_gate: &[f64]) -> Vec<usize> {
    let norm = |values: &[f32], width: usize, i: usize| {
        let row = &values[i * width..(i + 1) * width];
        libm::sqrt(row.iter().map(|&x| f64::from(x) * f64::from(x)).sum())
    };
    let size: Vec<f64> = (0..experts.count)
        .map(|i| {
            mean_gate[i].abs() * norm(&experts.u.value, experts.outputs, i) * norm(&experts.v.value, experts.inputs, i)
        })
        .collect();
    // Among equals, untrained ones for instance, the first stay.
    let strongest = falling(&size);
    (0..experts.count).filter(|index| strongest[..count].contains(index)).collect()
}

fn split(experts: &RankOneExperts, count: usize, mean_gate: &[f64], rng: &mut Rng) -> (RankOneExperts, Vec<usize>) {
    let old = experts.count;
    let mut pieces = vec![1usize; old];
    let mut origin: Vec<usize> = (0..old).collect();
    for _ in old..count {
        let widest = argmax((0..old).map(|i| mean_gate[i] / pieces[i] as f64));
        pieces[widest] += 1;
        origin.push(widest);
    }
    let mut grown = experts.select(&origin);
    let bound = 1.0 / libm::sqrt(experts.inputs as f64);
    for (i, &from) in origin.iter().enumerate() {
        let m = pieces[from] as f64;
        grown.gate_bias.value[i] = (f64::from(grown.gate_bias.value[i]) - libm::log(m)) as f32;
        grown.gate_weight.shrink_moments(i, experts.hidden, m);
        grown.gate_bias.shrink_moments(i, 1, m);
        grown.u.shrink_moments(i, experts.outputs, m);
        let u = i * experts.outputs..(i + 1) * experts.outputs;
        if i < old {
            grown.u.value[u].iter_mut().for_each(|x| *x *= m as f32);
            continue;
        }
        let v = i * experts.inputs..(i + 1) * experts.inputs;
        grown.u.value[u.clone()].fill(0.0);
        grown.u.first[u].fill(0.0);
        grown.v.first[v.clone()].fill(0.0);
        grown.v.value[v].fill_with(|| rng.uniform(-bound, bound) as f32);
        grown.gate_weight.first[i * experts.hidden..(i + 1) * experts.hidden].fill(0.0);
        grown.gate_bias.first[i] = 0.0;
    }
    (grown, origin)
}

impl RankOneExperts {
    /// These experts, in this order, repeats allowed.
    fn select(&self, which: &[usize]) -> Self {
        Self {
            count: which.len(),
            v: self.v.select(which, self.inputs),
            u: self.u.select(which, self.outputs),
            gate_weight: self.gate_weight.select(which, self.hidden),
            gate_bias: self.gate_bias.select(which, 1),
            ..*self
        }
    }
}

impl Parameter {
    fn select(&self, rows: &[usize], width: usize) -> Self {
        let pick = |values: &[f32]| rows.iter().flat_map(|&r| &values[r * width..(r + 1) * width]).copied().collect();
        Self { value: pick(&self.value), first: pick(&self.first), second: pick(&self.second) }
    }

    /// For a gradient that becomes `1/m` of what it was.
    fn shrink_moments(&mut self, row: usize, width: usize, m: f64) {
        let range = row * width..(row + 1) * width;
        let scale = |values: &mut [f32], by: f64| {
            values.iter_mut().for_each(|x| *x = (f64::from(*x) / by) as f32);
        };
        scale(&mut self.first[range.clone()], m);
        scale(&mut self.second[range], m * m);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(length: usize, rng: &mut Rng) -> Parameter {
        let mut draw = || (0..length).map(|_| rng.normal() as f32).collect::<Vec<_>>();
        let (value, first) = (draw(), draw());
        let second = draw().into_iter().map(|x| x * x).collect();
        Parameter { value, first, second }
    }

    fn experts(count: usize) -> RankOneExperts {
        let mut rng = Rng::new(6, 6);
        RankOneExperts {
            count,
            inputs: 7,
            outputs: 5,
            hidden: 4,
            v: parameter(count * 7, &mut rng),
            u: parameter(count * 5, &mut rng),
            gate_weight: parameter(count * 4, &mut rng),
            gate_bias: parameter(count, &mut rng),
        }
    }

    fn gates(e: &RankOneExperts, hidden: &[f64]) -> Vec<f64> {
        let logits: Vec<f64> = (0..e.count)
            .map(|n| {
                let row = &e.gate_weight.value[n * 4..n * 4 + 4];
                f64::from(e.gate_bias.value[n]) + row.iter().zip(hidden).map(|(&w, h)| f64::from(w) * h).sum::<f64>()
            })
            .collect();
        let sum: f64 = logits.iter().map(|l| l.exp()).sum();
        logits.iter().map(|l| l.exp() / sum).collect()
    }

    fn output(e: &RankOneExperts, x: &[f64], hidden: &[f64]) -> Vec<f64> {
        let gates = gates(e, hidden);
        (0..5)
            .map(|o| {
                (0..e.count)
                    .map(|n| {
                        let row = &e.v.value[n * 7..n * 7 + 7];
                        let read: f64 = row.iter().zip(x).map(|(&v, x)| f64::from(v) * x).sum();
                        gates[n] * read * f64::from(e.u.value[n * 5 + o])
                    })
                    .sum()
            })
            .collect()
    }

    #[test]
    fn growing_changes_nothing_and_leaves_every_expert_alive() {
        let before = experts(3);
        let mut rng = Rng::new(1, 1);
        for count in [3, 4, 5, 8] {
            let (after, origin) = resize(&before, count, &[0.2, 0.5, 0.3], &mut rng).unwrap();
            assert_eq!((after.count, origin.len()), (count, count));
            for _ in 0..20 {
                let x: Vec<f64> = (0..7).map(|_| rng.normal()).collect();
                let hidden: Vec<f64> = (0..4).map(|_| rng.normal()).collect();
                let (a, b) = (output(&before, &x, &hidden), output(&after, &x, &hidden));
                let size = a.iter().map(|v| v * v).sum::<f64>().sqrt();
                let gap = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                assert!(gap <= 1e-6 * size, "{count}: {gap} of {size}");
                let (old, new) = (gates(&before, &hidden), gates(&after, &hidden));
                for (n, &from) in origin.iter().enumerate() {
                    let pieces = origin.iter().filter(|&&o| o == from).count() as f64;
                    assert!((new[n] * pieces / old[from] - 1.0).abs() < 1e-5);
                }
            }
        }
        let (four, origin) = resize(&before, 4, &[0.2, 0.5, 0.3], &mut rng).unwrap();
        assert_eq!(origin, [0, 1, 2, 1]);
        assert_eq!(four.u.first[5], before.u.first[5] / 2.0);
        assert_eq!(four.u.second[5], before.u.second[5] / 4.0);
        assert!(four.u.value[15..].iter().all(|&x| x == 0.0));
        assert!(four.v.value[21..].iter().all(|&x| x != 0.0 && x.abs() < 0.378));
    }

    #[test]
    fn shrinking_keeps_the_strongest_in_order() {
        let mut before = experts(3);
        before.u.value.fill(1.0);
        before.v.value.fill(1.0);
        before.u.value[..5].fill(4.0);
        let mut rng = Rng::new(1, 1);
        // Contributions in proportion 0.8, 0.5, 0.3; the gate alone would keep the last two.
        let (after, kept) = resize(&before, 2, &[0.2, 0.5, 0.3], &mut rng).unwrap();
        assert_eq!(kept, [0, 1]);
        assert_eq!(after.u.value, before.u.value[..10]);
        assert_eq!(after.gate_weight.second, before.gate_weight.second[..8]);
        let (_, kept) = resize(&before, 2, &[0.01, 0.5, 0.49], &mut rng).unwrap();
        assert_eq!(kept, [1, 2]);
    }

    #[test]
    fn what_cannot_be_resized_is_refused() {
        let mut rng = Rng::new(1, 1);
        assert!(resize(&experts(3), 0, &[0.3; 3], &mut rng).is_err());
        assert!(resize(&experts(3), 2, &[0.5; 2], &mut rng).is_err());
    }
}
