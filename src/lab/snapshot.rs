//! A run's state brought over from a device, and put on another when that one is lost. Knows nothing of when either is
//! called for.

use super::{Lab, LaneState, set_base};
use crate::config::Lane;
use crate::error::Result;
use crate::exec::Engine;
use crate::exec::Reading;
use crate::exec::cpu::Cpu;
use crate::exec::gpu::{Device, Gpu};
use crate::graph::PARAMS;
use crate::net::{compile, share};

/// Everything that training changes, after `step` steps.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub step: usize,
    lanes: Vec<Held>,
}

#[derive(Clone, Debug)]
struct Held {
    lane: Lane,
    resizes: usize,
    /// Of the lane's compiled's `state`, in that order.
    buffers: Vec<Vec<f32>>,
}

impl Lab {
    /// Every lane's parameters, in the padded layout, after all that was submitted before. The copies are queued at
    /// once; training may go on before the future is awaited.
    pub fn parameters(&self) -> Reading {
        self.engine.read(&(0..self.lanes.len()).map(|lane| (lane, PARAMS)).collect::<Vec<_>>())
    }

    /// All that training carries from step to step, of every lane, read the same way.
    pub fn snapshot(&self) -> impl Future<Output = Result<Snapshot>> + use<> {
        let state = |lane| &self.engine.compiled(lane).state;
        let all = |lane| state(lane).iter().map(move |&buffer| (lane, buffer));
        let reading = self.engine.read(&(0..self.lanes.len()).flat_map(all).collect::<Vec<_>>());
        let step = self.step;
        let held = |(l, own): (usize, &LaneState)| (own.lane.clone(), own.resizes, state(l).len());
        let lanes: Vec<_> = self.lanes.iter().enumerate().map(held).collect();
        async move {
            let mut values = reading.await?.into_iter();
            let hold = |(lane, resizes, count)| Held { lane, resizes, buffers: values.by_ref().take(count).collect() };
            Ok(Snapshot { step, lanes: lanes.into_iter().map(hold).collect() })
        }
    }

    /// Go on from a snapshot of this run on `device`, or else the CPU. What was in flight is forgotten.
    ///
    /// # Errors
    /// `Error::DeviceLost` if this device is lost too; the snapshot is still good then.
    pub fn restore(&mut self, device: Option<Device>, snapshot: &Snapshot) -> Result<()> {
        let shared = share::<f32>(&self.task);
        let mut engine = match device {
            Some(device) => Engine::Gpu(Box::new(Gpu::new(device, shared))),
            None => Engine::Cpu(Cpu::new(shared)),
        };
        for (index, held) in snapshot.lanes.iter().enumerate() {
            let compiled = compile(&self.task, &held.lane, &self.config.optimizer);
            let state = compiled.state.clone();
            engine.set_lane(index, compiled, &[])?;
            for (buffer, values) in state.into_iter().zip(&held.buffers) {
                engine.write(index, buffer, values)?;
            }
        }
        set_base(&mut engine, &self.task, &self.config.optimizer, snapshot.lanes.len())?;
        self.engine = engine;
        self.step = snapshot.step;
        self.in_flight.clear();
        self.half = 0;
        for (state, held) in self.lanes.iter_mut().zip(&snapshot.lanes) {
            state.lane = held.lane.clone();
            state.resizes = held.resizes;
            state.losses.truncate(snapshot.step);
            state.diverged = state.diverged.filter(|&step| step < snapshot.step);
            state.stale = true;
        }
        Ok(())
    }
}
