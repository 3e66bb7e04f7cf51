//! One module per compute kernel: its dims, its bindings and its CPU twin, under the name of its `.wgsl` file.
//!
//! A kernel knows shapes and arithmetic, not models or GPU handles. The twin is generic over f32 and f64: it is
//! the reference for gradient checks (f64), the fallback where there is no WebGPU (f32), and the oracle each
//! shader is tested against. All token counts and widths are padded to multiples of [`PAD`]; padding holds
//! zeros, and every kernel keeps it so, which is what lets tiles go without edge cases.

pub mod adamw;
pub mod add;
pub mod balance;
pub mod cross_entropy;
pub mod gate;
pub mod gelu;
pub mod intuition;
pub mod layer;
pub mod mse;
pub mod project;
pub mod recording;
pub mod variant;
pub mod weight_grad;

use std::borrow::Cow;
use std::cell::{Ref, RefCell, RefMut};

use ndarray::{ArrayView2, ArrayViewMut2, LinalgScalar, ScalarOperand, ShapeBuilder};
use num_traits::{Float, FromPrimitive, ToPrimitive};

/// Widths and token counts are padded to multiples of this: the side of a register tile.
pub const PAD: usize = 8;

/// `n` rounded up to the padded width.
pub const fn pad(n: usize) -> usize {
    n.div_ceil(PAD) * PAD
}

/// How many of `count` equal parts to take at a time, at most `most`, where a turn costs about as much as one part more.
fn at_a_time(count: u32, most: u32) -> u32 {
    (1..=most).min_by_key(|&parts| count.div_ceil(parts) * (parts + 1)).unwrap_or(1)
}

/// The element types the twins run in: f32 to train, f64 to check.
pub trait Real:
    Float + LinalgScalar + ScalarOperand + FromPrimitive + ToPrimitive + std::iter::Sum + std::ops::AddAssign + 'static
{
    /// A constant in this type; exact for f64, rounded for f32.
    fn of(value: f64) -> Self;
    fn f64(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
}

/// What varies from step to step, read by the kernels at a per-step offset of one uploaded table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// First row of this step's batch in the pool.
    pub x_row: u32,
    /// Where this step's loss goes.
    pub slot: u32,
    /// Learning rate over the first bias correction.
    pub rate: f32,
    /// `1 − lr · weight_decay`.
    pub keep: f32,
    /// `1 / √(second bias correction)`.
    pub second: f32,
    /// Number of the step, from 0.
    pub index: u32,
}

impl Step {
    /// As the shaders' `Step` struct reads it.
    pub fn words(&self) -> [u32; 8] {
        [self.x_row, self.slot, self.rate.to_bits(), self.keep.to_bits(), self.second.to_bits(), self.index, 0, 0]
    }
}

/// Declares a kernel's dims once: the Rust struct, its words for the GPU's uniform, and its field names, which a
/// test compares with the shader's own struct.
macro_rules! dims {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty),* }
        impl $name {
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
            pub fn words(&self) -> Vec<u32> {
                vec![$(crate::kernel::Word::word(self.$field)),*]
            }
        }
    };
}
pub(crate) use dims;

/// A value as the GPU's uniform holds it.
pub trait Word {
    fn word(self) -> u32;
}
impl Word for u32 {
    fn word(self) -> u32 {
        self
    }
}
impl Word for f32 {
    fn word(self) -> u32 {
        self.to_bits()
    }
}

/// What a kernel is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Workgroups that fill a GPU's 32 lanes.
    Gpu,
    /// Software, where a workgroup runs on one core: small ones spread over the cores, and need no barrier.
    Software,
    /// Software with subgroups, where the kernels that read most swap what they read among four invocations.
    Quads,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Software, Self::Quads];

    /// Invocations of a workgroup, where a shader leaves that to the device.
    pub fn workgroup(self) -> u32 {
        if self == Self::Gpu { 32 } else { 8 }
    }
}

/// How a kernel binds a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}
use Access::{Read, Write};

