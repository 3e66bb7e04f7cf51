//! Runs recordings on the CPU: f32 where there is no WebGPU, f64 as the reference.

use std::cell::RefCell;

use super::{Recording, Schedules};
use crate::fixed::Fixed;
use crate::graph::{Bound, Buffer, PARAMS, Pass, Place, Step, Twin};
use crate::net::{CompiledLane, Contents, Shared};

struct Lane<F> {
    compiled: CompiledLane,
    buffers: Vec<RefCell<Vec<F>>>,
}

/// A shared buffer: this engine's, or numbers that others read too.
enum Common<F> {
    Own(RefCell<Vec<F>>),
    Fixed(Fixed<F>),
}

/// Shared buffers and lanes in memory.
pub struct Cpu<F> {
    shared: Vec<Common<F>>,
    lanes: Vec<Lane<F>>,
}

impl<F: Twin> Cpu<F> {
    pub fn new(shared: Shared<F>) -> Self {
        let hold = |(_, contents)| match contents {
            Contents::Own(values) => Common::Own(RefCell::new(values)),
            Contents::Fixed(values) => Common::Fixed(values),
        };
        Self { shared: shared.buffers.into_iter().map(hold).collect(), lanes: Vec::new() }
    }

    /// See [`super::Engine::set_lane`].
    pub fn set_lane(&mut self, index: usize, compiled: CompiledLane, params: &[f32]) {
        let mut buffers: Vec<_> = compiled.buffers.iter().map(|&(_, len)| RefCell::new(vec![F::zero(); len])).collect();
        for (buffer, values) in &compiled.constants {
            let Buffer::Lane(at) = *buffer else { continue };
            let wide = values.iter().map(|&v| F::of(f64::from(v)));
            buffers[at] = RefCell::new(wide.collect());
        }
        let lane = Lane { compiled, buffers };
        if index < self.lanes.len() {
            self.lanes[index] = lane;
        } else {
            self.lanes.push(lane);
        }
        self.write(index, PARAMS, params);
    }

    pub fn compiled(&self, lane: usize) -> &CompiledLane {
        &self.lanes[lane].compiled
    }

    pub fn train(&self, lanes: &[usize], schedules: &Schedules) {
        for at in 0..schedules.len() {
            for &lane in lanes {
                let step = &schedules.steps[schedules.of[lane]][at];
                for pass in &self.lanes[lane].compiled.train {
                    self.pass(lane, pass, step);
                }
            }
        }
    }

    pub fn run(&self, lane: usize, recording: Recording, step: Step) {
        let compiled = &self.lanes[lane].compiled;
        let passes = match recording {
            Recording::Gradients => &compiled.gradients,
            Recording::Output => &compiled.output,
            Recording::Losses => &compiled.losses,
        };
        for pass in passes {
            self.pass(lane, pass, &step);
        }
    }

    /// Run one pass; tests compare it with the shader's.
    pub fn pass(&self, lane: usize, pass: &Pass, step: &Step) {
        let buffers: Vec<_> = pass.buffers.iter().map(|&buffer| self.buffer(lane, buffer)).collect();
        F::run(step, &pass.dims, &Bound { kernel: pass.kernel, buffers: &buffers });
    }

    fn buffer(&self, lane: usize, buffer: Buffer) -> Place<'_, F> {
        match buffer {
            Buffer::Shared(index) => match &self.shared[index] {
                Common::Own(values) => Place::Own(values),
                Common::Fixed(values) => Place::Fixed(values),
            },
            Buffer::Lane(index) => Place::Own(&self.lanes[lane].buffers[index]),
        }
    }

    pub fn write(&self, lane: usize, buffer: Buffer, values: &[f32]) {
        self.write_from(lane, buffer, 0, values);
    }

    pub fn write_from(&self, lane: usize, buffer: Buffer, first: usize, values: &[f32]) {
        let mut target = self.values(lane, buffer);
        target.iter_mut().skip(first).zip(values).for_each(|(t, &v)| *t = F::of(f64::from(v)));
    }

    /// Values of a buffer, rounded to f32.
    pub fn read(&self, lane: usize, buffer: Buffer) -> Vec<f32> {
        self.read_first(lane, buffer, usize::MAX)
    }

    /// The first so many, at most all of them.
    pub fn read_first(&self, lane: usize, buffer: Buffer, len: usize) -> Vec<f32> {
        let narrow = |values: &[F]| values.iter().take(len).map(|v| v.f64() as f32).collect();
        match self.buffer(lane, buffer) {
            Place::Own(values) => narrow(&values.borrow()),
            Place::Fixed(values) => narrow(values),
        }
    }

    /// Values of a buffer as they are; changing them is how finite differences are taken.
    ///
    /// # Panics
    /// Of a frozen weight, which others read.
    pub fn values(&self, lane: usize, buffer: Buffer) -> std::cell::RefMut<'_, Vec<F>> {
        match self.buffer(lane, buffer) {
            Place::Own(values) => values.borrow_mut(),
            Place::Fixed(_) => panic!("{buffer:?} is fixed, and others read it"),
        }
    }
}
