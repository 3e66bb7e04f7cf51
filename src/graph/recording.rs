//! A recorded step: passes over named buffers, as data. Compiled once from a configuration, replayed for every
//! step. Knows neither what the passes mean nor how they are run.

use super::{Form, Kernel, Target, Update};

/// A buffer of a recording: one that all lanes share (data, frozen weights), or one of the lane's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Buffer {
    Shared(usize),
    Lane(usize),
}

impl Buffer {
    /// Its number among those of its kind.
    pub fn index(self) -> usize {
        match self {
            Self::Shared(index) | Self::Lane(index) => index,
        }
    }

    /// The one after it.
    pub fn next(self) -> Self {
        match self {
            Self::Shared(index) => Self::Shared(index + 1),
            Self::Lane(index) => Self::Lane(index + 1),
        }
    }
}

/// One dispatch: a kernel with its dims, as words, and a buffer for each of its bindings, in order. Made by
/// [`Typed::pass`](super::Typed::pass).
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    pub kernel: &'static Kernel,
    pub dims: Vec<u32>,
    pub buffers: Vec<Buffer>,
}

impl Pass {
    /// What is bound under a name.
    pub fn buffer(&self, name: &str) -> Option<Buffer> {
        let mut bound = self.kernel.bindings.iter().zip(&self.buffers);
        bound.find(|((binding, _), _)| *binding == name).map(|(_, &buffer)| buffer)
    }

    /// How it is dispatched on a target.
    pub fn on(&self, target: Target) -> Form {
        self.kernel.on(&self.dims, target)
    }

    /// The same pass where nothing is trained: without noise on the gates, with every direction there is.
    pub fn at_rest(&self) -> Self {
        Self { dims: (self.kernel.at_rest)(&self.dims), ..self.clone() }
    }

    /// The same pass with AdamW behind it, for one that computes gradients of weights, and how many.
    pub fn with_update(&self, update: &Update) -> Option<(Self, u32)> {
        let updating = self.kernel.update.as_ref()?;
        let trained = [("params", PARAMS), ("moments", MOMENTS), ("losses", LOSSES)];
        let own = self.kernel.bindings.iter().zip(&self.buffers).map(|(&(name, _), &buffer)| (name, buffer));
        let more = trained.into_iter().filter(|&(name, _)| updating.kernel.binds(name));
        let buffers = updating.kernel.bind(&own.chain(more).collect::<Vec<_>>());
        let pass = Self { kernel: updating.kernel, dims: (updating.words)(&self.dims, update), buffers };
        Some((pass, (updating.elements)(&self.dims)))
    }
}

/// A named tensor inside a buffer, as a strided view: this is how the outer world's shapes (`lora_B [N,O,R]`) meet
/// the padded layout kernels work on (`[N·R, O]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub offset: usize,
    /// In elements, one per axis; 0 repeats.
    pub strides: Vec<usize>,
}

impl Tensor {
    /// Elements as the outer world counts them.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where each element lies, in row-major order of `shape`.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|mut index| {
            let mut at = self.offset;
            for (&size, &stride) in self.shape.iter().zip(&self.strides).rev() {
                at += index % size * stride;
                index /= size;
            }
            at
        })
    }

    /// The tensor's values, row-major.
    pub fn gather<T: Copy>(&self, buffer: &[T]) -> Vec<T> {
        self.positions().map(|at| buffer[at]).collect()
    }

    /// Write row-major `values` into the tensor's place.
    pub fn scatter<T: Copy>(&self, buffer: &mut [T], values: &[T]) {
        self.positions().zip(values).for_each(|(at, &v)| buffer[at] = v);
    }
}

/// Hands out a lane's buffers and the places of its parameters.
#[derive(Debug)]
pub struct Arena {
    /// Name and length in elements of each buffer.
    pub buffers: Vec<(String, usize)>,
    /// Elements of `params` (and of `grads` and the moments) handed out so far.
    pub params: usize,
    pub tensors: Vec<Tensor>,
    /// Those that lie in `params` and are not trained, and the elements they take: they go wherever parameters go, and
    /// leave their places in `grads` and the moments at zero.
    pub frozen_parameters: Vec<Tensor>,
    pub frozen_elements: usize,
}

/// Buffers every lane has. The first two are as long as the parameters.
pub const PARAMS: Buffer = Buffer::Lane(0);
pub const GRADS: Buffer = Buffer::Lane(1);
/// First moments, then second ones: twice as long.
pub const MOMENTS: Buffer = Buffer::Lane(2);
/// Losses by slot, then the step's own before they are added up.
pub const LOSSES: Buffer = Buffer::Lane(3);
/// Bound where a kernel could write something that this use of it does not.
pub const SINK: Buffer = Buffer::Lane(4);
/// Bound where a kernel could read something that this use of it does not: zeros, one for each possible expert.
pub const NOTHING: Buffer = Buffer::Shared(0);
/// Elements of [`NOTHING`].
pub const NOTHING_LEN: usize = 64;

impl Arena {
    /// `losses` is the length of that buffer.
    pub fn new(losses: usize) -> Self {
        let every = [("params", 0), ("grads", 0), ("moments", 0), ("losses", losses), ("sink", 16)];
        Self {
            buffers: every.map(|(n, l)| (n.to_owned(), l)).to_vec(),
            params: 0,
            tensors: Vec::new(),
            frozen_parameters: Vec::new(),
            frozen_elements: 0,
        }
    }

    pub fn buffer(&mut self, name: impl Into<String>, len: usize) -> Buffer {
        self.buffers.push((name.into(), len));
        Buffer::Lane(self.buffers.len() - 1)
    }

    /// A buffer that several layers use: the one of that name, or a new one.
    pub fn shared(&mut self, name: &str, len: usize) -> Buffer {
        match self.buffers.iter().position(|(known, _)| known == name) {
            Some(index) => Buffer::Lane(index),
            None => self.buffer(name, len),
        }
    }

    /// Room for a parameter stored as `rows × cols`, both padded by the caller; `shape` and `strides` are the outer
    /// world's. Returns its offset.
    pub fn param(&mut self, name: String, stored: usize, shape: Vec<usize>, strides: Vec<usize>) -> usize {
        let offset = self.params;
        self.params += stored;
        self.tensors.push(Tensor { name, shape, offset, strides });
        offset
    }

    /// Room in `params`, as for a parameter, for what is never trained.
    pub fn frozen_param(&mut self, name: String, stored: usize, shape: Vec<usize>, strides: Vec<usize>) -> usize {
        let offset = self.params;
        self.params += stored;
        self.frozen_elements += stored;
        self.frozen_parameters.push(Tensor { name, shape, offset, strides });
        offset
    }

    /// Elements of one of its buffers.
    pub fn len_of(&self, buffer: Buffer) -> usize {
        match buffer {
            Buffer::Lane(index) => self.buffers[index].1,
            Buffer::Shared(_) => 0,
        }
    }

    /// Call once all parameters are placed.
    pub fn seal(&mut self) {
        let len = self.params.max(16);
        for (buffer, factor) in [(PARAMS, 1), (GRADS, 1), (MOMENTS, 2)] {
            if let Buffer::Lane(index) = buffer {
                self.buffers[index].1 = factor * len;
            }
        }
    }
}
