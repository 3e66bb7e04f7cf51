//! A run without a page: a configuration's lanes training on one task, their tensors at hand. The JavaScript API,
//! the page's worker, native tests and the benchmark all stand on it. Knows nothing of any of them.

pub mod begun;
pub mod change;
mod continued;
pub mod export;
pub mod fit;
pub mod forward;
pub mod generate;
pub mod library;
pub mod many;
mod measure;
pub mod merges;
pub mod prepare;
pub mod python;
pub mod ranks;
mod resize;
pub mod saved;
pub mod score;
pub mod served;
mod snapshot;
pub mod student;
mod tensors;

pub use snapshot::Snapshot;

use std::collections::VecDeque;

use crate::clock;
use crate::config::{BackendChoice, Config, Lane, Optimizer};
use crate::error::{Error, Result};
use crate::exec::cpu::Cpu;
use crate::exec::gpu::{Device, Gpu};
use crate::exec::{Engine, Reading, Schedules};
use crate::graph::{LOSSES, Step};
use crate::lang::tr;
use crate::net::{LOSS_SLOTS, compile, initial, share};
use crate::op::adamw::LOSS_PARTS;
use crate::optim;
use crate::rng::{Rng, stream};
use crate::task::TaskData;

/// Steps in one submission: half of the loss slots, so that one half can be read while the other is filled.
const CHUNK: usize = LOSS_SLOTS / 2;
/// A submission should take about this long, in milliseconds: long enough to hide the round trip, short enough that
/// no GPU's watchdog minds.
const SUBMISSION: f64 = 60.0;

/// A run.
pub struct Lab {
    pub config: Config,
    pub task: TaskData,
    engine: Engine,
    /// Padded tokens per batch.
    tokens: usize,
    step: usize,
    lanes: Vec<LaneState>,
    /// Measured steps per millisecond, for the size of submissions.
    pace: f64,
    /// Which half of the loss slots the next submission fills.
    half: usize,
    in_flight: VecDeque<Flight>,
    /// Of the buffers that all lanes share.
    shared_bytes: usize,
}

struct LaneState {
    /// As it is now; `config.lanes` is how it began.
    lane: Lane,
    losses: Vec<f64>,
    diverged: Option<usize>,
    /// Gradients and gates in the buffers belong to parameters that are no longer there.
    stale: bool,
    resizes: usize,
    /// Steps that were done when it last changed other than by training.
    since: usize,
}

/// A submission whose losses are still to come.
struct Flight {
    lanes: Vec<usize>,
    first_step: usize,
    first_slot: usize,
    steps: usize,
    reading: Reading,
}

/// Open the backend that `choice` asks for; `None` is the CPU, with the reason where WebGPU was preferred.
///
/// # Errors
/// `Error::Backend` where WebGPU was asked for by name and cannot be had.
pub async fn open(choice: BackendChoice) -> Result<(Option<Device>, Option<String>)> {
    match choice {
        BackendChoice::Cpu => Ok((None, None)),
        BackendChoice::WebGpu => Device::open().await.map(|device| (Some(device), None)),
        BackendChoice::Auto => Ok(match Device::open().await {
            Ok(device) => (Some(device), None),
            Err(Error::Backend { reason, .. }) => (None, Some(reason)),
            Err(error) => (None, Some(error.to_string())),
        }),
    }
}

impl Lab {
    /// Set up `config`'s lanes on `task`, on `device` or else the CPU. Initial values come from the seed alone.
    pub fn new(config: Config, task: TaskData, device: Option<Device>) -> Result<Self> {
        for (index, lane) in config.lanes.iter().enumerate() {
            check_layers(index, lane, task.network.layers())?;
        }
        let shared = share::<f32>(&task);
        let tokens = shared.tokens;
        let shared_bytes = shared.buffers.iter().map(|(_, values)| size_of_val(&values[..])).sum();
        let mut engine = match device {
            Some(device) => Engine::Gpu(Box::new(Gpu::new(device, shared))),
            None => Engine::Cpu(Cpu::new(shared)),
        };
        let mut lanes = Vec::new();
        for (index, lane) in config.lanes.iter().enumerate() {
            let compiled = compile(&task, lane, &config.optimizer);
            let params = initial::params(
                &task,
                lane,
                &compiled,
                config.seed.into(),
                &mut Rng::new(config.seed.into(), stream::lane(index)),
            );
            engine.set_lane(index, compiled, &params)?;
            let lane = lane.clone();
            lanes.push(LaneState { lane, losses: Vec::new(), diverged: None, stale: true, resizes: 0, since: 0 });
        }
        set_base(&mut engine, &task, &config.optimizer, lanes.len())?;
        let in_flight = VecDeque::new();
        Ok(Self { config, task, engine, tokens, step: 0, lanes, pace: 0.05, half: 0, in_flight, shared_bytes })
    }

    /// The device, to build the next run on.
    pub fn into_device(self) -> Option<Device> {
        match self.engine {
            Engine::Gpu(gpu) => Some(gpu.into_device()),
            Engine::Cpu(_) => None,
        }
    }

    #[cfg(test)]
    pub fn lose_device(&self) {
        if let Engine::Gpu(gpu) = &self.engine {
            gpu.device().destroy();
        }
    }

    /// The device that it trains on, if it is no CPU.
    pub fn device(&self) -> Option<&Device> {
        match &self.engine {
            Engine::Gpu(gpu) => Some(gpu.device()),
            Engine::Cpu(_) => None,
        }
    }