/// One kernel with its dims: what a pass does.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Project(project::Dims),
    LayerForward(layer::ForwardDims),
    LayerBackward(layer::BackwardDims),
    WeightGrad(weight_grad::Dims),
    WeightStep(weight_grad::Dims),
    GateForward(gate::Dims),
    GateBackward(gate::Dims),
    Balance(balance::Dims),
    IntuitionForward(intuition::Dims),
    IntuitionBackward(intuition::Dims),
    IntuitionSums(intuition::Dims),
    IntuitionStep(intuition::Dims),
    Gelu(gelu::Dims),
    GeluBackward(gelu::Dims),
    Add(add::Dims),
    Mse(mse::Dims),
    CrossEntropy(cross_entropy::Dims),
    /// What only variants of the methods need.
    Variant(variant::Op),
}

/// What is the same for every use of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    pub name: &'static str,
    /// Of the shader, in `shaders/`.
    pub file: &'static str,
    pub source: &'static str,
    pub entry: &'static str,
    /// Storage bindings of group 1, from binding 1 on (binding 0 is the dims).
    pub bindings: &'static [(&'static str, Access)],
    pub dims: &'static [&'static str],
}

/// Name and text of a shader file, as `build.rs` left it.
macro_rules! wgsl {
    ($name:literal) => {
        ($name, include_str!(concat!(env!("OUT_DIR"), "/", $name, ".wgsl")))
    };
}
use wgsl;

const fn describe(
    name: &'static str,
    (file, source): (&'static str, &'static str),
    entry: &'static str,
    bindings: &'static [(&'static str, Access)],
    dims: &'static [&'static str],
) -> Description {
    Description { name, file, source, entry, bindings, dims }
}

impl Op {
    pub fn describe(&self) -> Description {
        let d = describe;
        match self {
            Op::Project(_) => d("project", wgsl!("project"), "forward", project::BINDINGS, project::Dims::FIELDS),
            Op::LayerForward(_) => {
                d("layer_forward", wgsl!("layer_forward"), "forward", layer::FORWARD, layer::ForwardDims::FIELDS)
            }
            Op::LayerBackward(_) => {
                d("layer_backward", wgsl!("layer_backward"), "backward", layer::BACKWARD, layer::BackwardDims::FIELDS)
            }
            Op::WeightGrad(_) => {
                d("weight_grad", wgsl!("weight_grad"), "backward", weight_grad::BINDINGS, weight_grad::Dims::FIELDS)
            }
            Op::WeightStep(_) => {
                d("weight_step", wgsl!("weight_grad"), "step", weight_grad::STEP, weight_grad::Dims::FIELDS)
            }
            Op::GateForward(_) => d("gate", wgsl!("gate"), "forward", gate::FORWARD, gate::Dims::FIELDS),
            Op::GateBackward(_) => d("gate_backward", wgsl!("gate"), "backward", gate::BACKWARD, gate::Dims::FIELDS),
            Op::Balance(_) => d("balance", wgsl!("balance"), "forward", balance::BINDINGS, balance::Dims::FIELDS),
            Op::IntuitionForward(_) => {
                d("intuition", wgsl!("intuition"), "forward", intuition::FORWARD, intuition::Dims::FIELDS)
            }
            Op::IntuitionBackward(_) => {
                d("intuition_backward", wgsl!("intuition"), "backward", intuition::BACKWARD, intuition::Dims::FIELDS)
            }
            Op::IntuitionSums(_) => {
                d("intuition_sums", wgsl!("intuition"), "sums", intuition::SUMS, intuition::Dims::FIELDS)
            }
            Op::IntuitionStep(_) => {
                d("intuition_step", wgsl!("intuition"), "step", intuition::STEP, intuition::Dims::FIELDS)
            }
            Op::Gelu(_) => d("gelu", wgsl!("gelu"), "forward", gelu::FORWARD, gelu::Dims::FIELDS),
            Op::GeluBackward(_) => d("gelu_backward", wgsl!("gelu"), "backward", gelu::BACKWARD, gelu::Dims::FIELDS),
            Op::Add(_) => d("add", wgsl!("add"), "forward", add::BINDINGS, add::Dims::FIELDS),
            Op::Mse(_) => d("mse", wgsl!("mse"), "backward", mse::BINDINGS, mse::Dims::FIELDS),
            Op::CrossEntropy(_) => d(
                "cross_entropy",
                wgsl!("cross_entropy"),
                "backward",
                cross_entropy::BINDINGS,
                cross_entropy::Dims::FIELDS,
            ),
            Op::Variant(op) => op.describe(),
        }
    }

