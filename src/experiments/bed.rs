//! What the experiments' runs have in common: lanes in few words, training to the end of the schedule, and
//! what is read off afterwards. Knows nothing of claims.

use super::Inputs;
use crate::config::{Balance, BalanceKind, Config, Domains, Gate, Lane, Method, Schedule, Task};
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::{Answer, Forward};
use crate::lab::prepare::{Prepared, Progress, Source, prepare};

/// Steps to convergence on the teacher–student task at the default rate.
pub const STEPS: usize = 1_000;

/// LoRA with α = 2r, so that every rank has the same scaling, 2.
pub fn lora(rank: usize) -> Method {
    Method::Lora { rank, alpha: 2.0 * rank as f64, rslora: false }
}

/// Soft routing, scaling 2.
pub fn molora(experts: usize, rank: usize) -> Method {
    routed(experts, rank, 0, false, Balance::default())
}

/// Scaling 2.
pub fn routed(experts: usize, rank: usize, top_k: usize, renormalize: bool, balance: Balance) -> Method {
    Method::Molora { experts, rank, alpha: 2.0 * rank as f64, top_k, renormalize, balance }
}

pub fn mor1e(experts: usize, gate: Gate) -> Method {
    Method::Mor1e { experts, alpha: 2.0, gate, hidden: None, balance: Balance::default() }
}

pub fn balance(kind: BalanceKind, coefficient: f64) -> Balance {
    Balance { kind, coefficient }
}

pub fn config(task: Task, methods: Vec<Method>, schedule: Schedule) -> Config {
    let lanes = methods.into_iter().map(Lane::from).collect();
    Config { task, lanes, schedule, ..Config::default() }
}

/// On the teacher–student task, to convergence.
pub fn domains(task: Domains, methods: Vec<Method>) -> Config {
    config(Task::Domains(task), methods, Schedule { warmup: 50, total: STEPS })
}

/// Set up a run, on the backend that the measurement was given whatever the link would choose.
pub async fn begin(config: &Config, inputs: &Inputs) -> Result<Prepared> {
    let source = match config.task {
        Task::Digits(_) => Source::Digits(inputs.digits.clone()),
        _ => Source::None,
    };
    let mut before = 0;
    prepare(config.clone(), inputs.device(), source, async |progress: Progress| {
        inputs.advance(progress.step - before);
        before = progress.step;
    })
    .await
}

/// A run trained to the end of its schedule.
pub async fn trained(config: &Config, inputs: &Inputs) -> Result<Prepared> {
    let mut prepared = begin(config, inputs).await?;
    train(&mut prepared.lab, config.schedule.total, inputs).await?;
    Ok(prepared)
}

/// Train so many steps, in slices between which progress is told.
pub async fn train(lab: &mut Lab, steps: usize, inputs: &Inputs) -> Result<()> {
    let mut left = steps;
    while left > 0 {
        // Some submissions long, so that a GPU is never idle for more than the time between two slices.
        let slice = left.min(4 * lab.pace());
        lab.train(slice).await?;
        inputs.advance(slice);
        left -= slice;
    }
    Ok(())
}

/// Steps that a set-up trains, the digits' base included.
pub fn steps(config: &Config) -> usize {
    let base = match &config.task {
        Task::Digits(digits) => digits.pretrain,
        _ => 0,
    };
    base + config.schedule.total
}

/// Mean loss over the last pass through the pool (or over as much of one as there was), as a share of the target's
/// energy; not a number where the lane diverged.
pub fn share(lab: &Lab, lane: usize) -> f64 {
    if lab.diverged(lane).is_some() {
        return f64::NAN;
    }
    let losses = lab.losses(lane);
    let last = &losses[losses.len().saturating_sub(lab.task.batches)..];
    last.iter().sum::<f64>() / last.len() as f64 / lab.task.pool_energy
}

pub fn shares(lab: &Lab) -> Vec<f64> {
    (0..lab.lane_count()).map(|lane| share(lab, lane)).collect()
}

/// What a lane, as trained so far, makes of `x [rows, inputs]`, whole sequences.
pub async fn answer(lab: &Lab, lane: usize, x: Vec<f32>, sequence: usize) -> Result<Answer> {
    let mut forward = Forward::new(&lab.task, x, sequence);
    forward.set_lane(0, lab.lane(lane), &lab.config.optimizer);
    let mut params = lab.parameters().await?;
    Ok(forward.run(0, &params.swap_remove(lane)))
}

/// `max |a − b|`.
pub fn apart(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).fold(0.0, |worst, (a, b)| f64::max(worst, (f64::from(*a) - f64::from(*b)).abs()))
}

/// `max |a|`.
pub fn largest(a: &[f32]) -> f64 {
    a.iter().fold(0.0, |worst, a| f64::max(worst, f64::from(*a).abs()))
}
