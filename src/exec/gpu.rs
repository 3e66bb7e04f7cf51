//! Runs recordings on the GPU. Only this module names wgpu, with `device` and `platform`, which open and keep one.
//!
//! Up to [`LOSS_SLOTS`] steps go together: what varies per step lies in an uploaded table that group 0 is bound into at a
//! per-step offset, so nothing is uploaded and nothing waits between steps.

use std::cell::OnceCell;

use futures_channel::oneshot;
use wgpu::util::DeviceExt;

use super::device::lost_reason;
pub use super::device::{Compiling, Device};
use super::{Recording, Schedules};
use crate::args::limits;
use crate::error::{Error, Result};
use crate::fixed::Stored;
use crate::graph::{Buffer, PARAMS, Pass, Step};
use crate::net::{CompiledLane, Contents, LOSS_SLOTS, Shared};

/// Steps of a command buffer: the GPU begins with the first ones while the others are still being recorded.
const AT_ONCE: usize = 16;

/// Uniform offsets must be multiples of this on every device.
const ALIGN: u64 = 256;

struct Lane {
    compiled: CompiledLane,
    buffers: Vec<wgpu::Buffer>,
    train: Vec<Dispatch>,
    /// Made when first asked for: a page that only trains need not wait for the compilation of their kernels.
    gradients: OnceCell<Vec<Dispatch>>,
    output: OnceCell<Vec<Dispatch>>,
    losses: OnceCell<Vec<Dispatch>>,
}

struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: u32,
}

/// Shared buffers and lanes on a device.
pub struct Gpu {
    device: Device,
    /// Each with how its values are stored; a lane's own are 32-bit numbers.
    shared: Vec<(wgpu::Buffer, Stored)>,
    lanes: Vec<Lane>,
    table: wgpu::Buffer,
    table_bindings: wgpu::BindGroup,
}

