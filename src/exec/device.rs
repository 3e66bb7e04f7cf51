//! An open GPU: its kernels compiled once, its buffers, and whether it was lost. Knows no lanes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use wgpu::util::DeviceExt;

use super::platform::Own;
use crate::error::{Error, Result};
use crate::fixed::Stored;
use crate::graph::{Access, Form, Kernel, Pass, Target};
use crate::lang::tr;

/// An open device. Kernels are compiled once, whoever uses them; a clone is the same device with the same kernels.
#[derive(Clone)]
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// The GPU's name, for people.
    pub name: String,
    /// What kernels are to be written for.
    pub(super) target: Target,
    subgroups: bool,
    pub(super) step_layout: wgpu::BindGroupLayout,
    /// About a dozen.
    kernels: Rc<RefCell<Vec<Compiled>>>,
    compiling: Rc<Cell<Compiling>>,
    pub(super) lost: Arc<Mutex<Option<String>>>,
}

#[derive(Clone)]
pub(super) struct Compiled {
    kernel: &'static Kernel,
    entry: &'static str,
    constants: Vec<(&'static str, f64)>,
    stored: Stored,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// How many kernels are compiled, of those asked for since none was left to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compiling {
    pub done: usize,
    pub of: usize,
}

impl Compiling {
    pub fn is_over(self) -> bool {
        self.done == self.of
    }

    fn one_more(self) -> Self {
        let before = if self.is_over() { Self::default() } else { self };
        Self { of: before.of + 1, ..before }
    }

