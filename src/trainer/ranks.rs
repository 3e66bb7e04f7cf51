//! Ranks that are not one fixed number, as they are displayed: AdaLoRA's directions in use, and what lanes lose when their
//! factors are cut. Knows nothing of commands.

use crate::clock;
use crate::lab::Lab;
use crate::lab::forward::Forward;
use crate::lab::ranks::{cut_loss, cuts, kept, whole_loss, whole_rank};
use crate::method::Lane;
use crate::method::description::{Budget, Cut};
use crate::protocol::{BudgetFrame, CutLane, CutsFrame};
use crate::task::floors::rank_floors;
use crate::task::{LossKind, TaskData};

use super::readback::Readback;

/// Milliseconds between the beginnings of two measurements of cut factors while training.
const CUTS: f64 = 500.0;
/// What a frame may spend on such a measurement while training, in milliseconds; the rest waits for the next ones.
pub const SLICE: f64 = 4.0;
/// Rows of the pool that they are measured on, at least, where it has as many.
const ROWS: usize = 1024;

/// The lane's budget of directions, if it has one that falls while training.
fn budget(lane: &Lane) -> Option<Budget> {
    lane.method.extras.budget.map(|budget| budget(&lane.settings))
}

/// Whether, after `steps` steps, what is pruned is as the budget left it. While it falls, pruned directions may come back
/// between two of its allocations.
fn kept_after(budget: &Budget, steps: usize) -> bool {
    let Some(last) = steps.checked_sub(1) else { return true };
    last < budget.begin || last >= budget.end || last.is_multiple_of(budget.interval)
}

fn budgeted(lab: &Lab) -> impl Iterator<Item = Budget> {
    (0..lab.lane_count()).filter_map(|l| budget(lab.lane(l)))
}

/// Whether what is read back now tells how many directions are in use.
pub fn settled(lab: &Lab) -> bool {
    budgeted(lab).all(|budget| kept_after(&budget, lab.step()))
}

/// How many of up to `most` more steps to submit at once, so that a run is settled after them.
pub fn settling(lab: &Lab, most: usize) -> usize {
    budgeted(lab).fold(most, |most, budget| last_kept(&budget, lab.step(), most))
}

fn last_kept(budget: &Budget, steps: usize, most: usize) -> usize {
    (1..=most).rev().find(|&more| kept_after(budget, steps + more)).unwrap_or(most)
}

/// Directions in use of every lane whose budget is settled.
pub fn budgets(lab: &Lab, probe: &Forward, now: &Readback) -> Vec<BudgetFrame> {
    let frame = |lane: usize| {
        let budget = budget(lab.lane(lane)).filter(|budget| kept_after(budget, now.step))?;
        let layers = kept(&budget, probe.compiled(lane), &now.params[lane])?;
        Some(BudgetFrame { lane, step: now.step.checked_sub(1)?, layers })
    };
    (0..lab.lane_count()).filter_map(frame).collect()
}

/// Measures what lanes lose when cut, a little at a time.
pub struct Cuts {
    forward: Forward,
    /// The lanes that can be cut, how, and their ranks. They lie in `forward` in this order.
    lanes: Vec<(usize, Cut, usize)>,
    floors: Vec<(usize, f64)>,
    /// What the frozen network misses of the target change on these rows, over what is expected: few rows vary in it by some
    /// per cent, which would show as losses below their floor. 1 for cross-entropy.
    energy: f64,
    sweep: Option<Sweep>,
    /// When the last sweep began.
    begun: f64,
    last: Option<CutsFrame>,
}

/// One measurement under way.
struct Sweep {
    step: usize,
    /// Of `Cuts::lanes`.
    params: Vec<Vec<f32>>,
    /// Losses so far, of one lane after the other.
    losses: Vec<f32>,
}

