//! The loss of a lane as it stands, where no step tells it: after its rank was changed at rest. Knows nothing of how it
//! is shown.

use super::Lab;
use super::forward::row_losses;
use crate::error::Result;
use crate::exec::Recording;
use crate::graph::LOSSES;
use crate::task::{Targets, UNCOUNTED};

impl Lab {
    /// Mean loss on the last `most` batches that were trained on, or as many as there are: the same that other lanes' last
    /// losses are of.
    ///
    /// # Errors
    /// `Error::Missing` if there is no such lane.
    pub async fn measure(&mut self, lane: usize, most: usize) -> Result<f64> {
        self.check_lane(lane)?;
        let (count, tokens) = (most.clamp(1, self.task.batches), self.task.batch_rows());
        let compiled = self.engine.compiled(lane);
        let (output, tensor) = compiled.output_tensor.clone();
        let (recording, buffer, first) = match self.task.y {
            Targets::Dense(_) => (Recording::Output, output, 0),
            Targets::Classes(_) => (Recording::Losses, LOSSES, compiled.loss_at),
        };
        let mut batches = Vec::new();
        let begin = self.step.saturating_sub(count);
        for step in begin..begin + count {
            self.engine.run(lane, recording, self.step_record(None, step, 0))?;
            batches.push((step % self.task.batches * tokens, self.engine.read(&[(lane, buffer)])));
        }
        self.lanes[lane].stale = true;
        let mut sum = 0.0;
        for (row, reading) in batches {
            let values = reading.await?.swap_remove(0);
            sum += match &self.task.y {
                Targets::Dense(y) => {
                    let width = self.task.network.outputs();
                    let expected = Targets::Dense(y[row * width..(row + tokens) * width].to_vec());
                    let shares = row_losses(&self.task, &expected, &tensor.gather(&values));
                    shares.iter().sum::<f64>() * self.task.energy / tokens as f64
                }
                Targets::Classes(classes) => {
                    let counted = classes[row..row + tokens].iter().filter(|&&class| class != UNCOUNTED).count();
                    let nats = values[first..first + tokens].iter().map(|&nats| f64::from(nats));
                    nats.sum::<f64>() / counted.max(1) as f64
                }
            };
        }
        Ok(sum / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Digits, Domains, Schedule, Task};
    use crate::lab::prepare::{Plan, Source};
    use crate::method::{FULL, LORA, MOLORA};
    use crate::task::domains;
    use pollster::block_on;

    fn config(task: Task) -> Config {
        let lanes = vec![(&FULL).into(), (&LORA).into(), (&MOLORA).into()];
        let schedule = Schedule { warmup: 0, total: 1_000 };
        let mut config = Config { task, lanes, schedule, ..Config::default() };
        config.optimizer.lr = 0.0;
        config
    }

    /// Lanes that do not learn: what was measured on the way is what is measured at its end.
    fn agrees(mut lab: Lab, steps: usize) {
        block_on(lab.train(steps)).unwrap();
        for lane in 0..3 {
            for most in [1, 5] {
                let expected = lab.losses(lane)[steps - most..].iter().sum::<f64>() / most as f64;
                let measured = block_on(lab.measure(lane, most)).unwrap();
                assert!((measured - expected).abs() < 1e-5 * expected, "lane {lane}, {most}: {measured} {expected}");
            }
        }
    }

    #[test]
    fn it_is_what_the_last_steps_had() {
        let task = Domains { dim: 16, ..Domains::default() };
        let lab = Lab::new(config(Task::Domains(task.clone())), domains(&task, 1).unwrap(), None).unwrap();
        agrees(lab, 7);
    }

    #[test]
    fn of_classes_too() {
        let digits = std::fs::read_to_string("www/data/digits.csv").unwrap();
        let task = Task::Digits(Digits { pretrain: 1, ..Digits::default() });
        let plan = Plan::new(config(task), Source::Digits(digits)).unwrap();
        let lab = block_on(plan.build(None, async |_| {})).unwrap().lab;
        agrees(lab, 6);
    }

    /// With its rank cut to one, a lane is at the floor of that rank at once, and no longer at that of its old one.
    #[test]
    fn a_cut_lane_is_at_its_new_floor() {
        let task = Domains { dim: 32, ..Domains::default() };
        let mut config = config(Task::Domains(task.clone()));
        config.optimizer.lr = 0.02;
        let mut lab = Lab::new(config, domains(&task, 1).unwrap(), None).unwrap();
        block_on(lab.train(300)).unwrap();
        let mut share = |rank: Option<usize>| {
            if let Some(rank) = rank {
                block_on(lab.set_rank(1, rank)).unwrap();
            }
            block_on(lab.measure(1, usize::MAX)).unwrap() / lab.task.pool_energy
        };
        // Four conflicting tasks of rank 2, flat: any weight leaves 0.75, at rank 1 it is 0.875.
        let (before, after) = (share(None), share(Some(1)));
        assert!((before - 0.75).abs() < 0.015 && (after - 0.875).abs() < 0.015, "{before} {after}");
        assert_eq!((lab.since(1), lab.since(2)), (300, 0));
    }
}