    /// The same pass with AdamW behind it, for one that computes gradients of weights, and how many.
    pub fn with_update(&self, update: &adamw::Update) -> Option<(Self, u32)> {
        match self {
            Op::WeightGrad(d) => Some((Op::WeightStep(d.with_update(update)), d.elements())),
            Op::IntuitionSums(d) => Some((Op::IntuitionStep(d.with_update(update)), d.vectors())),
            _ => None,
        }
    }

    /// The same pass where nothing is trained: without noise on the gates, with every direction there is.
    pub fn at_rest(self) -> Self {
        match self {
            Op::GateForward(d) => Op::GateForward(gate::Dims { noise: 0.0, ..d }),
            Op::Variant(op) => Op::Variant(op.at_rest()),
            op => op,
        }
    }

    /// The dims as the GPU's uniform holds them.
    pub fn words(&self) -> Vec<u32> {
        match self {
            Op::Project(d) => d.words(),
            Op::LayerForward(d) => d.words(),
            Op::LayerBackward(d) => d.words(),
            Op::WeightGrad(d) | Op::WeightStep(d) => d.words(),
            Op::GateForward(d) | Op::GateBackward(d) => d.words(),
            Op::Balance(d) => d.words(),
            Op::IntuitionForward(d) | Op::IntuitionBackward(d) | Op::IntuitionSums(d) | Op::IntuitionStep(d) => {
                d.words()
            }
            Op::Gelu(d) | Op::GeluBackward(d) => d.words(),
            Op::Add(d) => d.words(),
            Op::Mse(d) => d.words(),
            Op::CrossEntropy(d) => d.words(),
            Op::Variant(op) => op.words(),
        }
    }

    /// What stands behind the shader for [`Target::Quads`], of a kernel that has a form for it: name and text of the file.
    fn quads(&self, target: Target) -> Option<(&'static str, &'static str)> {
        match self {
            _ if target != Target::Quads => None,
            Op::LayerForward(d) if d.quads() => Some(wgsl!("layer_quads")),
            Op::WeightStep(d) if d.quads() => Some(wgsl!("weight_quads")),
            Op::GateForward(_) | Op::GateBackward(_) => Some(wgsl!("gate_quads")),
            _ => None,
        }
    }

    /// The shader's files, and its text; for browsers to allow what more than one file holds, `enable subgroups;` is to
    /// stand before it, which naga does not know yet.
    pub fn shader(&self, target: Target) -> (Vec<&'static str>, Cow<'static, str>) {
        let Description { file, source, .. } = self.describe();
        match self.quads(target) {
            None => (vec![file], source.into()),
            Some((more, quads)) => (vec![file, more], [source, "\n", quads].concat().into()),
        }
    }