impl Cuts {
    pub fn new(lab: &Lab) -> Self {
        let task = &lab.task;
        let rows = task.rows_of_pool(ROWS);
        let mut forward = Forward::new(task, task.x[..rows * task.network.inputs()].to_vec(), task.sequence);
        let ranked = |l: usize| Some((l, lab.lane(l).method.extras.cut?, whole_rank(lab.lane(l))?));
        let lanes: Vec<(usize, Cut, usize)> = (0..lab.lane_count()).filter_map(ranked).collect();
        for (index, &(lane, ..)) in lanes.iter().enumerate() {
            forward.set_lane(index, lab.lane(lane), &lab.config.optimizer);
        }
        // The base alone is a lane that adapts no layer.
        forward.set_lane(lanes.len(), &Lane::base(), &lab.config.optimizer);
        let energy = match task.loss {
            LossKind::Mse => whole_loss(task, &forward, lanes.len(), &[]) - task.noise_variance / task.energy,
            LossKind::CrossEntropy => 1.0,
        };
        let ranks = cuts(lanes.iter().map(|&(.., whole)| whole).max().unwrap_or(0));
        let floors = ranks.iter().copied().zip(rank_floors(&lab.config.task, task, &ranks)).collect();
        // A task that asks for no change has no share to tell.
        let energy = if energy > 0.0 { energy } else { 1.0 };
        Self { forward, lanes, floors, energy, sweep: None, begun: f64::NEG_INFINITY, last: None }
    }

    /// The measurement, if one came to its end with this readback: in about `slice` milliseconds, and at rest, without one,
    /// in any case.
    pub fn frame(&mut self, task: &TaskData, now: &Readback, slice: Option<f64>) -> Option<CutsFrame> {
        if slice.is_none()
            && let Some(last) = self.last.as_ref().filter(|last| last.step == now.step)
        {
            return Some(last.clone());
        }
        let begun = clock::now();
        if slice.is_none() {
            self.sweep = None;
        }
        if self.sweep.is_none() {
            if self.lanes.is_empty() || slice.is_some() && begun - self.begun < CUTS {
                return None;
            }
            self.begun = begun;
            let params = self.lanes.iter().map(|&(lane, ..)| now.params[lane].clone()).collect();
            self.sweep = Some(Sweep { step: now.step, params, losses: Vec::new() });
        }
        let sweep = self.sweep.as_mut()?;
        let wanted: Vec<(usize, usize)> = (0..self.lanes.len())
            .flat_map(|index| cuts(self.lanes[index].2).into_iter().map(move |rank| (index, rank)))
            .collect();
        for &(index, rank) in &wanted[sweep.losses.len()..] {
            let loss = cut_loss(task, &self.forward, (index, &self.lanes[index].1), &sweep.params[index], rank);
            sweep.losses.push((loss / self.energy) as f32);
            if slice.is_some_and(|slice| clock::now() - begun >= slice) {
                break;
            }
        }
        if sweep.losses.len() < wanted.len() {
            return None;
        }
        let done = self.sweep.take()?;
        let all = || wanted.iter().zip(&done.losses);
        let lane = |(index, &(lane, ..)): (usize, &(usize, Cut, usize))| {
            let own = all().filter(|((of, _), _)| *of == index);
            CutLane { lane, losses: own.map(|(&(_, rank), &loss)| (rank, loss)).collect() }
        };
        let frame = CutsFrame {
            step: done.step,
            tokens: self.forward.rows(),
            lanes: self.lanes.iter().enumerate().map(lane).collect(),
            floors: self.floors.clone(),
        };
        self.last = Some(frame.clone());
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Domains, Schedule, Spectrum, Task};
    use crate::lab::forward::row_losses;
    use crate::method::{ADALORA, DYLORA, FULL, LORA};
    use crate::task::domains;
    use pollster::block_on;

    /// Of rank 8, with the steps between which it is pruned.
    fn adalora(begin: usize, end: usize) -> Lane {
        Lane::from(&ADALORA).with("budget_begin", begin).with("budget_end", end)
    }

    fn begun(task: Domains, lanes: Vec<Lane>, lr: f64) -> Lab {
        let mut config = Config { lanes, task: Task::Domains(task.clone()), ..Config::default() };
        (config.schedule, config.optimizer.lr) = (Schedule { warmup: 0, total: 1_000 }, lr);
        let data = domains(&task, 1).unwrap();
        Lab::new(config, data, None).unwrap()
    }

    fn readback(lab: &Lab) -> Readback {
        Readback { step: lab.step(), params: block_on(lab.parameters()).unwrap() }
    }

    #[test]
    fn submissions_end_where_the_budget_has_just_been_kept() {
        let falling = budget(&adalora(20, 60)).unwrap();
        // Step 30 is the 31st.
        for (steps, most, expected) in
            [(0, 9, 9), (22, 50, 50), (22, 20, 19), (31, 9, 9), (31, 10, 10), (32, 8, 8), (60, 7, 7), (60, 0, 0)]
        {
            assert_eq!(last_kept(&falling, steps, most), expected, "{most} more after {steps}");
        }
        let lab = begun(Domains { dim: 8, batch: 1, ..Domains::default() }, vec![(&LORA).into()], 0.01);
        assert_eq!((settling(&lab, 22), settled(&lab)), (22, true));
    }

