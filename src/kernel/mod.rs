//! One module per compute kernel: its dims, its bindings and its CPU twin, under the name of its `.wgsl` file.
//!
//! A kernel knows shapes and arithmetic, not models or GPU handles. The twin is generic over f32 and f64: it is
//! the reference for gradient checks (f64), the fallback where there is no WebGPU (f32), and the oracle each
//! shader is tested against. All token counts and widths are padded to multiples of [`PAD`]; padding holds
//! zeros, and every kernel keeps it so, which is what lets tiles go without edge cases.

pub mod adamw;
pub mod add;
pub mod balance;
pub mod budget;
pub mod cross_entropy;
pub mod diagonal;
pub mod dora;
pub mod flex;
pub mod gate;
pub mod gelu;
pub mod intuition;
pub mod layer;
pub mod mse;
pub mod orthogonal;
pub mod project;
pub mod prototype;
pub mod quantise;
pub mod random;
pub mod recording;
pub mod row;
pub mod tile;
pub mod truncate;
pub mod weight_grad;

use ndarray::{ArrayView2, ArrayViewMut2, LinalgScalar, ScalarOperand, ShapeBuilder};
use num_traits::{Float, FromPrimitive, ToPrimitive};

pub use row::{Bound, Kernel, Typed};
pub(crate) use row::{kernel, wgsl};

/// Widths and token counts are padded to multiples of this: the side of a register tile.
pub const PAD: usize = 8;

/// `n` rounded up to the padded width.
pub const fn pad(n: usize) -> usize {
    n.div_ceil(PAD) * PAD
}

/// How many of `count` equal parts to take at a time, at most `most`, where a turn costs about as much as one part more.
fn parts_per_turn(count: u32, most: u32) -> u32 {
    (1..=most).min_by_key(|&parts| count.div_ceil(parts) * (parts + 1)).unwrap_or(1)
}

/// The element types the twins run in: f32 to train, f64 to check.
pub trait Real:
    Float + LinalgScalar + ScalarOperand + FromPrimitive + ToPrimitive + std::iter::Sum + std::ops::AddAssign + 'static
{
    /// A constant in this type; exact for f64, rounded for f32.
    fn of(value: f64) -> Self;
    fn f64(self) -> f64;
    /// Run a kernel's twin in this type.
    fn twin(step: &Step, words: &[u32], bound: &Bound<Self>);
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn twin(step: &Step, words: &[u32], bound: &Bound<Self>) {
        (bound.kernel.run)(step, words, bound);
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn f64(self) -> f64 {
        self
    }
    fn twin(step: &Step, words: &[u32], bound: &Bound<Self>) {
        (bound.kernel.check)(step, words, bound);
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
    pub decay: f32,
    /// `1 / √(second bias correction)`.
    pub inv_sqrt_bias2: f32,
    /// Number of the step, from 0.
    pub index: u32,
}

impl Step {
    /// As the shaders' `Step` struct reads it.
    pub fn words(&self) -> [u32; 8] {
        [
            self.x_row,
            self.slot,
            self.rate.to_bits(),
            self.decay.to_bits(),
            self.inv_sqrt_bias2.to_bits(),
            self.index,
            0,
            0,
        ]
    }
}

/// Dims as the GPU's uniform holds them: one word a field.
pub trait Uniform: Copy + 'static {
    const FIELDS: &'static [&'static str];
    fn words(&self) -> Vec<u32>;
    fn from_words(words: &[u32]) -> Self;
}

/// Declares a kernel's dims once: the Rust struct, and its words and field names for the GPU's uniform, which a test
/// compares with the shader's own struct.
macro_rules! dims {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty),* }
        impl $crate::kernel::Uniform for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];
            fn words(&self) -> Vec<u32> {
                vec![$($crate::kernel::Word::word(self.$field)),*]
            }
            fn from_words(words: &[u32]) -> Self {
                let mut words = words.iter().copied();
                Self { $($field: $crate::kernel::Word::from_word(words.next().unwrap_or_default())),* }
            }
        }
    };
}
pub(crate) use dims;

/// A value as the GPU's uniform holds it.
pub trait Word {
    fn word(self) -> u32;
    fn from_word(word: u32) -> Self;
}
impl Word for u32 {
    fn word(self) -> u32 {
        self
    }
    fn from_word(word: u32) -> Self {
        word
    }
}
impl Word for f32 {
    fn word(self) -> u32 {
        self.to_bits()
    }
    fn from_word(word: u32) -> Self {
        Self::from_bits(word)
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

    /// The constant that tells such a shader.
    fn size(self) -> (&'static str, f64) {
        ("SIZE", self.workgroup().into())
    }
}

/// How a kernel binds a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
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
