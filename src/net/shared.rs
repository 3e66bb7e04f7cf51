//! What all lanes share: the pool of batches, the targets and the frozen base, in the padded layout of the
//! kernels. What reads the data themselves has a frozen product that never changes and is made once, here.

use std::ops::Deref;

use ndarray::linalg::general_mat_mul;

use super::constant::{is_constant, left_out_of_target};
use crate::fixed::{Fixed, Stored};
use crate::graph::{Buffer, NOTHING, NOTHING_LEN, Real};
use crate::op::{pad, view, view_mut};
use crate::order::sorted;
use crate::task::network::FrozenTensor;
use crate::task::{LossKind, Network, Targets, TaskData, UNCOUNTED};

/// Values of the shared buffers, by the number in their [`Buffer`], and the sizes every lane needs.
pub struct Shared<F> {
    pub buffers: Vec<(String, Contents<F>)>,
    /// Padded and real tokens per batch.
    pub tokens: usize,
    pub real_tokens: usize,
    pub batches: usize,
}

/// What a shared buffer holds: numbers of its own, or frozen ones that lie in the task's data as kernels read them.
pub enum Contents<F> {
    Own(Vec<F>),
    Fixed(Fixed<F>),
}

impl<F> Contents<F> {
    /// How a device stores it.
    pub fn stored(&self) -> Stored {
        match self {
            Self::Own(_) => Stored::F32,
            Self::Fixed(values) => values.stored(),
        }
    }
}

impl<F> Deref for Contents<F> {
    type Target = [F];
    fn deref(&self) -> &[F] {
        match self {
            Self::Own(values) => values,
            Self::Fixed(values) => values,
        }
    }
}

impl<F> Shared<F> {
    /// First row of batch `index` in the pool.
    pub fn batch_row(&self, index: usize) -> usize {
        index % self.batches * self.tokens
    }
}

/// The shared buffers of a network, by what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBuffers {
    pub x: Buffer,
    pub target: Buffer,
    /// The frozen weight of each site.
    pub weight: Vec<Buffer>,
    /// Its bias; where it reads the data themselves, its whole frozen output for every row of the pool.
    pub base: Vec<Buffer>,
    /// The network's frozen tensors.
    tensors: Vec<Buffer>,
    /// Zeros for what adds a bias and has none, as many as the network has outputs.
    pub no_bias: Buffer,
    /// A teacher's logits for every row of the pool, where the task has them.
    pub soft: Buffer,
}

/// A site's frozen weight `[outputs, inputs]`, its base, and the target, which is without that where it is left out.
#[derive(Clone, Copy, Debug)]
pub struct Frozen {
    pub weight: Buffer,
    pub base: Buffer,
    pub target: Buffer,
}

impl SharedBuffers {
    pub fn new(network: &Network) -> Self {
        let mut last = NOTHING;
        let mut next = || {
            last = last.next();
            last
        };
        let (x, target) = (next(), next());
        let (weight, base) = network.sites().iter().map(|_| (next(), next())).unzip();
        let tensors = network.tensors().iter().map(|_| next()).collect();
        Self { x, target, weight, base, tensors, no_bias: next(), soft: next() }
    }

    pub fn tensor(&self, tensor: FrozenTensor) -> Buffer {
        self.tensors[tensor.index()]
    }

    pub fn frozen(&self, site: usize) -> Frozen {
        Frozen { weight: self.weight[site], base: self.base[site], target: self.target }
    }
}