    #[test]
    fn directions_in_use_are_told_where_the_budget_was_kept() {
        let task = Domains { dim: 16, depth: 3, batch: 2, ..Domains::default() };
        let mut lab = begun(task, vec![(&LORA).into(), adalora(10, 40).with("target_rank", 3)], 0.01);
        let mut probe = Forward::new(&lab.task, lab.task.probe.x.clone(), lab.task.probe.sequence);
        (0..2).for_each(|l| probe.set_lane(l, lab.lane(l), &lab.config.optimizer));
        // Singular values begin at zero, which says nothing of a budget.
        assert!(budgets(&lab, &probe, &readback(&lab)).is_empty());
        let mut told = Vec::new();
        for _ in 0..60 {
            block_on(lab.train(1)).unwrap();
            told.extend(budgets(&lab, &probe, &readback(&lab)));
        }
        let steps: Vec<usize> = told.iter().map(|frame| frame.step).collect();
        assert_eq!(steps, [(0..11).collect(), vec![20, 30], (40..60).collect()].concat());
        for frame in told {
            // b_T + (b₀ − b_T)(1 − τ)³, by hand.
            let left = 1.0 - ((frame.step as f64 - 10.0) / 30.0).clamp(0.0, 1.0);
            let total: usize = frame.layers.iter().map(|&(_, kept)| kept).sum();
            assert_eq!((frame.lane, total), (1, 9 + (15.0 * left.powi(3)) as usize), "step {}", frame.step);
            assert_eq!(frame.layers.iter().map(|&(layer, _)| layer).collect::<Vec<_>>(), [0, 1, 2]);
        }
    }

    /// One task of rank 8 on `depth` layers, a DyLoRA and a LoRA, trained a little.
    fn trained(depth: usize) -> Lab {
        let task =
            Domains { dim: 16, depth, domains: 1, true_rank: 8, spectrum: Spectrum::Harmonic, ..Domains::default() };
        let lanes = vec![(&DYLORA).into(), (&FULL).into(), (&LORA).into()];
        let mut lab = begun(task, lanes, 0.01);
        block_on(lab.train(40)).unwrap();
        lab
    }