    fn one_done(self) -> Self {
        Self { done: self.done + 1, ..self }
    }
}

/// Values that are written to a buffer at a time.
const PIECE: usize = 1 << 20;
const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

fn unavailable(reason: impl Into<String>) -> Error {
    Error::Backend { backend: "webgpu", reason: reason.into() }
}

/// Why a device could not be opened on an adapter that is there.
fn refused(name: &str) -> String {
    tr!("the GPU ({name}) is there but refused to be opened; reload the page, or close others that use it", name)
}

impl Device {
    /// Open the machine's GPU.
    ///
    /// # Errors
    /// `Error::Backend` with the reason, where there is no WebGPU (natively: Vulkan) or no adapter.
    pub async fn open() -> Result<Self> {
        if !Own::can_be_asked() {
            return Err(unavailable(Own::missing()));
        }
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|_| unavailable(Own::missing()))?;
        let own = Own::find().await;
        let found = own.name(&adapter.get_info());
        let name = if found.is_empty() { tr!("unnamed GPU") } else { found };
        let renderers = ["swiftshader", "llvmpipe"];
        let software = renderers.iter().any(|known| name.to_ascii_lowercase().contains(known));
        let limits = adapter.limits();
        // The defaults every WebGPU device has, but buffers as large as this one allows.
        let required_limits = wgpu::Limits {
            max_buffer_size: limits.max_buffer_size,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            ..Default::default()
        };
        let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
        let (device, queue, subgroups) =
            own.open(&adapter, descriptor, software).await.map_err(|_| unavailable(refused(&name)))?;
        let target = match software {
            false => Target::Gpu,
            true if subgroups => Target::Quads,
            true => Target::Software,
        };
        let lost = Arc::new(Mutex::new(None));
        let (on_lost, on_error) = (lost.clone(), lost.clone());
        device.set_device_lost_callback(move |reason, message| {
            note(&on_lost, format!("{message} ({reason:?})"));
        });
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&on_error, error.to_string())));
        let step_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("step"),
            entries: &[entry(0, wgpu::BufferBindingType::Uniform, true)],
        });
        let (kernels, compiling) = (Rc::default(), Rc::default());
        Ok(Self { device, queue, name, target, subgroups, step_layout, kernels, compiling, lost })
    }

    /// Its kernels run on the processor.
    pub fn is_software(&self) -> bool {
        self.target != Target::Gpu
    }

    /// Bytes of the largest buffer that kernels can be given.
    pub fn largest_buffer(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
    }

    /// What ended the device, if anything did.
    pub fn lost(&self) -> Option<String> {
        lost_reason(&self.lost)
    }

    /// End the device as a driver's reset would.
    #[cfg(test)]
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// The same device with kernels for another target than it has by its kind, so that all can be tested on one.
    ///
    /// # Errors
    /// `Error::Backend` for [`Target::Quads`] where the device has no subgroups.
    pub fn with_target(self, target: Target) -> Result<Self> {
        if target == Target::Quads && !self.subgroups {
            return Err(unavailable(tr!("the device has no subgroups, which kernels for quads need")));
        }
        Ok(Self { target, kernels: Rc::default(), ..self })
    }

    /// Begin compiling the kernels of these passes, which browsers do beside the caller.
    pub fn warm(&self, passes: &[Pass]) {
        passes.iter().for_each(|pass| drop(self.compiled(pass.kernel, &pass.on(self.target), Stored::F32)));
    }

    /// How far the device is with the kernels that it was given to compile.
    pub fn compiling(&self) -> Compiling {
        self.compiling.get()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.lost().map_or(Ok(()), |reason| Err(Error::DeviceLost(reason)))
    }

    /// `stored`: how the frozen weight is that the kernel reads; F32 where it reads none.
    pub(super) fn compiled(&self, kernel: &'static Kernel, form: &Form, stored: Stored) -> Compiled {
        let (device, step_layout) = (&self.device, &self.step_layout);
        let ours = |compiled: &&Compiled| {
            compiled.kernel == kernel
                && compiled.entry == form.entry
                && compiled.stored == stored
                && compiled.constants == form.constants
        };
        let known = self.kernels.borrow().iter().find(ours).cloned();
        known.unwrap_or_else(|| {
            let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, false)];
            entries.extend(kernel.bindings.iter().zip(1..).map(|((_, access), binding)| {
                let read_only = *access == Access::Read;
                entry(binding, wgpu::BufferBindingType::Storage { read_only }, false)
            }));
            let label = Some(kernel.name);
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
            let source = wgpu::ShaderSource::Wgsl(kernel.text(form, stored));
            let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(step_layout), Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label,
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(form.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &form.constants,
                    // No kernel uses workgroup memory before writing it.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            });
            self.told_at_its_end(scope);
            let constants = form.constants.clone();
            let compiled = Compiled { kernel, entry: form.entry, constants, stored, pipeline, layout };
            self.kernels.borrow_mut().push(compiled.clone());
            compiled
        })
    }

    /// Counts a kernel whose compilation is the last of `scope`: the device answers when it has come to the scope's end.
    fn told_at_its_end(&self, scope: wgpu::ErrorScopeGuard) {
        let (compiling, lost) = (self.compiling.clone(), self.lost.clone());
        compiling.set(compiling.get().one_more());
        let ended = scope.pop();
        Own::beside(async move {
            if let Some(error) = ended.await {
                note(&lost, error.to_string());
            }
            compiling.set(compiling.get().one_done());
        });
    }

    pub(super) fn buffer(&self, label: &str, len: usize) -> wgpu::Buffer {
        self.empty(label, 4 * len.max(16))
    }

    /// A buffer of values, stored as they may be.
    pub(super) fn filled(&self, label: &str, values: &[f32], stored: Stored) -> wgpu::Buffer {
        if values.len() <= PIECE {
            let contents = stored.bytes(values);
            let label = Some(label);
            let descriptor = wgpu::util::BufferInitDescriptor { label, contents: &contents, usage: USAGE };
            return self.device.create_buffer_init(&descriptor);
        }
        // Mapped at its creation, a buffer would lie in memory once more until it is unmapped.
        let buffer = self.empty(label, stored.size() * values.len());
        for (at, piece) in values.chunks(PIECE).enumerate() {
            self.queue.write_buffer(&buffer, (stored.size() * at * PIECE) as u64, &stored.bytes(piece));
            // What was written is held until it is on its way.
            self.queue.submit([]);
        }
        buffer
    }

    fn empty(&self, label: &str, size: usize) -> wgpu::Buffer {
        let (label, size) = (Some(label), size as u64);
        self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage: USAGE, mapped_at_creation: false })
    }
}

fn note(lost: &Mutex<Option<String>>, reason: String) {
    if let Ok(mut lost) = lost.lock() {
        lost.get_or_insert(reason);
    }
}

fn entry(binding: u32, ty: wgpu::BufferBindingType, has_dynamic_offset: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    }
}

pub(super) fn lost_reason(lost: &Mutex<Option<String>>) -> Option<String> {
    lost.lock().ok().and_then(|lost| lost.clone())
}
