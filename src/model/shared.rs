//! What all lanes share: the pool of batches, the targets and the frozen base, in the padded layout of the
//! kernels. The first layer's input never changes, so its frozen product is made once, here.

use ndarray::linalg::general_mat_mul;

use crate::graph::{Buffer, NOTHING_LEN, Real};
use crate::op::{pad, view, view_mut};
use crate::task::{LossKind, Targets, TaskData};

/// Values of the shared buffers, by index, and the sizes every lane needs.
pub struct Shared<F> {
    pub buffers: Vec<(String, Vec<F>)>,
    /// Padded and real tokens per batch.
    pub tokens: usize,
    pub real_tokens: usize,
    pub batches: usize,
}

pub(super) const X: Buffer = Buffer::Shared(1);
pub(super) const TARGET: Buffer = Buffer::Shared(2);

/// The frozen weight of a layer.
pub(super) const fn weight(layer: usize) -> Buffer {
    Buffer::Shared(3 + 2 * layer)
}

/// Its bias; for the first layer, its whole frozen output for every row of the pool.
pub(super) const fn base(layer: usize) -> Buffer {
    Buffer::Shared(4 + 2 * layer)
}

impl<F> Shared<F> {
    /// First row of batch `index` in the pool.
    pub fn batch_row(&self, index: usize) -> usize {
        index % self.batches * self.tokens
    }
}

pub fn share<F: Real>(task: &TaskData) -> Shared<F> {
    let real_tokens = task.batch_rows();
    let tokens = pad(real_tokens);
    let (pool, place) = pool(task);
    let last = task.layers[task.layers.len() - 1];
    let x = rows(&task.x, task.layers[0].inputs, pool, &place);
    let target = match &task.y {
        Targets::Dense(y) => rows(y, last.outputs, pool, &place),
        Targets::Classes(labels) => {
            let mut out = vec![F::zero(); pool];
            labels.iter().enumerate().for_each(|(r, &c)| out[place(r)] = F::of(f64::from(c)));
            out
        }
    };
    let mut buffers =
        vec![("nothing".to_owned(), vec![F::zero(); NOTHING_LEN]), ("x".to_owned(), x), ("target".to_owned(), target)];
    for (l, frozen) in task.base.iter().enumerate() {
        let (w, base) = layer(task, l, &frozen.weight, &buffers[1].1);
        buffers.push((format!("layers.{l}.base.weight"), w));
        buffers.push((format!("layers.{l}.base"), base));
    }
    if left_to_learn(task) {
        let base = std::mem::take(&mut buffers[4].1);
        without(&mut buffers[2].1, &base);
        buffers[4].1 = base;
    }
    debug_assert!(matches!(
        (task.loss, &task.y),
        (LossKind::Mse, Targets::Dense(_)) | (LossKind::CrossEntropy, Targets::Classes(_))
    ));
    Shared { buffers, tokens, real_tokens, batches: task.batches }
}

/// Whether the target that kernels read is without the frozen output: where that is cached, and all that the target is for
/// is the difference from it.
fn left_to_learn(task: &TaskData) -> bool {
    task.layers.len() == 1 && task.loss == LossKind::Mse
}

fn without<F: Real>(target: &mut [F], base: &[F]) {
    target.iter_mut().zip(base).for_each(|(target, &base)| *target = *target - base);
}

/// Rows of the padded pool, and the one for a row of the task's.
fn pool(task: &TaskData) -> (usize, impl Fn(usize) -> usize + use<>) {
    let real_tokens = task.batch_rows();
    let tokens = pad(real_tokens);
    (tokens * task.batches, move |row: usize| row / real_tokens * tokens + row % real_tokens)
}

/// Weight and base of a layer with this weight `[outputs, inputs]`, as the kernels read them; `x` is the padded pool.
fn layer<F: Real>(task: &TaskData, l: usize, weight: &[f32], x: &[F]) -> (Vec<F>, Vec<F>) {
    let layer = task.layers[l];
    let (i, o) = (pad(layer.inputs), pad(layer.outputs));
    let w = rows(weight, layer.inputs, o, |r| r);
    let bias = rows::<F>(&task.base[l].bias, layer.outputs, 1, |r| r);
    if l > 0 {
        return (w, bias);
    }
    let pool = x.len() / i;
    let mut y = vec![F::zero(); pool * o];
    let mut out = view_mut(&mut y, 0, pool, o, o);
    out.assign(&view(&bias, 0, pool, o, 0));
    general_mat_mul(F::one(), &view(x, 0, pool, i, i), &view(&w, 0, o, i, i).t(), F::one(), &mut out);
    (w, y)
}

/// The same of a frozen weight that one lane has to itself, and the target where that is another with it.
pub(super) fn frozen(task: &TaskData, l: usize, weight: &[f32]) -> (Vec<f32>, Vec<f32>, Option<Vec<f32>>) {
    let (pool, place) = pool(task);
    let x = if l == 0 { rows(&task.x, task.layers[0].inputs, pool, &place) } else { vec![] };
    let (weight, base) = layer(task, l, weight, &x);
    let target = match &task.y {
        Targets::Dense(y) if left_to_learn(task) => {
            let mut target = rows(y, task.layers[l].outputs, pool, place);
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