    #[test]
    fn cut_losses_are_those_of_truncated_factors() {
        let lab = trained(2);
        let now = readback(&lab);
        let frame = Cuts::new(&lab).frame(&lab.task, &now, None).unwrap();
        assert_eq!((frame.step, frame.tokens, frame.lanes.len()), (40, 1024, 2));
        for CutLane { lane, losses } in frame.lanes {
            assert_eq!(losses.iter().map(|&(rank, _)| rank).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
            for (rank, loss) in losses {
                // Every layer's change as a weight of its own, from the first `rank` columns of B and rows of A.
                let mut by_hand = Forward::new(&lab.task, lab.task.x[..1024 * 16].to_vec(), lab.task.sequence);
                by_hand.set_lane(0, &(&FULL).into(), &lab.config.optimizer);
                let mut params = vec![0.0; by_hand.compiled(0).padded];
                for layer in 0..2 {
                    let get = |name: &str| block_on(lab.tensor(lane, &format!("layers.{layer}.{name}"))).unwrap();
                    let (a, b) = (get("lora_A"), get("lora_B"));
                    let entry = |o: usize, i: usize| (0..rank).map(|k| b[o * 8 + k] * a[k * 16 + i]).sum::<f32>();
                    let delta: Vec<f32> = (0..256).map(|at| 2.0 * entry(at / 16, at % 16)).collect();
                    by_hand.compiled(0).sites[layer].parameters[0].scatter(&mut params, &delta);
                }
                let rows = row_losses(&lab.task, &lab.task.y, &by_hand.run(0, &params).output);
                let missed = row_losses(&lab.task, &lab.task.y, &by_hand.run(0, &vec![0.0; params.len()]).output);
                let expected = rows.iter().sum::<f64>() / missed.iter().sum::<f64>();
                assert!(
                    (f64::from(loss) - expected).abs() < 1e-5 * expected,
                    "lane {lane} cut to {rank}: {loss} {expected}"
                );
            }
        }
    }

    #[test]
    fn at_full_rank_the_loss_is_the_lanes() {
        let lab = trained(1);
        let now = readback(&lab);
        let frame = Cuts::new(&lab).frame(&lab.task, &now, None).unwrap();
        // A LoRA that no longer learns passes over the rows that were measured, four batches.
        let mut still = begun(
            match &lab.config.task {
                Task::Domains(task) => task.clone(),
                _ => unreachable!(),
            },
            vec![(&LORA).into(), (&FULL).into()],
            0.0,
        );
        for name in ["layers.0.lora_A", "layers.0.lora_B"] {
            let values = block_on(lab.tensor(2, name)).unwrap();
            block_on(still.set_tensor(0, name, &values)).unwrap();
        }
        block_on(still.train(1024 / lab.task.batch_rows())).unwrap();
        // Full fine-tuning that never began is the frozen network, whose loss is the energy.
        let (losses, missed) = (still.losses(0), still.losses(1));
        let expected = losses.iter().sum::<f64>() / missed.iter().sum::<f64>();
        let &(rank, loss) = frame.lanes[1].losses.last().unwrap();
        assert_eq!((frame.lanes[1].lane, rank, losses.len()), (2, 8, 4));
        assert!((f64::from(loss) - expected).abs() < 1e-5 * expected, "{loss} {expected}");
    }

    /// A LoRA that holds the true change's singular directions, largest first, is at the floor of every rank it is cut to.
    #[test]
    fn the_best_directions_meet_every_floor() {
        let mut lab = trained(1);
        let teacher = &lab.task.teacher.as_ref().unwrap()[0];
        let svd = nalgebra::DMatrix::from_fn(16, 16, |o, i| teacher[(o, i)]).svd(true, true);
        let (u, vt) = (svd.u.unwrap(), svd.v_t.unwrap());
        let a: Vec<f32> = (0..8 * 16).map(|at| vt[(at / 16, at % 16)] as f32).collect();
        let b: Vec<f32> =
            (0..16 * 8).map(|at| (u[(at / 8, at % 8)] * svd.singular_values[at % 8] / 2.0) as f32).collect();
        block_on(lab.set_tensor(2, "layers.0.lora_A", &a)).unwrap();
        block_on(lab.set_tensor(2, "layers.0.lora_B", &b)).unwrap();
        let frame = Cuts::new(&lab).frame(&lab.task, &readback(&lab), None).unwrap();
        let energy = |from: usize| (from..=8).map(|i| 1.0 / (i * i) as f64).sum::<f64>();
        for ((rank, floor), expected) in frame.floors.iter().zip(1..=8) {
            assert_eq!(*rank, expected);
            assert!((floor - energy(rank + 1) / energy(1)).abs() < 1e-9, "rank {rank}: {floor}");
            // Σ σᵢ² zᵢ² over the missing directions, by that over all, zᵢ standard normal, both averaged over the tokens.
            let spread = |from: usize, to: usize| (from..=to).map(|i| 2.0 / (i as f64).powi(4)).sum::<f64>();
            let variance = (1.0 - floor).powi(2) * spread(rank + 1, 8) + floor.powi(2) * spread(1, *rank);
            let chance = 4.0 * (variance / frame.tokens as f64).sqrt() / energy(1) + 1e-6;
            let (cut, loss) = frame.lanes[1].losses[rank - 1];
            assert!(cut == *rank && (f64::from(loss) - floor).abs() < chance, "rank {rank}: {loss} {floor} ± {chance}");
        }
        assert!(Cuts::new(&trained(2)).floors.is_empty(), "nothing is proved of two layers");
    }

    #[test]
    fn a_measurement_in_slices_is_of_one_moment() {
        let mut lab = trained(1);
        let mut cuts = Cuts::new(&lab);
        let whole = Cuts::new(&lab).frame(&lab.task, &readback(&lab), None);
        // No time at all is one loss a frame.
        for _ in 1..16 {
            assert_eq!(cuts.frame(&lab.task, &readback(&lab), Some(0.0)), None);
            block_on(lab.train(1)).unwrap();
        }
        assert_eq!(cuts.frame(&lab.task, &readback(&lab), Some(0.0)), whole);
        cuts.begun = clock::now();
        assert_eq!(cuts.frame(&lab.task, &readback(&lab), Some(1e9)), None, "not again so soon");
        cuts.begun -= CUTS;
        let next = cuts.frame(&lab.task, &readback(&lab), Some(1e9)).unwrap();
        assert_eq!((next.step, whole.unwrap().step), (55, 40));
        assert_eq!(cuts.frame(&lab.task, &readback(&lab), None), Some(next), "at rest it is known already");
    }
}
