//! The training data that merges of a mixture are made from and measured on: the whole pool where one linear layer is all
//! there is, for its losses then follow from second moments; else some of it. Knows nothing of what is shown.

use ndarray::Array2;

use crate::config::Optimizer;
use crate::inspect::merge::Merged;
use crate::lab::forward::{Forward, matrix, row_losses};
use crate::method::Lane;
use crate::task::{LossKind, Targets, TaskData};

/// Rows, where they are not the whole pool: this many for each input, within the limit.
const ROWS_PER_INPUT: usize = 4;
const ROWS: usize = 1024;

pub struct Pool {
    /// The lane that was placed last, at 0.
    pub forward: Forward,
    lane: Option<(usize, Lane)>,
    pub row_domains: Vec<u8>,
    y: Targets,
    /// Loss of the frozen network, as a share of the pool's energy, and by domain what a change of the weight makes of it.
    moments: Option<(f64, Vec<Moments>)>,
    /// A share of the expected energy, as one of the pool's own.
    own: f64,
}

/// Of one domain's rows, by the energy of all: E[x xᵀ], and E[(y − W0 x) xᵀ].
struct Moments {
    x: Array2<f64>,
    missed: Array2<f64>,
}

impl Pool {
    pub fn new(task: &TaskData) -> Self {
        let network = &task.network;
        let sites = network.sites();
        let linear = sites.len() == 1 && matches!(task.loss, LossKind::Mse) && !network.gelu_follows(0);
        let inputs = sites.iter().map(|site| site.inputs).max().unwrap_or(1);
        let rows = match linear {
            true => task.rows(),
            false => task.rows_of_pool((ROWS_PER_INPUT * inputs).min(ROWS).max(task.batch_rows())),
        };
        let x = task.x[..rows * network.inputs()].to_vec();
        let row_domains = task.row_domains[..rows].to_vec();
        let y = match &task.y {
            Targets::Dense(y) => Targets::Dense(y[..rows * network.outputs()].to_vec()),
            Targets::Classes(classes) => Targets::Classes(classes[..rows].to_vec()),
        };
        let mut moments = None;
        if let (true, Targets::Dense(y)) = (linear, &y) {
            let (x, base) = (matrix(&x, network.inputs()), matrix(&task.base[0].weight, network.inputs()));
            let missed = matrix(y, network.outputs()) - x.dot(&base.t());
            let energy = (rows * network.outputs()) as f64 * task.pool_energy;
            let of = |domain: usize| {
                let own: Vec<usize> = (0..rows).filter(|&row| usize::from(row_domains[row]) == domain).collect();
                let [x, missed] = [&x, &missed].map(|all| all.select(ndarray::Axis(0), &own));
                Moments { missed: missed.t().dot(&x) / energy, x: x.t().dot(&x) / energy }
            };
            let frozen = missed.iter().map(|v| v * v).sum::<f64>() / energy;
            moments = Some((frozen, (0..task.domain_names.len()).map(of).collect()));
        }
        let own = if moments.is_some() { task.energy / task.pool_energy } else { 1.0 };
        Self { forward: Forward::new(task, x, task.sequence), lane: None, row_domains, y, moments, own }
    }

    /// Makes this the lane that is looked at.
    pub fn place(&mut self, index: usize, lane: &Lane, optimizer: &Optimizer) {
        if self.lane.as_ref().is_none_or(|(at, placed)| (*at, placed) != (index, lane)) {
            self.forward.set_lane(0, lane, optimizer);
            self.lane = Some((index, lane.clone()));
        }
    }

    /// Mean loss of an output of the network.
    pub fn loss(&self, task: &TaskData, output: &[f32]) -> f64 {
        let losses = row_losses(task, &self.y, output);
        self.own * losses.iter().sum::<f64>() / losses.len().max(1) as f64
    }

    /// Whether a merge's loss needs the output of the layer's frozen weight alone.
    pub fn wants_output(&self) -> bool {
        self.moments.is_none()
    }