    /// "webgpu" or "cpu".
    pub fn backend(&self) -> &'static str {
        self.engine.backend()
    }

    /// The GPU's name, or "CPU".
    pub fn adapter(&self) -> &str {
        match &self.engine {
            Engine::Gpu(gpu) => &gpu.device().name,
            Engine::Cpu(_) => "CPU",
        }
    }

    /// Steps submitted.
    pub fn step(&self) -> usize {
        self.step
    }

    pub fn lane_count(&self) -> usize {
        self.lanes.len()
    }

    /// The lane as it is now.
    pub fn lane(&self, lane: usize) -> &Lane {
        &self.lanes[lane].lane
    }

    /// Steps that were done when the lane last changed other than by training; 0 if it never did.
    pub fn since(&self, lane: usize) -> usize {
        self.lanes[lane].since
    }

    /// Task loss before each step whose loss has arrived, without the balance term.
    pub fn losses(&self, lane: usize) -> &[f64] {
        &self.lanes[lane].losses
    }

    /// The step at which the lane's loss stopped being a number; it no longer trains.
    pub fn diverged(&self, lane: usize) -> Option<usize> {
        self.lanes[lane].diverged
    }

    /// Trainable parameters of a lane.
    pub fn parameter_count(&self, lane: usize) -> usize {
        self.engine.compiled(lane).parameters
    }

    /// Steps that fit one submission at the measured pace.
    pub fn pace(&self) -> usize {
        ((self.pace * SUBMISSION) as usize).clamp(1, CHUNK)
    }

    /// Train `steps` steps; done when their losses have arrived.
    pub async fn train(&mut self, steps: usize) -> Result<()> {
        let mut left = steps;
        let mut mark = clock::now();
        while left > 0 || !self.in_flight.is_empty() {
            while left > 0 && self.in_flight.len() < 2 {
                left -= self.submit(left.min(self.pace()))?;
            }
            let done = self.collect().await?;
            let now = clock::now();
            self.note_pace(done, now - mark);
            mark = now;
        }
        Ok(())
    }

    /// Remember how fast training goes: `steps` took `elapsed` milliseconds.
    pub fn note_pace(&mut self, steps: usize, elapsed: f64) {
        let measured = steps as f64 / elapsed.max(0.01);
        // Never more than double at once: a first submission with its shaders' compilation says little.
        self.pace = measured.clamp(0.5 * self.pace, 2.0 * self.pace);
    }

    /// Submit up to `steps` steps and ask for their losses. Returns how many were submitted.
    pub fn submit(&mut self, steps: usize) -> Result<usize> {
        let steps = steps.min(CHUNK);
        let lanes: Vec<usize> = (0..self.lanes.len()).filter(|&l| self.lanes[l].diverged.is_none()).collect();
        let first_slot = self.half * CHUNK;
        self.half = 1 - self.half;
        self.engine.train(&lanes, &self.schedules(steps, first_slot))?;
        let wanted: Vec<_> = lanes.iter().map(|&l| (l, LOSSES)).collect();
        let reading = self.engine.read(&wanted);
        for &l in &lanes {
            self.lanes[l].stale = false;
        }
        self.in_flight.push_back(Flight { lanes, first_step: self.step, first_slot, steps, reading });
        self.step += steps;
        Ok(steps)
    }

    /// Submissions whose losses have not been collected.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Wait for the oldest submission's losses. Returns its number of steps, 0 if there is none.
    pub async fn collect(&mut self) -> Result<usize> {
        let Some(flight) = self.in_flight.pop_front() else { return Ok(0) };
        let values = flight.reading.await?;
        for (&l, ring) in flight.lanes.iter().zip(&values) {
            let lane = &mut self.lanes[l];
            for k in 0..flight.steps {
                if lane.diverged.is_some() {
                    break;
                }
                let from = (flight.first_slot + k) * LOSS_PARTS;
                let loss: f64 = ring[from..from + LOSS_PARTS].iter().map(|&v| f64::from(v)).sum();
                lane.losses.push(loss);
                if !loss.is_finite() {
                    lane.diverged = Some(flight.first_step + k);
                }
            }
        }
        Ok(flight.steps)
    }

    /// The next steps, once for each learning rate that lanes have.
    fn schedules(&self, steps: usize, first_slot: usize) -> Schedules {
        let mut rates: Vec<Option<f64>> = Vec::new();
        let mut of = Vec::new();
        for lane in &self.lanes {
            let known = rates.iter().position(|&rate| rate == lane.lane.lr);
            of.push(known.unwrap_or(rates.len()));
            if known.is_none() {
                rates.push(lane.lane.lr);
            }
        }
        let record = |rate, k| self.step_record(rate, self.step + k, first_slot + k);
        let steps = rates.iter().map(|&rate| (0..steps).map(|k| record(rate, k)).collect()).collect();
        Schedules { steps, of }
    }

    /// Step `t` at a lane's own learning rate, if it has one.
    fn step_record(&self, rate: Option<f64>, t: usize, slot: usize) -> Step {
        let row = t % self.task.batches * self.tokens;
        let lr = rate.unwrap_or(self.config.optimizer.lr);
        optim::step(&Optimizer { lr, ..self.config.optimizer }, &self.config.schedule, t, row, slot)
    }
}

/// The base alone, behind the lanes of a task whose passages are scored.
fn set_base(engine: &mut Engine, task: &TaskData, optimizer: &Optimizer, place: usize) -> Result<()> {
    if task.spare == 0 {
        return Ok(());
    }
    let base = compile(task, &Lane::base(), optimizer);
    engine.set_lane(place, base, &[])
}

fn check_layers(index: usize, lane: &Lane, count: usize) -> Result<()> {
    let bad = lane.layers.iter().flatten().find(|&&l| l >= count);
    bad.map_or(Ok(()), |l| {
        Err(Error::Config {
            key: format!("lanes[{index}].layers"),
            value: l.to_string(),
            allowed: tr!("this task's layers are 0 to {}", count - 1),
        })
    })
}
