//! What theory predicts for the teacher–student task: the loss below which a lane cannot go, with the reason in
//! a sentence. Knows nothing of training; says nothing where nothing is proved.
//!
//! *Static* lanes (full, LoRA) apply one weight to every token. Because `z` is standard normal in every domain, their
//! expected loss is `mean‖T_k − ΔW‖²`, so the best ΔW of rank r is the truncated SVD of the mean change
//! (Eckart and Young, 1936) and leaves `1 − Σ_{i≤r} σᵢ(mean T)² / mean‖T_k‖²`.
//!
//! *Routed* lanes (MoLoRA, MoR1E) add `Σ gᵢ(x) BᵢAᵢx`. Whatever the gates do, that lies in the span of the experts'
//! outputs, of dimension N·R at most, so the eigenvalues of `mean T_k T_kᵀ` beyond the N·R largest are lost.
//!
//! Of numbers of a visitor's own no true change is known, but what least squares makes of them is: floors of static lanes.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::regression::{Regression, regression};
use super::{TaskData, domains};
use crate::args::{Domains, Task};
use crate::lang::tr;
use crate::method::Lane;
use crate::method::description::Reach;
use crate::order::falling;
use crate::tensor::eigenvalues;

/// A predicted floor of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Lanes it binds.
    pub lanes: Vec<usize>,
    /// Share of the target's energy, noise included.
    pub share: f64,
    /// The part of `share` that noise in the targets adds, for whatever weights.
    pub noise: f64,
    /// `None` for a level that holds nobody, drawn for comparison.
    pub binds: Option<Binds>,
    /// Short, for the line's end: "floor, any single W".
    pub label: String,
    /// The theorem in a sentence, with the numbers in it.
    pub why: String,
}

/// What a floor holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binds {
    /// Every single weight, whatever its rank.
    AnyWeight,
    /// One weight whose change has this rank.
    Rank(usize),
    /// A mixture of experts, whatever its gates.
    Routed,
}

/// Shares closer than this are the same floor, computed twice.
const SAME: f64 = 1e-9;

/// What two routed or static floors are made of, before they are put in words.
struct Spectra {
    /// `σᵢ(mean T)²`, largest first.
    mean: Vec<f64>,
    /// Eigenvalues of `mean T_k T_kᵀ`, largest first.
    outputs: Vec<f64>,
    /// `mean‖T_k‖²`.
    total: f64,
}

/// One entry per distinct floor; lanes that share it are named together. Empty where nothing is proved of the task.
pub fn floors(config: &Task, lanes: &[Lane], task: &TaskData) -> Vec<Floor> {
    match (config, &task.teacher) {
        (Task::Domains(domains), Some(teacher)) => {
            let spectra = Spectra::new(teacher);
            gathered(lanes, task, |lane| spectra.floor(lane, domains, task.network.inputs()))
        }
        (Task::Custom, _) => regression(task)
            .map_or_else(Vec::new, |regression| gathered(lanes, task, |lane| regression.floor(lane, task))),
        _ => Vec::new(),
    }
}

fn gathered(lanes: &[Lane], task: &TaskData, floor: impl Fn(&Lane) -> Option<Floor>) -> Vec<Floor> {
    let noise = task.noise_variance / task.energy;
    let mut floors: Vec<Floor> = Vec::new();
    for (index, lane) in lanes.iter().enumerate() {
        let Some(mut floor) = floor(lane) else {
            continue;
        };
        if noise > 0.0 {
            floor.share += noise;
            floor.noise = noise;
            floor.why += &tr!(" Noise in the targets adds {}.", number(noise));
        }
        match floors.iter_mut().find(|known| known.label == floor.label && (known.share - floor.share).abs() < SAME) {
            Some(known) => known.lanes.push(index),
            None => {
                floor.lanes.push(index);
                floors.push(floor);
            }
        }
    }
    floors
}

/// The least share of the target's energy that one weight of each of these ranks can leave, noise included, as `floors` has it
/// for single lanes. Empty where nothing is proved of the task.
pub fn rank_floors(config: &Task, task: &TaskData, ranks: &[usize]) -> Vec<f64> {
    match (config, &task.teacher) {
        (Task::Domains(Domains { depth: 1, .. }), Some(teacher)) => {
            let spectra = Spectra::new(teacher);
            let noise = task.noise_variance / task.energy;
            ranks.iter().map(|&rank| spectra.fixed(rank) + noise).collect()
        }
        (Task::Custom, _) => regression(task).map_or_else(Vec::new, |regression| {
            ranks.iter().map(|&rank| regression.left(rank) / task.energy).collect()
        }),
        _ => Vec::new(),
    }
}

