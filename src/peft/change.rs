//! A low-rank change of weight, `scale · left rightᵀ`, and what can be said of it without forming it. Knows nothing of
//! which module it changes.

use std::ops::Range;

use nalgebra::DMatrix;

use crate::spectrum::{Svd, svd_of_product, values_of_product};

/// `scale · left rightᵀ`, in the orientation in which the weight is stored.
#[derive(Clone, Debug)]
pub struct Change {
    /// `[rows, rank]`.
    pub left: DMatrix<f64>,
    /// `[columns, rank]`.
    pub right: DMatrix<f64>,
    pub scale: f64,
}

impl Change {
    /// `scale · b a`, `a [rank, inputs]`, `b [outputs, rank]`, row-major; `transposed` where the weight is stored
    /// `[inputs, outputs]`.
    ///
    /// The slices hold whole rows and columns: `a.len()` is a multiple of `rank`, as is `b.len()`.
    pub fn new(
        rank: usize,
        (a, inputs): (&[f32], usize),
        (b, outputs): (&[f32], usize),
        scale: f64,
        transposed: bool,
    ) -> Self {
        let down = DMatrix::from_fn(inputs, rank, |i, r| f64::from(a[r * inputs + i]));
        let up = DMatrix::from_fn(outputs, rank, |o, r| f64::from(b[o * rank + r]));
        let (left, right) = if transposed { (down, up) } else { (up, down) };
        Self { left, right, scale }
    }

    /// Less another change of the same weight.
    pub fn less(&self, other: &Self) -> Self {
        let side = |a: &DMatrix<f64>, b: &DMatrix<f64>, times: (f64, f64)| {
            let of = |r: usize| if r < a.ncols() { (a.column(r), times.0) } else { (b.column(r - a.ncols()), times.1) };
            DMatrix::from_fn(a.nrows(), a.ncols() + b.ncols(), |i, r| of(r).0[i] * of(r).1)
        };
        let left = side(&self.left, &other.left, (self.scale, -other.scale));
        Self { left, right: side(&self.right, &other.right, (1.0, 1.0)), scale: 1.0 }
    }

    pub fn rank(&self) -> usize {
        self.left.ncols()
    }

    pub fn is_finite(&self) -> bool {
        self.scale.is_finite() && self.left.iter().chain(self.right.iter()).all(|v| v.is_finite())
    }

    /// Singular values, largest first, as many as the rank; none where an entry is not finite.
    pub fn singular_values(&self) -> Vec<f64> {
        let mut values = values_of_product(&self.left, &self.right, self.scale);
        if !values.is_empty() {
            // Where the rank is larger than the weight, the rest is exactly 0.
            values.resize(self.rank(), 0.0);
        }
        values
    }

    /// Decomposition; `None` where an entry is not finite or there is nothing to decompose.
    pub fn svd(&self) -> Option<Svd> {
        svd_of_product(&self.left, &self.right, self.scale)
    }

    /// Frobenius norm, and inner product with another change of the same weight: from the factors' Gram matrices.
    pub fn dot(&self, other: &Self) -> f64 {
        let rows = self.left.tr_mul(&other.left);
        let columns = self.right.tr_mul(&other.right);
        self.scale * other.scale * rows.dot(&columns)
    }

    /// Entries of a range of rows and columns, row-major.
    pub fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f64> {
        let left = self.left.rows_range(rows) * self.scale;
        // Columns of the transpose lie one after the other: the tile's rows.
        (self.right.rows_range(columns) * left.transpose()).as_slice().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn factors(rank: usize, inputs: usize, outputs: usize) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Rng::new(5, 1);
        let mut draw = |n: usize| (0..n).map(|_| rng.normal() as f32).collect::<Vec<_>>();
        (draw(rank * inputs), draw(outputs * rank))
    }

    #[test]
    fn nothing_differs_from_the_product_itself() {
        for (rank, inputs, outputs) in [(3, 9, 12), (8, 6, 5), (1, 1, 1)] {
            let (a, b) = factors(rank, inputs, outputs);
            for transposed in [false, true] {
                let change = Change::new(rank, (&a, inputs), (&b, outputs), -0.5, transposed);
                let dense = &change.left * change.right.transpose() * -0.5;
                let logical = if transposed { dense.transpose() } else { dense.clone() };
                let entry: f64 = (0..rank).map(|r| f64::from(b[r]) * f64::from(a[r * inputs])).sum();
                assert!((logical[(0, 0)] + 0.5 * entry).abs() < 1e-12);
                let expected = dense.clone().svd(false, false).singular_values;
                let values = change.singular_values();
                assert_eq!(values.len(), rank);
                let expected = |i: usize| expected.get(i).copied().unwrap_or(0.0);
                assert!(values.iter().enumerate().all(|(i, v)| (v - expected(i)).abs() < 1e-12));
                assert!((change.dot(&change) - dense.norm_squared()).abs() < 1e-10);
                let tile = change.tile(0..dense.nrows(), 0..dense.ncols());
                let gap = |i: usize| tile[i] - dense[(i / dense.ncols(), i % dense.ncols())];
                assert!((0..tile.len()).all(|i| gap(i).abs() < 1e-12));
                let svd = change.svd().unwrap();
                let back = &svd.u * DMatrix::from_diagonal(&svd.singular.clone().into()) * svd.v.transpose();
                assert!((back - dense).amax() < 1e-10);
            }
        }
    }

    #[test]
    fn extremes_end() {
        let huge = Change::new(1, (&[f32::MAX; 3], 3), (&[f32::MAX; 2], 2), 1e200, false);
        assert!(huge.singular_values()[0].is_finite());
        let zero = Change::new(2, (&[0.0; 6], 3), (&[0.0; 4], 2), 1.0, false);
        assert_eq!(zero.singular_values(), [0.0, 0.0]);
        let nan = Change::new(1, (&[f32::NAN; 3], 3), (&[1.0; 2], 2), 1.0, false);
        assert!(nan.singular_values().is_empty() && nan.svd().is_none());
        assert!(Change::new(0, (&[], 3), (&[], 2), 1.0, false).singular_values().is_empty());
    }
}