    /// The shader's entry point.
    pub fn entry(&self, target: Target) -> &'static str {
        let quads = self.quads(target).is_some();
        match self {
            Op::LayerForward(_) | Op::GateForward(_) if quads => "forward_quads",
            Op::GateBackward(_) if quads => "backward_quads",
            Op::WeightStep(_) if quads => "step_quads",
            Op::GateForward(_) if target != Target::Gpu => "forward_alone",
            Op::GateBackward(_) if target != Target::Gpu => "backward_alone",
            _ => self.describe().entry,
        }
    }

    /// What is fixed when the pipeline is made: `SIZE`, where workgroups have as many invocations as the device wants, and
    /// what decides inside a product's loop.
    pub fn constants(&self, target: Target) -> Vec<(&'static str, f64)> {
        use Op::{IntuitionBackward, IntuitionForward, Project, WeightGrad, WeightStep};
        let size = ("SIZE", target.workgroup().into());
        let quads = self.quads(target).is_some();
        match self {
            Op::LayerForward(d) if quads => vec![("MSE", d.mse.into()), ("BLOCKS", (d.slots / 4).into())],
            Op::WeightStep(d) if quads => vec![("ROWS0", d.rows0().into()), ("ROWS1", d.rows1().into())],
            Op::GateForward(d) if quads => vec![("ROWS", d.rows_forward().into())],
            Op::GateBackward(d) if quads => vec![("ROWS", d.rows_backward().into())],
            Op::LayerForward(d) => {
                vec![size, ("CACHED", d.base_cached.into()), ("DENSE", d.dense.into()), ("MSE", d.mse.into())]
            }
            Op::LayerBackward(d) => vec![size, ("DENSE", d.dense.into())],
            Project(_) | WeightGrad(_) | WeightStep(_) | IntuitionForward(_) | IntuitionBackward(_) => vec![size],
            _ => vec![],
        }
    }

    /// Workgroups to dispatch.
    pub fn workgroups(&self, target: Target) -> u32 {
        let (size, quads) = (target.workgroup(), self.quads(target).is_some());
        match self {
            Op::LayerForward(d) if quads => d.quad_tiles(),
            Op::WeightStep(d) if quads => d.quad_tiles() + 1,
            Op::Project(d) => d.tiles().div_ceil(size),
            Op::LayerForward(d) => d.tiles().div_ceil(size),
            Op::LayerBackward(d) => d.tiles().div_ceil(size),
            Op::WeightGrad(d) => d.products().div_ceil(size),
            Op::WeightStep(d) => d.products().div_ceil(size) + 1,
            Op::GateForward(d) | Op::GateBackward(d) => d.workgroups(target),
            Op::Balance(_) => 1,
            Op::IntuitionForward(d) | Op::IntuitionBackward(d) => d.rows,
            Op::IntuitionSums(d) | Op::IntuitionStep(d) => d.sum_workgroups(),
            Op::Gelu(d) | Op::GeluBackward(d) => d.workgroups(),
            Op::Add(d) => d.workgroups(),
            Op::Mse(d) => d.workgroups(),
            Op::CrossEntropy(d) => d.workgroups(),
            Op::Variant(op) => op.workgroups(),
        }
    }

    /// Run the twin. `buffers` are in the order of the kernel's bindings.
    pub fn run<F: Real>(&self, step: &Step, buffers: &[&RefCell<Vec<F>>]) {
        let b = Bound(buffers);
        match self {
            Op::Project(d) => project::forward(step, d, &b),
            Op::LayerForward(d) => layer::forward(step, d, &b),
            Op::LayerBackward(d) => layer::backward(d, &b),
            Op::WeightGrad(d) => weight_grad::backward(step, d, &b),
            Op::WeightStep(d) => weight_grad::step(step, d, &b),
            Op::GateForward(d) => gate::forward(step, d, &b),
            Op::GateBackward(d) => gate::backward(step, d, &b),
            Op::Balance(d) => balance::forward(d, &b),
            Op::IntuitionForward(d) => intuition::forward(step, d, &b),
            Op::IntuitionBackward(d) => intuition::backward(d, &b),
            Op::IntuitionSums(d) => intuition::sums(d, &b),
            Op::IntuitionStep(d) => intuition::step(step, d, &b),
            Op::Gelu(d) => gelu::forward(d, &b),
            Op::GeluBackward(d) => gelu::backward(d, &b),
            Op::Add(d) => add::forward(step, d, &b),
            Op::Mse(d) => mse::backward(step, d, &b),
            Op::CrossEntropy(d) => cross_entropy::backward(step, d, &b),
            Op::Variant(op) => op.run(step, &b),
        }
    }
}

/// The buffers of one pass on the CPU, by binding.
pub struct Bound<'a, F>(&'a [&'a RefCell<Vec<F>>]);

impl<F> Bound<'_, F> {
    pub fn read(&self, binding: usize) -> Ref<'_, Vec<F>> {
        self.0[binding].borrow()
    }
    pub fn write(&self, binding: usize) -> RefMut<'_, Vec<F>> {
        self.0[binding].borrow_mut()
    }
}

/// `rows × cols` of `data` from `offset` on, with rows `stride` apart. Panics if they are not there, as an index would.
pub fn view<F>(data: &[F], offset: usize, rows: usize, cols: usize, stride: usize) -> ArrayView2<'_, F> {
    let used = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
    match ArrayView2::from_shape((rows, cols).strides((stride, 1)), &data[offset..offset + used]) {
        Ok(view) => view,
        Err(error) => unreachable!("the slice was cut to the view's size: {error}"),
    }
}

/// The mutable twin of [`view`].
pub fn view_mut<F>(data: &mut [F], offset: usize, rows: usize, cols: usize, stride: usize) -> ArrayViewMut2<'_, F> {
    let used = if rows == 0 { 0 } else { (rows - 1) * stride + cols };
    match ArrayViewMut2::from_shape((rows, cols).strides((stride, 1)), &mut data[offset..offset + used]) {
        Ok(view) => view,
        Err(error) => unreachable!("the slice was cut to the view's size: {error}"),
    }
}