/// `1 − Σ_{i≤rank} σᵢ(mean T)² / mean‖T_k‖²`: the least share of the target's energy that one weight of this rank can
/// leave. `teacher`: true changes `[outputs, inputs]`.
pub fn static_floor(teacher: &[Array2<f64>], rank: usize) -> f64 {
    Spectra::new(teacher).fixed(rank)
}

impl Spectra {
    fn new(teacher: &[Array2<f64>]) -> Self {
        let (rows, cols) = teacher.first().map_or((0, 0), Array2::dim);
        let share = 1.0 / teacher.len().max(1) as f64;
        let mut mean = Array2::<f64>::zeros((rows, cols));
        let mut outputs = Array2::<f64>::zeros((rows, rows));
        for change in teacher {
            mean.scaled_add(share, change);
            ndarray::linalg::general_mat_mul(share, change, &change.t(), 1.0, &mut outputs);
        }
        // Squares of singular values are all that is needed, so the Gram matrix loses nothing.
        Self { mean: eigenvalues(&mean.dot(&mean.t())), total: outputs.diag().sum(), outputs: eigenvalues(&outputs) }
    }

    fn fixed(&self, rank: usize) -> f64 {
        tail(&self.mean, rank, self.total)
    }

    fn routed(&self, directions: usize) -> f64 {
        tail(&self.outputs, directions, self.total)
    }

    /// The floor of one lane, not yet naming it.
    fn floor(&self, lane: &Lane, domains: &Domains, inputs: usize) -> Option<Floor> {
        if domains.depth > 1 || lane.layers.as_ref().is_some_and(|layers| !layers.contains(&0)) {
            return None;
        }
        match lane.reach_at(0) {
            Reach::Single { rank } => Some(self.fixed_floor(rank.unwrap_or(inputs), domains.domains)),
            // One gate for a sequence of several domains: no bound near the truth is proved.
            Reach::Routed { per_sequence: true, .. } if domains.mixed && domains.sequence > 1 => None,
            Reach::Routed { experts, rank, top_k, .. } => self.routed_lane(domains, experts, rank, top_k),
            Reach::Unknown => None,
        }
    }

    fn fixed_floor(&self, rank: usize, count: usize) -> Floor {
        let share = self.fixed(rank);
        let any = share - self.fixed(self.mean.len()) < SAME;
        let kept = number(1.0 - share);
        let why = match (any, count) {
            (true, 1) => tr!("One domain, and rank enough for its true change: a single weight can reach 0."),
            (false, 1) => tr!(
                "Eckart–Young: the best change of rank {rank} is the truncated SVD of the true change; its {rank} largest singular values hold {kept} of the energy and leave {}.",
                number(share),
                rank,
                kept
            ),
            (true, _) => tr!(
                "One weight serves {count} domains at once, so the best it can be is the mean of their true changes, which holds {kept} of their energy and leaves {}, whatever the rank.",
                number(share),
                count,
                kept
            ),
            (false, _) => tr!(
                "One weight serves {count} domains at once, so the best it can be is the mean of their true changes; the {rank} largest singular values of that mean hold {kept} of the energy and leave {}.",
                number(share),
                count,
                rank,
                kept
            ),
        };
        single(share, rank, any, why)
    }

    fn routed_lane(&self, domains: &Domains, experts: usize, rank: usize, top_k: usize) -> Option<Floor> {
        let bound = self.routed(experts * rank);
        let reached = assigned(domains, experts, rank, top_k);
        // A bound of 0 that no assignment of experts to domains meets says nothing.
        if bound < SAME && reached > SAME {
            return None;
        }
        let directions = domains.domains * domains.true_rank;
        let experts_are = tr!("one expert of rank {rank}" | "{n} experts of rank {rank}" % experts, rank);
        let why = if bound < SAME {
            tr!(
                "{} domains need {directions} directions and {experts_are} have {}, each domain its own: a gate that knows the domain can reach 0; one that must guess it from a noisy token stays above.",
                domains.domains,
                experts * rank,
                directions,
                experts_are
            )
        } else {
            tr!(
                "{} domains need {directions} output directions; {experts_are} have {}, which hold at most {} of the energy and leave {}, whatever the gate does.",
                domains.domains,
                experts * rank,
                number(1.0 - bound),
                number(bound),
                directions,
                experts_are
            )
        };
        let label = tr!("floor, {experts} × rank {rank}, routed", experts, rank);
        Some(Floor { lanes: Vec::new(), share: bound, noise: 0.0, binds: Some(Binds::Routed), label, why })
    }
}

