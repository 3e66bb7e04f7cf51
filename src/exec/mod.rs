//! Runs recordings: on the CPU through the kernels' twins, or on the GPU. Both hold the shared buffers once and
//! each lane's own; neither knows what a pass means.

pub mod cpu;
mod device;
pub mod gpu;
#[cfg_attr(target_arch = "wasm32", path = "browser.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "native.rs")]
mod platform;

use std::pin::Pin;

use crate::error::Result;
use crate::graph::{Buffer, Step};
use crate::net::CompiledLane;

/// Which of a lane's recordings to run once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Forward and backward, no update.
    Gradients,
    /// Forward into the output buffer.
    Output,
    /// Forward and the loss of each token.
    Losses,
}

/// Steps as lanes take them together: one list for each learning rate, all of one length, and which is whose.
#[derive(Clone, Debug, Default)]
pub struct Schedules {
    pub steps: Vec<Vec<Step>>,
    /// By lane, the place of its list.
    pub of: Vec<usize>,
}

impl Schedules {
    /// One for all of so many lanes.
    pub fn one(steps: Vec<Step>, lanes: usize) -> Self {
        Self { steps: vec![steps], of: vec![0; lanes] }
    }

    pub fn len(&self) -> usize {
        self.steps.first().map_or(0, Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of the buffers asked for, in that order, once they are there.
pub type Reading = Pin<Box<dyn Future<Output = Result<Vec<Vec<f32>>>>>>;

/// Either executor, so that whoever trains need not know which.
pub enum Engine {
    Cpu(cpu::Cpu<f32>),
    Gpu(Box<gpu::Gpu>),
}

impl Engine {
    /// Put a lane at `index`, the next free one or one in use, whose buffers it then replaces; all but `params`
    /// (padded layout) start at zero.
    pub fn set_lane(&mut self, index: usize, compiled: CompiledLane, params: &[f32]) -> Result<()> {
        match self {
            Self::Cpu(cpu) => {
                cpu.set_lane(index, compiled, params);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.set_lane(index, compiled, params),
        }
    }

    pub fn compiled(&self, lane: usize) -> &CompiledLane {
        match self {
            Self::Cpu(cpu) => cpu.compiled(lane),
            Self::Gpu(gpu) => gpu.compiled(lane),
        }
    }

    /// Train lanes, each for the steps of its schedule, all of one length; on the GPU this returns at once.
    pub fn train(&self, lanes: &[usize], schedules: &Schedules) -> Result<()> {
        match self {
            Self::Cpu(cpu) => {
                cpu.train(lanes, schedules);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.train(lanes, schedules),
        }
    }

    /// Run one recording of one lane.
    pub fn run(&self, lane: usize, recording: Recording, step: Step) -> Result<()> {
        match self {
            Self::Cpu(cpu) => {
                cpu.run(lane, recording, step);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.run(lane, recording, step),
        }
    }

    pub fn write(&self, lane: usize, buffer: Buffer, values: &[f32]) -> Result<()> {
        match self {
            Self::Cpu(cpu) => {
                cpu.write(lane, buffer, values);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.write(lane, buffer, values),
        }
    }

    /// Writes values from an element on.
    pub fn write_from(&self, lane: usize, buffer: Buffer, first: usize, values: &[f32]) -> Result<()> {
        match self {
            Self::Cpu(cpu) => {
                cpu.write_from(lane, buffer, first, values);
                Ok(())
            }
            Self::Gpu(gpu) => gpu.write_from(lane, buffer, first, values),
        }
    }

    /// Values of buffers as they are after all that was submitted before, in one round trip. On the GPU the copies
    /// are queued at once, so that training can go on before the future is awaited.
    pub fn read(&self, wanted: &[(usize, Buffer)]) -> Reading {
        match self {
            Self::Cpu(cpu) => {
                let values = wanted.iter().map(|&(lane, buffer)| cpu.read(lane, buffer)).collect();
                Box::pin(std::future::ready(Ok(values)))
            }
            Self::Gpu(gpu) => Box::pin(gpu.read(wanted)),
        }
    }

    /// The first so many values of buffers, read in the same way.
    pub fn read_first(&self, wanted: &[(usize, Buffer, usize)]) -> Reading {
        match self {
            Self::Cpu(cpu) => {
                let values = wanted.iter().map(|&(lane, buffer, len)| cpu.read_first(lane, buffer, len)).collect();
                Box::pin(std::future::ready(Ok(values)))
            }
            Self::Gpu(gpu) => Box::pin(gpu.read_first(wanted)),
        }
    }

    /// "webgpu" or "cpu".
    pub fn backend(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Gpu(_) => "webgpu",
        }
    }
}
