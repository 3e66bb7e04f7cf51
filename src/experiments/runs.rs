//! What the experiments' runs have in common: lanes in few words, training to the end of the schedule, and
//! what is read off afterwards. Knows nothing of claims.

use ndarray::Array2;

use super::Inputs;
use crate::args::Settings;
use crate::config::{Config, Domains, Lane, Schedule, Task};
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::forward::{Answer, Forward, matrix};
use crate::lab::prepare::{Prepared, Progress, Source, prepare};
use crate::method::description::{Change, Method, Product, Widths};
use crate::method::{LORA, MOLORA, MOR1E};

/// Steps to convergence on the teacher–student task at the default rate.
pub const STEPS: usize = 1_000;

/// Of this rank, with α = 2r where the method has an α, so that every rank has the same scaling, 2.
pub fn ranked(method: &'static Method, rank: usize) -> Lane {
    let mut lane = Lane::from(method).with("rank", rank);
    lane.settings.set("alpha", 2.0 * rank as f64);
    lane
}

pub fn lora(rank: usize) -> Lane {
    ranked(&LORA, rank)
}

/// Soft routing, scaling 2.
pub fn molora(experts: usize, rank: usize) -> Lane {
    ranked(&MOLORA, rank).with("experts", experts)
}

/// Scaling 2.
pub fn mor1e(experts: usize, gate: &'static str) -> Lane {
    Lane::from(&MOR1E).with("experts", experts).with("alpha", 2.0).with("gate", gate)
}

/// With a term of the loss that evens the use of experts.
pub fn balanced(lane: Lane, kind: &'static str, coefficient: f64) -> Lane {
    lane.with("balance.kind", kind).with("balance.coefficient", coefficient)
}

pub fn config(task: Task, lanes: Vec<Lane>, schedule: Schedule) -> Config {
    Config { task, lanes, schedule, ..Config::default() }
}

/// On the teacher–student task, to convergence.
pub fn domains(task: Domains, lanes: Vec<Lane>) -> Config {
    config(Task::Domains(task), lanes, Schedule { warmup: 50, total: STEPS })
}

/// Set up a run, on the backend that the measurement was given whatever the link would choose.
pub async fn begin(config: &Config, inputs: &Inputs) -> Result<Prepared> {
    let source = match config.task {
        Task::Digits(_) | Task::Sensors(_) => Source::Digits(inputs.digits.clone()),
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
        Task::Sensors(sensors) => sensors.pretrain,
        _ => 0,
    };
    base + config.schedule.total
}

/// Mean loss over the last pass through the pool (or over as much of one as there was), as a share of the target's
/// energy; not a number where the lane diverged.
pub fn relative_loss(lab: &Lab, lane: usize) -> f64 {
    if lab.diverged(lane).is_some() {
        return f64::NAN;
    }
    let losses = lab.losses(lane);
    let last = &losses[losses.len().saturating_sub(lab.task.batches)..];
    last.iter().sum::<f64>() / last.len() as f64 / lab.task.pool_energy
}

pub fn relative_losses(lab: &Lab) -> Vec<f64> {
    (0..lab.lane_count()).map(|lane| relative_loss(lab, lane)).collect()
}

/// Steps after which the mean loss of the last sixteen is down to `share` of the energy; all there were where it never is.
pub fn steps_to(lab: &Lab, lane: usize, share: f64) -> f64 {
    const WINDOW: usize = 16;
    let most = share * WINDOW as f64 * lab.task.pool_energy;
    let at = lab.losses(lane).windows(WINDOW).position(|window| window.iter().sum::<f64>() <= most);
    at.map_or(lab.step(), |first| first + WINDOW) as f64
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

/// A lane's settings on the first layer, and that layer's widths.
pub fn first_layer(lab: &Lab, lane: usize) -> (Settings, Widths) {
    let layer = &lab.task.network.sites()[0];
    (lab.lane(lane).settings_at(0), Widths { inputs: layer.inputs, outputs: layer.outputs })
}

/// The factors that a lane's change of the first layer is made of.
pub fn product(lab: &Lab, lane: usize) -> Result<Product> {
    let (settings, widths) = first_layer(lab, lane);
    match (lab.lane(lane).method.change)(&settings, widths) {
        Change::Product(product) => Ok(product),
        Change::Dense(name) => Err(Error::Missing {
            what: "factors",
            name: name.into(),
            hint: "the experiment needs a lane of low rank".into(),
        }),
    }
}

/// What a lane that is not routed adds to the first layer's weight, `[outputs, inputs]`.
pub async fn change(lab: &Lab, lane: usize) -> Result<Array2<f64>> {
    let (settings, widths) = first_layer(lab, lane);
    let method = lab.lane(lane).method;
    let name = |tensor: &str| format!("layers.0.{tensor}");
    match (method.change)(&settings, widths) {
        Change::Dense(delta) => Ok(matrix(&read(lab, lane, &name(delta)).await?, widths.inputs)),
        Change::Product(product) => {
            let (a, b) = (read(lab, lane, &name(product.a)).await?, read(lab, lane, &name(product.b)).await?);
            Ok(matrix(&b, product.rank).dot(&matrix(&a, widths.inputs)) * (method.scaling)(&settings))
        }
    }
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