impl Gpu {
    pub fn new(device: Device, shared: Shared<f32>) -> Self {
        let fill = |(name, values): &(String, Contents<f32>)| {
            let stored = values.stored();
            (device.filled(name, values, stored), stored)
        };
        let shared = shared.buffers.iter().map(fill).collect();
        let table = device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("steps"),
            size: ALIGN * (LOSS_SLOTS * limits::LANES.max) as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let table_bindings = device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("step"),
            layout: &device.step_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &table,
                    offset: 0,
                    size: wgpu::BufferSize::new(32),
                }),
            }],
        });
        Self { device, shared, lanes: Vec::new(), table, table_bindings }
    }

    /// The device, to build another task on.
    pub fn into_device(self) -> Device {
        self.device
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn compiled(&self, lane: usize) -> &CompiledLane {
        &self.lanes[lane].compiled
    }

    /// See [`super::Engine::set_lane`].
    pub fn set_lane(&mut self, index: usize, compiled: CompiledLane, params: &[f32]) -> Result<()> {
        let buffers: Vec<_> = compiled.buffers.iter().map(|(name, len)| self.device.buffer(name, *len)).collect();
        let train = self.dispatches(&compiled.train, &buffers);
        let lane = Lane {
            compiled,
            buffers,
            train,
            gradients: OnceCell::new(),
            output: OnceCell::new(),
            losses: OnceCell::new(),
        };
        if index < self.lanes.len() {
            self.lanes[index] = lane;
        } else {
            self.lanes.push(lane);
        }
        let constants = std::mem::take(&mut self.lanes[index].compiled.constants);
        for (buffer, values) in &constants {
            self.write(index, *buffer, values)?;
        }
        self.write(index, PARAMS, params)
    }

    fn dispatches(&self, passes: &[Pass], lane: &[wgpu::Buffer]) -> Vec<Dispatch> {
        // All dims in one buffer, each at its aligned place.
        let mut dims = vec![0u8; ALIGN as usize * passes.len().max(1)];
        for (at, pass) in dims.chunks_exact_mut(ALIGN as usize).zip(passes) {
            for (to, word) in at.chunks_exact_mut(4).zip(&pass.dims) {
                to.copy_from_slice(&word.to_le_bytes());
            }
        }
        let dims = self.device.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("dims"),
            contents: &dims,
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let shared = &self.shared;
        let device = self.device.device.clone();
        let mut out = Vec::with_capacity(passes.len());
        for (pass, index) in passes.iter().zip(0u64..) {
            let stored = |&buffer: &Buffer| match buffer {
                Buffer::Shared(i) => shared[i].1,
                Buffer::Lane(_) => Stored::F32,
            };
            let frozen = pass.kernel.frozen();
            let others = pass.buffers.iter().enumerate().filter(|&(at, _)| Some(at) != frozen);
            debug_assert!(
                others.map(|(_, other)| stored(other)).all(|other| other == Stored::F32),
                "{:?}",
                pass.kernel
            );
            let stored = frozen.map_or(Stored::F32, |at| stored(&pass.buffers[at]));
            let form = pass.on(self.device.target.reading(stored));
            let kernel = self.device.compiled(pass.kernel, &form, stored);
            let size = (4 * pass.dims.len() as u64).next_multiple_of(16);
            let mut entries = vec![wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &dims,
                    offset: index * ALIGN,
                    size: wgpu::BufferSize::new(size),
                }),
            }];
            entries.extend(pass.buffers.iter().zip(1..).map(|(&buffer, binding)| {
                let buffer = match buffer {
                    Buffer::Shared(i) => &shared[i].0,
                    Buffer::Lane(i) => &lane[i],
                };
                wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() }
            }));
            let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &kernel.layout,
                entries: &entries,
            });
            out.push(Dispatch { pipeline: kernel.pipeline, bindings, workgroups: form.workgroups });
        }
        out
    }

    /// Submit `steps` (at most [`LOSS_SLOTS`]) of `lanes`.
    pub fn train(&self, lanes: &[usize], schedules: &Schedules) -> Result<()> {
        let groups: Vec<_> = lanes.iter().map(|&l| (schedules.of[l], self.lanes[l].train.as_slice())).collect();
        self.submit(&groups, &schedules.steps)
    }

    pub fn run(&self, lane: usize, recording: Recording, step: Step) -> Result<()> {
        let Lane { compiled, buffers, gradients, output, losses, .. } = &self.lanes[lane];
        let group = match recording {
            Recording::Gradients => gradients.get_or_init(|| self.dispatches(&compiled.gradients, buffers)),
            Recording::Output => output.get_or_init(|| self.dispatches(&compiled.output, buffers)),
            Recording::Losses => losses.get_or_init(|| self.dispatches(&compiled.losses, buffers)),
        };
        self.submit(&[(0, group)], &[vec![step]])
    }

    /// Groups of dispatches, each with the place of its steps: all groups for the first step, then all for the second.
    fn submit(&self, groups: &[(usize, &[Dispatch])], steps: &[Vec<Step>]) -> Result<()> {
        self.device.check()?;
        let count = steps.first().map_or(0, Vec::len);
        let mut table = vec![0u8; ALIGN as usize * count * steps.len()];
        for (at, step) in table.chunks_exact_mut(ALIGN as usize).zip(steps.iter().flatten()) {
            for (to, word) in at.chunks_exact_mut(4).zip(step.words()) {
                to.copy_from_slice(&word.to_le_bytes());
            }
        }
        self.device.queue.write_buffer(&self.table, 0, &table);
        let indices: Vec<usize> = (0..count).collect();
        for indices in indices.chunks(AT_ONCE) {
            let mut encoder = self.device.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                let mut bound = None;
                for &index in indices {
                    for &(schedule, dispatches) in groups {
                        let offset = ((schedule * count + index) as u64 * ALIGN) as u32;
                        if bound != Some(offset) {
                            pass.set_bind_group(0, &self.table_bindings, &[offset]);
                            bound = Some(offset);
                        }
                        for dispatch in dispatches {
                            pass.set_pipeline(&dispatch.pipeline);
                            pass.set_bind_group(1, &dispatch.bindings, &[]);
                            pass.dispatch_workgroups(dispatch.workgroups, 1, 1);
                        }
                    }
                }
            }
            self.device.queue.submit([encoder.finish()]);
        }
        Ok(())
    }

    fn buffer(&self, lane: usize, buffer: Buffer) -> (&wgpu::Buffer, Stored) {
        match buffer {
            Buffer::Shared(i) => (&self.shared[i].0, self.shared[i].1),
            Buffer::Lane(i) => (&self.lanes[lane].buffers[i], Stored::F32),
        }
    }

    pub fn write(&self, lane: usize, buffer: Buffer, values: &[f32]) -> Result<()> {
        self.write_from(lane, buffer, 0, values)
    }

    pub fn write_from(&self, lane: usize, buffer: Buffer, first: usize, values: &[f32]) -> Result<()> {
        self.device.check()?;
        let (target, stored) = self.buffer(lane, buffer);
        debug_assert!(stored == Stored::F32, "{buffer:?} is fixed: what is written need not be of its numbers");
        self.device.queue.write_buffer(target, (stored.size() * first) as u64, &stored.bytes(values));
        Ok(())
    }

    /// See [`super::Engine::read`]. The copies are queued at once; the future waits for them.
    pub fn read(&self, wanted: &[(usize, Buffer)]) -> impl Future<Output = Result<Vec<Vec<f32>>>> + use<> {
        self.read_first(&wanted.iter().map(|&(lane, buffer)| (lane, buffer, usize::MAX)).collect::<Vec<_>>())
    }

    /// See [`super::Engine::read_first`].
    pub fn read_first(&self, wanted: &[(usize, Buffer, usize)]) -> impl Future<Output = Result<Vec<Vec<f32>>>> + use<> {
        let sources: Vec<_> = wanted.iter().map(|&(lane, buffer, _)| self.buffer(lane, buffer)).collect();
        let most =
            wanted.iter().zip(&sources).map(|(&(.., len), (_, stored))| len.saturating_mul(stored.size()) as u64);
        // In whole words.
        let sizes = sources.iter().zip(most).map(|((b, _), most)| b.size().min(most).next_multiple_of(4));
        let sizes: Vec<u64> = sizes.collect();
        let stored: Vec<Stored> = sources.iter().map(|&(_, stored)| stored).collect();
        let staging = self.device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: sizes.iter().sum::<u64>().max(4),
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.device.create_command_encoder(&Default::default());
        let mut at = 0;
        for ((source, _), size) in sources.iter().zip(&sizes) {
            encoder.copy_buffer_to_buffer(source, 0, &staging, at, *size);
            at += size;
        }
        self.device.queue.submit([encoder.finish()]);
        let (sender, receiver) = oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody waits any more where the receiver is gone.
            let _ = sender.send(result);
        });
        let lost = self.device.lost.clone();
        #[cfg(not(target_arch = "wasm32"))]
        let device = self.device.device.clone();
        async move {
            let failed = |reason: String| Error::DeviceLost(lost_reason(&lost).unwrap_or(reason));
            #[cfg(not(target_arch = "wasm32"))]
            device
                .poll(wgpu::PollType::Wait { submission_index: None, timeout: None })
                .map_err(|error| failed(error.to_string()))?;
            match receiver.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(_) => return Err(failed("the readback was dropped".into())),
            }
            if let Some(reason) = lost_reason(&lost) {
                return Err(Error::DeviceLost(reason));
            }
            let mapped = staging.get_mapped_range(..).map_err(|error| failed(error.to_string()))?;
            let mut rest: &[u8] = &mapped;
            let mut out = Vec::with_capacity(sizes.len());
            for (size, stored) in sizes.into_iter().zip(stored) {
                let (own, after) = rest.split_at(size as usize);
                rest = after;
                out.push(stored.values(own));
            }
            Ok(out)
        }
    }
}
