//! What the experiments' runs have in common: lanes in few words, training to the end of the schedule, and
//! what is read off afterwards. Knows nothing of claims.

use ndarray::Array2;

use super::Inputs;
use crate::adapter::count::scaling;
use crate::config::{Balance, BalanceKind, Config, Domains, Form, Gate, Lane, Method, Options, Schedule, Task};
use crate::error::Result;
use crate::lab::Lab;
use crate::lab::forward::{Answer, Forward, matrix, row_losses};
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
    Method::Mor1e { experts, alpha: 2.0, gate, hidden: None, balance: Balance::default(), flex: None }
}

/// Scaling 2, where the form has one.
pub fn form(form: Form, rank: usize) -> Method {
    Method::Variant { form, rank, alpha: if form == Form::Mora { 1.0 } else { 2.0 * rank as f64 } }
}

pub fn with(method: Method, options: Options) -> Lane {
    Lane { options, ..method.into() }
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

/// The same for lanes with options of their own.
pub fn optioned(task: Domains, lanes: Vec<Lane>) -> Config {
    Config { lanes, ..domains(task, vec![]) }
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

/// Steps after which the mean loss of the last sixteen is down to `share` of the energy; all there were where it never is.
pub fn steps_to(lab: &Lab, lane: usize, share: f64) -> f64 {
    const WINDOW: usize = 16;
    let most = share * WINDOW as f64 * lab.task.pool_energy;
    let at = lab.losses(lane).windows(WINDOW).position(|window| window.iter().sum::<f64>() <= most);
    at.map_or(lab.step(), |first| first + WINDOW) as f64
}

/// Loss of the lane's parameters as they are, on the whole pool, as a share of the target's energy.
pub async fn pool_share(lab: &Lab, lane: usize) -> Result<f64> {
    let output = answer(lab, lane, lab.task.x.clone(), lab.task.sequence).await?.output;
    let rows = row_losses(&lab.task, &lab.task.y, &output);
    Ok(rows.iter().sum::<f64>() / rows.len() as f64 * lab.task.energy / lab.task.pool_energy)
}

/// A tensor as the forward pass reads it: made of what is trained, or trained itself.
pub async fn read(lab: &Lab, lane: usize, name: &str) -> Result<Vec<f32>> {
    let task = &lab.task;
    let some = task.x[..task.sequence * task.network.inputs()].to_vec();
    let mut forward = Forward::new(task, some, task.sequence);
    forward.set_lane(0, lab.lane(lane), &lab.config.optimizer);
    let mut params = lab.parameters().await?;
    forward.run(0, &params.swap_remove(lane));
    match forward.effective_factor(0, name) {
        Some(values) => Ok(values),
        None => lab.tensor(lane, name).await,
    }
}

/// What a lane that is not routed adds to the first layer's weight, `[outputs, inputs]`.
pub async fn change(lab: &Lab, lane: usize) -> Result<Array2<f64>> {
    let inputs = lab.task.network.inputs();
    let method = &lab.lane(lane).method;
    if matches!(method, Method::Full | Method::Variant { form: Form::Dora, .. }) {
        return Ok(matrix(&read(lab, lane, "layers.0.delta").await?, inputs));
    }
    let (a, b) = (read(lab, lane, "layers.0.lora_A").await?, read(lab, lane, "layers.0.lora_B").await?);
    let rank = a.len() / inputs;
    Ok(matrix(&b, rank).dot(&matrix(&a, inputs)) * scaling(method))
}

/// What a lane, as trained so far, makes of `x [rows, inputs]`, whole sequences.
pub async fn answer(lab: &Lab, lane: usize, x: Vec<f32>, sequence: usize) -> Result<Answer> {
    let (forward, params) = placed(lab, lane, x, sequence).await?;
    Ok(forward.run(0, &params))
}

/// A lane on `x`, to be run at index 0, and its parameters as trained so far.
pub async fn placed(lab: &Lab, lane: usize, x: Vec<f32>, sequence: usize) -> Result<(Forward, Vec<f32>)> {
    let mut forward = Forward::new(&lab.task, x, sequence);
    forward.set_lane(0, lab.lane(lane), &lab.config.optimizer);
    let mut params = lab.parameters().await?;
    Ok((forward, params.swap_remove(lane)))
}

/// `max |a − b|`.
pub fn apart(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).fold(0.0, |worst, (a, b)| f64::max(worst, (f64::from(*a) - f64::from(*b)).abs()))
}

/// `max |a|`.
pub fn largest(a: &[f32]) -> f64 {
    a.iter().fold(0.0, |worst, a| f64::max(worst, f64::from(*a).abs()))
}
