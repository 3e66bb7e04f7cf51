//! Small dense matrices in f64: made cell by cell, handed to nalgebra, and their eigenvalues; the place of a list's largest
//! value. One compiled function for all makers; ndarray's own is compiled anew for each. Knows nothing of what they hold.

use nalgebra::{DMatrix, Dyn, SVD};
use ndarray::Array2;

use crate::order::falling;

/// Place of the largest value; of equals the first, of none 0.
pub fn argmax<T: PartialOrd>(values: impl IntoIterator<Item = T>) -> usize {
    let mut values = values.into_iter().enumerate();
    let first = values.next();
    let larger = |best: (usize, T), one: (usize, T)| if one.1 > best.1 { one } else { best };
    first.map_or(0, |first| values.fold(first, larger).0)
}

/// `[rows, cols]` with `at(row, col)` in each cell, row by row.
pub fn matrix((rows, cols): (usize, usize), at: &mut dyn FnMut(usize, usize) -> f64) -> Array2<f64> {
    let mut out = Array2::zeros((rows, cols));
    for (r, mut row) in out.rows_mut().into_iter().enumerate() {
        for (c, cell) in row.iter_mut().enumerate() {
            *cell = at(r, c);
        }
    }
    out
}

/// Row-major values as `[rows, cols]`.
pub fn widened(values: &[f32], (rows, cols): (usize, usize)) -> Array2<f64> {
    matrix((rows, cols), &mut |r, c| f64::from(values[r * cols + c]))
}

/// The same matrix for nalgebra, which decomposes.
pub fn to_nalgebra(matrix: &Array2<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(matrix.nrows(), matrix.ncols(), |r, c| matrix[[r, c]])
}

/// Far more steps than a decomposition takes, so that it ends whatever it is given.
const ITERATIONS: usize = 10_000;

/// nalgebra's own order would panic at NaN.
fn decomposed(matrix: DMatrix<f64>, vectors: bool) -> Option<SVD<f64, Dyn, Dyn>> {
    SVD::try_new_unordered(matrix, vectors, vectors, 5.0 * f64::EPSILON, ITERATIONS)
}

/// Singular values, largest first; none where they cannot be found.
pub fn singular_values(matrix: DMatrix<f64>) -> Vec<f64> {
    decomposed(matrix, false).map_or_else(Vec::new, |svd| descending(svd.singular_values.as_slice()))
}

/// `U`, singular values largest first, and `V`, their vectors in columns; `None` where they cannot be found.
pub fn svd(matrix: DMatrix<f64>) -> Option<(DMatrix<f64>, Vec<f64>, DMatrix<f64>)> {
    let svd = decomposed(matrix, true)?;
    let (u, v, values) = (svd.u?, svd.v_t?, svd.singular_values);
    let order = falling(values.as_slice());
    let ordered =
        |rows: usize, at: &dyn Fn(usize, usize) -> f64| DMatrix::from_fn(rows, order.len(), |r, c| at(r, order[c]));
    let left = ordered(u.nrows(), &|r, c| u[(r, c)]);
    let right = ordered(v.ncols(), &|r, c| v[(c, r)]);
    Some((left, order.iter().map(|&i| values[i]).collect(), right))
}

/// Eigenvalues of a symmetric matrix, largest first.
pub fn eigenvalues(symmetric: &Array2<f64>) -> Vec<f64> {
    descending(to_nalgebra(symmetric).symmetric_eigenvalues().as_slice())
}

fn descending(values: &[f64]) -> Vec<f64> {
    falling(values).into_iter().map(|at| values[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_where_they_were_asked_for() {
        let table = matrix((2, 3), &mut |r, c| (10 * r + c) as f64);
        assert_eq!(table, ndarray::array![[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]);
        assert_eq!(widened(&[0.0, 1.0, 2.0, 10.0, 11.0, 12.0], (2, 3)), table);
        assert_eq!(to_nalgebra(&table)[(1, 2)], 12.0);
    }

    #[test]
    fn known_eigenvalues() {
        let values = eigenvalues(&ndarray::array![[2.0, 1.0], [1.0, 2.0]]);
        assert!((values[0] - 3.0).abs() < 1e-12 && (values[1] - 1.0).abs() < 1e-12);
    }
}