impl Regression {
    /// The mean square that the best change of a rank leaves.
    fn left(&self, rank: usize) -> f64 {
        (self.total - self.gains.iter().take(rank).sum::<f64>()).max(0.0)
    }

    /// The floor of a lane that is one weight, not yet naming it.
    fn floor(&self, lane: &Lane, task: &TaskData) -> Option<Floor> {
        let Reach::Single { rank } = lane.reach_at(0) else { return None };
        let rank = rank.unwrap_or(usize::MAX);
        let (least, share) = (self.left(usize::MAX) / task.energy, self.left(rank) / task.energy);
        let any = share - least < SAME;
        let why = if any {
            tr!(
                "Least squares: no single weight leaves less than {} of these numbers' targets, whatever its rank.",
                number(share)
            )
        } else {
            tr!(
                "Reduced-rank regression: of what least squares finds in these numbers, the {rank} directions worth most; they leave {}, and all directions {}.",
                number(share),
                number(least),
                rank
            )
        };
        Some(single(share, rank, any, why))
    }
}

/// The floor of lanes that are one weight.
fn single(share: f64, rank: usize, any: bool, why: String) -> Floor {
    Floor {
        lanes: Vec::new(),
        share,
        noise: 0.0,
        binds: Some(if any { Binds::AnyWeight } else { Binds::Rank(rank) }),
        label: if any { tr!("floor, any single W") } else { tr!("floor, rank {rank}", rank) },
        why,
    }
}

/// The share left when each expert serves one domain and every gate knows its domain: experts go where they gain
/// most, which is optimal because a domain's gains only shrink.
fn assigned(domains: &Domains, experts: usize, rank: usize, top_k: usize) -> f64 {
    let squares: Vec<f64> = domains::singular_values(domains).iter().map(|s| s * s).collect();
    let total = squares.iter().sum::<f64>() * domains.domains as f64;
    let limit = if top_k == 0 { experts } else { top_k };
    let gains: Vec<f64> = squares
        .chunks(rank.max(1))
        .take(limit)
        .flat_map(|chunk| std::iter::repeat_n(chunk.iter().sum::<f64>(), domains.domains))
        .collect();
    let most = falling(&gains).into_iter().take(experts);
    (1.0 - most.map(|at| gains[at]).sum::<f64>() / total).max(0.0)
}

fn tail(values: &[f64], count: usize, total: f64) -> f64 {
    if total == 0.0 {
        return 0.0;
    }
    (1.0 - values.iter().take(count).sum::<f64>() / total).max(0.0)
}