pub fn share<F: Real>(task: &TaskData) -> Shared<F> {
    let real_tokens = task.batch_rows();
    let tokens = pad(real_tokens);
    let (pool, place) = pool(task);
    let x = rows(&task.x, task.network.inputs(), pool, &place);
    let mut target = match &task.y {
        Targets::Dense(y) => rows(y, task.network.outputs(), pool, &place),
        Targets::Classes(labels) => {
            let mut out = vec![F::zero(); pool];
            let label = |class: u32| if class == UNCOUNTED { -1.0 } else { f64::from(class) };
            labels.iter().enumerate().for_each(|(r, &class)| out[place(r)] = F::of(label(class)));
            out
        }
    };
    let own = SharedBuffers::new(&task.network);
    let mut filled = vec![(NOTHING, "nothing".to_owned(), Contents::Own(vec![F::zero(); NOTHING_LEN]))];
    for (l, (site, frozen)) in task.network.sites().iter().zip(&task.base).enumerate() {
        let weight = fixed(&frozen.weight, site.inputs, pad(site.outputs));
        let base = base(task, l, &weight, &x);
        if left_out_of_target(&task.network, task.loss) == Some(l) {
            without(&mut target, &base);
        }
        filled.push((own.weight[l], format!("{}.base.weight", site.name), weight));
        filled.push((own.base[l], format!("{}.base", site.name), Contents::Own(base)));
    }
    for ((shape, values), &buffer) in task.network.tensors().iter().zip(&task.tensors).zip(&own.tensors) {
        filled.push((buffer, shape.name.clone(), fixed(values, shape.cols, pad(shape.rows))));
    }
    let no_bias = vec![F::zero(); pad(task.network.outputs())];
    let named = |name: &str, buffer, values| (buffer, name.to_owned(), Contents::Own(values));
    filled.extend([named("no bias", own.no_bias, no_bias), named("x", own.x, x), named("target", own.target, target)]);
    if let Some(soft) = &task.soft {
        filled.push(named("soft", own.soft, rows(&soft.logits, task.network.outputs(), pool, &place)));
    }
    debug_assert!(matches!(
        (task.loss, &task.y),
        (LossKind::Mse, Targets::Dense(_)) | (LossKind::CrossEntropy, Targets::Classes(_))
    ));
    let filled = sorted(filled, |(a, ..), (b, ..)| a.index().cmp(&b.index()));
    let buffers = filled.into_iter().map(|(_, name, values)| (name, values)).collect();
    Shared { buffers, tokens, real_tokens, batches: task.batches }
}

fn without<F: Real>(target: &mut [F], base: &[F]) {
    target.iter_mut().zip(base).for_each(|(target, &base)| *target = *target - base);
}

/// Rows of the padded pool with its spare batches, and the one for a row of the task's.
fn pool(task: &TaskData) -> (usize, impl Fn(usize) -> usize + use<>) {
    let real_tokens = task.batch_rows();
    let tokens = pad(real_tokens);
    (tokens * (task.batches + task.spare), move |row: usize| row / real_tokens * tokens + row % real_tokens)
}

/// The base of a site with this weight, padded as the kernels read it; `x` is the padded pool.
fn base<F: Real>(task: &TaskData, l: usize, weight: &[F], x: &[F]) -> Vec<F> {
    let layer = &task.network.sites()[l];
    let (i, o) = (pad(layer.inputs), pad(layer.outputs));
    let bias = rows::<F>(&task.base[l].bias, layer.outputs, 1, |r| r);
    if !is_constant(&task.network, l) {
        return bias;
    }
    let pool = x.len() / i;
    let mut y = vec![F::zero(); pool * o];
    let mut out = view_mut(&mut y, 0, pool, o, o);
    out.assign(&view(&bias, 0, pool, o, 0));
    general_mat_mul(F::one(), &view(x, 0, pool, i, i), &view(weight, 0, o, i, i).t(), F::one(), &mut out);
    y
}

/// Frozen rows `width` wide as the kernels read them, `count` of them: the very ones where nothing is to be padded.
fn fixed<F: Real>(values: &Fixed, width: usize, count: usize) -> Contents<F> {
    let whole = width == pad(width) && values.len() == count * width;
    let same = if whole { F::fixed(values) } else { None };
    let padded = || rows(values, width, count, |row| row);
    match (same, values.stored()) {
        (Some(same), _) => Contents::Fixed(same),
        (None, Stored::F32) => Contents::Own(padded()),
        (None, stored) => Contents::Fixed(Fixed::stored_as(padded(), stored)),
    }
}

/// The same of a frozen weight that one lane has to itself, and the target where that is another with it.
pub(super) fn frozen(task: &TaskData, l: usize, weight: &[f32]) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
    let (pool, place) = pool(task);
    let constant = is_constant(&task.network, l);
    let x = if constant { rows(&task.x, task.network.inputs(), pool, &place) } else { vec![] };
    let site = &task.network.sites()[l];
    let weight = rows(weight, site.inputs, pad(site.outputs), |row| row);
    let base = base(task, l, &weight, &x);
    let target = match &task.y {
        Targets::Dense(y) if left_out_of_target(&task.network, task.loss) == Some(l) => {
            let mut target = rows(y, task.network.sites()[l].outputs, pool, place);
            without(&mut target, &base);
            Some(target)
        }
        _ => None,
    };
    (weight, base, target)
}

/// `values`, rows `width` wide, spread over `count` padded rows.
fn rows<F: Real>(values: &[f32], width: usize, count: usize, place: impl Fn(usize) -> usize) -> Vec<F> {
    let stride = pad(width);
    let mut out = vec![F::zero(); count * stride];
    for (r, row) in values.chunks_exact(width).enumerate() {
        let at = place(r) * stride;
        out[at..at + width].iter_mut().zip(row).for_each(|(o, &v)| *o = F::of(f64::from(v)));
    }
    out
}
