//! A training step as data: passes over named buffers, each a kernel with its dims; and what a kernel is, as data too. Knows
//! neither what kernels there are nor how they are run.

mod kernel;
mod real;
mod recording;
mod step;

pub use kernel::{Access, Bound, Constants, Form, Kernel, Place, Target, Typed, Uniform, Updating, Values, Word};
pub(crate) use kernel::{dims, kernel, wgsl};
pub use real::{Real, Twin};
pub use recording::{Arena, Buffer, GRADS, LOSSES, MOMENTS, NOTHING, NOTHING_LEN, PARAMS, Pass, SINK, Tensor};
pub use step::{Step, Update};
