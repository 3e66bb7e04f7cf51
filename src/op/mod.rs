//! What passes compute: one module per operation, named like its file in `shaders/`, with its dims, its kernels' rows and
//! their CPU twins, backward beside forward.
//!
//! An operation knows shapes and arithmetic, not models or GPU handles. The twin is generic over f32 and f64: it is
//! the reference for gradient checks (f64), the fallback where there is no WebGPU (f32), and the oracle each
//! shader is tested against. All token counts and widths are padded to multiples of [`PAD`]; padding holds
//! zeros, and every kernel keeps it so, which is what lets tiles go without edge cases.

pub mod adamw;
pub mod add;
pub mod attention;
pub mod attention_continued;
pub mod balance;
pub mod budget;
pub mod cross_entropy;
pub mod diagonal;
pub mod distil;
pub mod embedding;
pub mod flex;
pub mod gate;
pub mod gathered;
pub mod gelu;
pub mod intuition;
pub mod layer;
pub mod mean;
pub mod mse;
pub mod orthogonal;
pub mod project;
pub mod prototype;
pub mod quantise;
pub mod random;
pub mod rms_norm;
pub mod rotate;
pub mod running_mean;
pub mod swiglu;
pub mod tile;
pub mod truncate;
pub mod weight_grad;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use crate::graph::Real;

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

/// Rows that are multiplied one by one.
const FEW: usize = 4;

/// `out = share · rows weightᵀ + kept · out`. A product of matrices first puts the whole weight in another order, which costs more
/// than a few rows do.
fn times_transposed<F: Real>(
    share: F,
    rows: &ArrayView2<'_, F>,
    weight: &ArrayView2<'_, F>,
    kept: F,
    out: &mut ArrayViewMut2<'_, F>,
) {
    if rows.nrows() > FEW {
        return general_mat_mul(share, rows, &weight.t(), kept, out);
    }
    for (row, out) in rows.rows().into_iter().zip(out.rows_mut()) {
        for (weight, out) in weight.rows().into_iter().zip(out) {
            let sum = match (row.as_slice(), weight.as_slice()) {
                (Some(row), Some(weight)) => F::dot(row, weight),
                _ => row.dot(&weight),
            };
            let before = if kept == F::zero() { F::zero() } else { kept * *out };
            *out = share * sum + before;
        }
    }
}

/// What tests of twins share.
#[cfg(all(test, not(target_arch = "wasm32")))]
mod testing {
    use std::cell::RefCell;

    use crate::graph::{Bound, Kernel, Place, Step, Typed, Uniform};
    use crate::rng::Rng;

    /// What a kernel's twin writes, in f64, given its inputs and the lengths of its outputs, which hold other numbers before.
    pub fn run<D: Uniform>(kernel: &'static Typed<D>, dims: &D, inputs: &[&[f64]], lens: &[usize]) -> Vec<Vec<f64>> {
        let row: &'static Kernel = kernel;
        let outputs = lens.iter().map(|&len| vec![7.0; len]);
        let cells: Vec<_> = inputs.iter().map(|v| v.to_vec()).chain(outputs).map(RefCell::new).collect();
        let bound: Vec<_> = cells.iter().map(Place::Own).collect();
        (row.check)(&Step { x_row: 2, ..Default::default() }, &dims.words(), &Bound { kernel: row, buffers: &bound });
        cells.into_iter().skip(inputs.len()).map(RefCell::into_inner).collect()
    }

    /// Random `rows × cols` in a padded buffer of zeros.
    pub fn matrix(seed: u64, [rows, cols]: [usize; 2], [padded_rows, width]: [usize; 2]) -> Vec<f64> {
        let mut rng = Rng::new(seed, 1);
        let mut all = vec![0.0; padded_rows * width];
        for row in all.chunks_exact_mut(width).take(rows) {
            row[..cols].iter_mut().for_each(|v| *v = rng.uniform(-1.0, 1.0));
        }
        all
    }

    pub fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(x, y)| x * y).sum()
    }

    pub fn assert_close(what: &str, got: &[f64], wanted: &[f64], bound: f64) {
        assert_eq!(got.len(), wanted.len(), "{what}");
        for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
            assert!((g - w).abs() <= bound, "{what}[{i}]: {g} instead of {w}");
        }
    }

    /// Holds the gradient of `loss` against central differences, at every place where `x` is not padding's zero.
    pub fn assert_gradient(what: &str, x: &[f64], gradient: &[f64], loss: impl Fn(&[f64]) -> f64) {
        const H: f64 = 1e-5;
        let mut moved = x.to_vec();
        for (i, (&value, &g)) in x.iter().zip(gradient).enumerate() {
            if value == 0.0 {
                assert!(g == 0.0, "{what}[{i}] is padding, and has a gradient of {g}");
                continue;
            }
            moved[i] = value + H;
            let above = loss(&moved);
            moved[i] = value - H;
            let wanted = (above - loss(&moved)) / (2.0 * H);
            moved[i] = value;
            assert!((g - wanted).abs() < 1e-8 + 1e-6 * wanted.abs(), "{what}[{i}]: {g} instead of {wanted}");
        }
    }
}