/// Three significant digits, without needless zeros.
fn number(value: f64) -> String {
    if value.abs() < 1e-9 {
        return "0".into();
    }
    let digits = (2 - libm::floor(libm::log10(value.abs())) as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Spectrum;
    use crate::method::{FULL, LORA, MOLORA, MOR1E};

    fn task(domains: usize, true_rank: usize, conflict: bool, spectrum: Spectrum) -> Domains {
        Domains {
            dim: 64,
            depth: 1,
            domains,
            true_rank,
            conflict,
            spectrum,
            sequence: 2,
            mixed: false,
            noise: 0.0,
            batch: 4,
        }
    }

    fn lora(rank: usize) -> Lane {
        Lane::from(&LORA).with("rank", rank)
    }

    fn molora(experts: usize, rank: usize) -> Lane {
        Lane::from(&MOLORA).with("experts", experts).with("rank", rank)
    }

    fn mor1e(experts: usize, gate: &'static str) -> Lane {
        Lane::from(&MOR1E).with("experts", experts).with("gate", gate)
    }

    fn shares(task: &Domains, lanes: Vec<Lane>) -> Vec<(Vec<usize>, f64)> {
        let data = domains::domains(task, 7).unwrap();
        floors(&Task::Domains(task.clone()), &lanes, &data)
            .into_iter()
            .map(|floor| {
                assert!(floor.why.len() > 20 && !floor.label.is_empty());
                (floor.lanes, floor.share)
            })
            .collect()
    }

    #[test]
    fn rank_floor_is_the_eckart_young_tail() {
        let task = task(1, 16, true, Spectrum::Harmonic);
        let ranks = [1, 2, 4, 8, 16];
        let found = shares(&task, ranks.iter().map(|&r| lora(r)).collect());
        for ((lanes, share), (i, expected)) in
            found.iter().zip([0.3688, 0.2110, 0.1015, 0.0359, 0.0].iter().enumerate())
        {
            assert_eq!(lanes, &[i]);
            assert!((share - expected).abs() < 5e-5, "{share} {expected}");
        }
        assert_eq!(found.len(), ranks.len());
    }

    #[test]
    fn floors_by_rank_are_those_of_lanes() {
        let mut noisy = task(2, 8, true, Spectrum::Harmonic);
        noisy.noise = 0.1;
        let data = domains::domains(&noisy, 7).unwrap();
        let of_ranks = rank_floors(&Task::Domains(noisy.clone()), &data, &[1, 3, 5]);
        let of_lanes = shares(&noisy, [1, 3, 5].map(lora).to_vec());
        assert_eq!(of_ranks, of_lanes.iter().map(|lane| lane.1).collect::<Vec<_>>());
        noisy.depth = 2;
        assert!(rank_floors(&Task::Domains(noisy), &data, &[1]).is_empty());
    }

    #[test]
    fn static_floor_of_conflicting_domains() {
        let shared = task(4, 2, true, Spectrum::Flat);
        let found = shares(&shared, vec![(&FULL).into(), lora(8), lora(2), lora(1)]);
        assert_eq!(found[0].0, [0, 1, 2]);
        assert!((found[0].1 - 0.75).abs() < 1e-9);
        assert_eq!(found[1].0, [3]);
        assert!((found[1].1 - 0.875).abs() < 1e-9);
        // Read directions of their own: the mean has 8 equal singular values, two of them hold 2/8 of 1/4.
        let disjoint = task(4, 2, false, Spectrum::Flat);
        let found = shares(&disjoint, vec![(&FULL).into(), lora(8), lora(2)]);
        assert_eq!(found[0].0, [0, 1]);
        assert!((found[0].1 - 0.75).abs() < 1e-9);
        assert!((found[1].1 - 0.9375).abs() < 1e-9);
    }

    #[test]
    fn routed_floor_counts_output_directions() {
        let task = task(4, 2, true, Spectrum::Flat);
        let found = shares(
            &task,
            vec![
                molora(4, 2),
                mor1e(8, "token"),
                mor1e(4, "pooled"),
                molora(3, 2),
                // Enough directions, too few experts: nothing is proved.
                molora(2, 4),
            ],
        );
        let expected = [(0, 0.0), (1, 0.0), (2, 0.5), (3, 0.25)];
        assert_eq!(found.len(), expected.len());
        for ((lanes, share), (lane, value)) in found.iter().zip(expected) {
            assert_eq!(lanes, &[lane]);
            assert!((share - value).abs() < 1e-9, "{share} {value}");
        }
    }

    #[test]
    fn no_claim_for_one_gate_over_mixed_domains() {
        let mut task = task(4, 2, true, Spectrum::Flat);
        task.mixed = true;
        let found = shares(&task, vec![mor1e(8, "pooled"), mor1e(8, "token")]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, [1]);
    }

    #[test]
    fn noise_raises_every_floor() {
        let mut task = task(4, 2, true, Spectrum::Flat);
        task.noise = 0.1;
        // Energy per element is 2/64.
        let found = shares(&task, vec![(&FULL).into()]);
        assert!((found[0].1 - (0.75 + 0.01 * 32.0)).abs() < 1e-9);
        let data = domains::domains(&task, 7).unwrap();
        let floor = floors(&Task::Domains(task), &[(&FULL).into()], &data).remove(0);
        assert!((floor.noise - 0.01 * 32.0).abs() < 1e-9);
        assert_eq!(floor.binds, Some(Binds::AnyWeight));
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        assert_eq!(number(0.9375), "0.938");
        assert_eq!(number(0.75), "0.75");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.035_94), "0.0359");
    }
}
