//! From a configuration to a run: the task's data, and for the digits the base network they are adapted from, trained
//! by the same engine. Knows nothing of who asks, nor where data files come from.

use super::Lab;
use super::forward::{Forward, hits};
use crate::clock;
use crate::config::{Config, Lane, Optimizer, Schedule, Task};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::lang::tr;
use crate::method::METHODS;
use crate::task::digits::CLASSES;
use crate::task::{BaseLayer, Images, TaskData, digits, domains, sensors};

/// Steps over which the rate rises that the digits' base is trained at.
const WARMUP: usize = 50;
/// Milliseconds between two reports of progress.
const REPORT: f64 = 100.0;

/// Data that a task cannot make from the seed alone.
#[derive(Clone, Debug)]
pub enum Source {
    None,
    /// Text of `digits.csv`.
    Digits(String),
    /// Arrays given by the caller.
    Custom(Box<TaskData>),
}

/// How far the training of the digits' base has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    pub step: usize,
    pub total: usize,
    /// Training loss of the last step.
    pub loss: f64,
    /// On the held-out upright digits.
    pub accuracy: f64,
}

/// A configuration whose data are at hand: all that can be wrong with either has been said.
#[derive(Clone, Debug)]
pub struct Plan {
    config: Config,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Ready(Box<TaskData>),
    Images(Box<Images>),
}

/// A run that can begin.
pub struct Prepared {
    pub lab: Lab,
    /// The digits with their held-out images, where they are what the task is made of.
    pub images: Option<Images>,
}

impl Plan {
    /// # Errors
    /// `Error::Config` or `Error::Data` naming what does not fit: a lane that begins from an adapter too, which is not at hand here.
    pub fn new(config: Config, source: Source) -> Result<Self> {
        match config.lanes.iter().enumerate().find_map(|(at, lane)| Some((at, lane.begin.clone()?))) {
            None => Self::beginning(config, source),
            Some((at, begin)) => Err(Error::Config {
                key: format!("lanes[{at}].begin"),
                value: format!("\"{begin}\""),
                allowed: tr!(
                    "nothing: adapters are opened in the page's language task; elsewhere set a lane's tensors"
                ),
            }),
        }
    }

    /// The same for one who gives lanes the adapters that they begin from.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn beginning(config: Config, source: Source) -> Result<Self> {
        config.validate()?;
        let data = match (&config.task, source) {
            (Task::Domains(task), _) => Data::Ready(Box::new(domains(task, config.seed.into())?)),
            (Task::Digits(task), Source::Digits(csv)) => {
                Data::Images(Box::new(Images::Digits(digits(task, config.seed.into(), &csv)?)))
            }
            (Task::Sensors(task), Source::Digits(csv)) => {
                Data::Images(Box::new(Images::Sensors(sensors(task, config.seed.into(), &csv)?)))
            }
            (Task::Custom | Task::Text(_), Source::Custom(task)) => Data::Ready(task),
            (task, _) => {
                return Err(Error::Data {
                    what: format!("task \"{}\"", task.kind()),
                    expected: "its data".into(),
                    got: "none".into(),
                });
            }
        };
        Ok(Self { config, data })
    }

    /// Set up the run on `device`, or else the CPU; `progress` hears of the digits' pretraining, and training waits for
    /// what it does.
    ///
    /// # Errors
    /// `Error::DeviceLost`, and `Error::Config` for layers that a custom task does not have.
    pub async fn build(self, device: Option<Device>, progress: impl AsyncFnMut(Progress)) -> Result<Prepared> {
        match self.data {
            Data::Ready(task) => Ok(Prepared { lab: Lab::new(self.config, *task, device)?, images: None }),
            Data::Images(images) => {
                let (base, device) = pretrain(&self.config, &images, device, progress).await?;
                let lab = Lab::new(self.config, images.adaptation(base)?, device)?;
                Ok(Prepared { lab, images: Some(*images) })
            }
        }
    }
}

/// [`Plan::new`] and [`Plan::build`] in one.
pub async fn prepare(
    config: Config,
    device: Option<Device>,
    source: Source,
    progress: impl AsyncFnMut(Progress),
) -> Result<Prepared> {
    Plan::new(config, source)?.build(device, progress).await
}

/// Train the base on upright digits: full fine-tuning of the network as drawn, folded into its weights.
async fn pretrain(
    config: &Config,
    images: &Images,
    device: Option<Device>,
    mut progress: impl AsyncFnMut(Progress),
) -> Result<(Vec<BaseLayer>, Option<Device>)> {
    let whole = images.whole();
    let (task, (total, lr)) = (whole.pretraining(), images.pretraining());
    let lanes = vec![Lane::from(METHODS[0])];
    let schedule = Schedule { warmup: WARMUP.min(total), total };
    let optimizer = Optimizer { lr, ..Optimizer::default() };
    let training = Config { lanes: lanes.clone(), optimizer, schedule, ..config.clone() };
    let upright = whole.held_out_upright();
    let mut check = Forward::new(&task, upright.x, 1);
    check.set_lane(0, &lanes[0], &training.optimizer);
    let mut base = task.base.clone();
    let mut lab = Lab::new(training, task, device)?;
    let mut reported = f64::NEG_INFINITY;
    while lab.step() < total {
        lab.train((2 * lab.pace()).min(total - lab.step())).await?;
        if clock::now() - reported >= REPORT || lab.step() == total {
            reported = clock::now();
            let params = lab.parameters().await?;
            let answer = check.run(0, &params[0]);
            let right = hits(&answer.output, CLASSES, &upright.classes);
            progress(Progress {
                step: lab.step(),
                total,
                loss: lab.losses(0).last().copied().unwrap_or(f64::NAN),
                accuracy: right as f64 / upright.classes.len() as f64,
            })
            .await;
        }
    }
    for (site, layer) in lab.task.network.sites().iter().zip(&mut base) {
        let delta = lab.tensor(0, &format!("{}.delta", site.name)).await?;
        layer.weight.to_mut().iter_mut().zip(delta).for_each(|(w, d)| *w += d);
    }
    Ok((base, lab.into_device()))
}