    /// Mean loss with a merge in the layer's place; `frozen` is that output, where it is wanted.
    pub fn merged_loss(
        &self,
        task: &TaskData,
        layer: usize,
        merged: &Merged,
        frozen: Option<&Array2<f64>>,
    ) -> Option<f64> {
        let Some((all, moments)) = &self.moments else {
            let x = matrix(&self.forward.input(0, layer), task.network.sites()[layer].inputs);
            let y = frozen? + &merged.output(&x, &self.row_domains);
            let y: Vec<f32> = y.iter().map(|&v| v as f32).collect();
            return Some(self.loss(task, &self.forward.resume(0, layer, &y)));
        };
        // E‖(y − W0 x) − ΔW x‖², taken apart.
        let mut loss = *all;
        for (domain, Moments { x, missed }) in moments.iter().enumerate() {
            let change = merged.of(domain)?;
            let parts = change.dot(x) - missed - missed;
            loss += parts.iter().zip(change).map(|(part, change)| part * change).sum::<f64>();
        }
        Some(loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Domains, Task};
    use crate::inspect::merge::Observed;
    use crate::lab::Lab;
    use crate::lab::change::Change;
    use crate::method::MOLORA;
    use crate::protocol::{MergeFrame, MergeMode, Watch};
    use crate::task::floors::static_floor;
    use crate::trainer::weight;
    use pollster::block_on;

    /// Merges of a trained mixture on layers of width 32, as they are told, and the pool and its lab.
    fn merges(depth: usize) -> (Lab, Pool, Vec<f32>, f32, Vec<Option<f32>>) {
        let task = Domains { dim: 32, depth, ..Domains::default() };
        let mut config =
            Config { lanes: vec![(&MOLORA).into()], task: Task::Domains(task.clone()), ..Config::default() };
        config.schedule.total = 300;
        let mut lab = Lab::new(config, crate::task::domains(&task, 1).unwrap(), None).unwrap();
        block_on(lab.train(300)).unwrap();
        let params = block_on(lab.parameters()).unwrap().remove(0);
        let mut pool = Pool::new(&lab.task);
        pool.place(0, lab.lane(0), &lab.config.optimizer);
        let mut probe = Forward::new(&lab.task, lab.task.probe.x.clone(), lab.task.probe.sequence);
        probe.set_lane(0, lab.lane(0), &lab.config.optimizer);
        let watch = Watch { lane: 0, layer: 0, merge: MergeMode::MeanGate, domain: 0, token: 0 };
        let answer = probe.run(0, &params);
        let frame = weight::frame(&lab.task, lab.lane(0), watch, &params, (&probe, &answer), Some(&pool)).unwrap();
        let MergeFrame::Mixture { routed, tokens, modes } = frame.merge else { unreachable!() };
        assert_eq!(tokens, pool.row_domains.len());
        (lab, pool, params, routed, modes.into_iter().map(|mode| mode.loss).collect())
    }

    /// No single weight is below the floor of single weights, and what second moments say is what the rows say.
    #[test]
    fn merges_are_measured_on_the_pool() {
        let (lab, pool, params, routed, losses) = merges(1);
        let task = &lab.task;
        assert_eq!(pool.row_domains.len(), task.rows());
        let floor = static_floor(task.teacher.as_ref().unwrap(), 32);
        assert!((floor - 0.75).abs() < 1e-9);
        // On its own rows the best weight misses a share inputs / rows less than it is expected to.
        let least = (floor * (1.0 - 32.0 / task.rows() as f64) * 0.995) as f32;
        let [None, Some(mean), Some(per_domain), Some(top), Some(nearest)] = losses[..] else { panic!("{losses:?}") };
        assert!(mean >= least && nearest >= least && mean < 0.8 && nearest < 0.78, "{losses:?}");
        assert!(per_domain < 0.2 && top < 0.2 && routed < 0.3, "{losses:?}, routed {routed}");

        let answer = pool.forward.run(0, &params);
        let Change::Experts { experts, .. } = Change::new(task, lab.lane(0), &pool.forward, (0, 0), &params).unwrap()
        else {
            unreachable!()
        };
        let (x, gates) = (matrix(&task.x, 32), matrix(&answer.gates[0].values, 4));
        let observed = Observed { x: &x, gates: &gates, row_domains: &pool.row_domains, domains: 4 };
        let Targets::Dense(y) = &task.y else { unreachable!() };
        let wanted = matrix(y, 32) - x.dot(&matrix(&task.base[0].weight, 32).t());
        let squares = |values: &Array2<f64>| values.iter().map(|v| v * v).sum::<f64>();
        let adapted = matrix(&answer.output, 32) - matrix(y, 32);
        assert!((squares(&adapted) / squares(&wanted) - f64::from(routed)).abs() < 1e-5);
        let modes = [MergeMode::MeanGate, MergeMode::MeanGatePerDomain, MergeMode::LeastSquares];
        for (mode, told) in modes.into_iter().zip([mean, per_domain, nearest]) {
            let merged = experts.merge(mode, observed, 0).unwrap().output(&x, &pool.row_domains);
            let by_rows = squares(&(merged - &wanted)) / squares(&wanted);
            assert!((by_rows - f64::from(told)).abs() < 1e-5, "{mode:?}: {told} {by_rows}");
        }
    }

    /// Of a deeper network it is a part of the training data, run through what follows.
    #[test]
    fn deeper_merges_are_measured_on_training_data() {
        let (lab, pool, _, routed, losses) = merges(2);
        assert!(pool.row_domains.len() < lab.task.rows() && pool.wants_output());
        // Single weights lose what routing gained; those that know the task need not.
        assert!([1, 4].iter().all(|&one| losses[one].is_some_and(|loss| loss > 2.0 * routed)), "{losses:?} {routed}");
        let recent = lab.losses(0)[250..].iter().sum::<f64>() / 50.0 / lab.task.energy;
        assert!((f64::from(routed) / recent - 1.0).abs() < 0.3, "{routed} {recent}");
    }
}
