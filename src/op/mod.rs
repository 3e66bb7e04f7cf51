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
pub mod balance;
pub mod budget;
pub mod cross_entropy;
pub mod diagonal;
pub mod embedding;
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
pub mod rms_norm;
pub mod rotate;
pub mod running_mean;
pub mod swiglu;
pub mod tile;
pub mod truncate;
pub mod weight_grad;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

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
