//! Singular values of a change of weight. Knows nothing of where the change comes from.

use nalgebra::DMatrix;
use ndarray::Array2;

use crate::tensor::{self, eigenvalues, svd, to_nalgebra};

/// Thin singular value decomposition `u diag(singular) vᵀ`, largest value first.
#[derive(Clone, Debug)]
pub struct Svd {
    /// `[outputs, k]`, orthonormal columns.
    pub u: DMatrix<f64>,
    /// `[k]`.
    pub singular: Vec<f64>,
    /// `[inputs, k]`, orthonormal columns.
    pub v: DMatrix<f64>,
}

/// Singular values of `matrix [outputs, inputs]`, largest first, `min(outputs, inputs)` of them; none where an entry is
/// not finite.
///
/// From the eigenvalues of the smaller Gram matrix, several times faster than a decomposition. Squaring limits
/// values to an absolute accuracy of about 1e-8 of the largest: far below what a chart shows.
pub fn singular_values(matrix: &Array2<f64>) -> Vec<f64> {
    if matrix.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    let gram = if matrix.nrows() <= matrix.ncols() { matrix.dot(&matrix.t()) } else { matrix.t().dot(matrix) };
    eigenvalues(&gram).into_iter().map(|square| libm::sqrt(square.max(0.0))).collect()
}

/// Singular values of `scale · b a`, largest first; none where an entry is not finite. `a [rank, inputs]`,
/// `b [outputs, rank]`.
pub fn singular_values_low_rank(a: &Array2<f64>, b: &Array2<f64>, scale: f64) -> Vec<f64> {
    values_of_product(&to_nalgebra(b), &to_nalgebra(a).transpose(), scale)
}

/// Decomposition of `scale · b a` the same way; `None` where an entry is not finite or a factor is empty.
pub fn svd_low_rank(a: &Array2<f64>, b: &Array2<f64>, scale: f64) -> Option<Svd> {
    svd_of_product(&to_nalgebra(b), &to_nalgebra(a).transpose(), scale)
}

/// Singular values of `scale · left rightᵀ`, largest first; none where an entry is not finite.
///
/// The product is never formed: with `left = Q_l R_l` and `right = Q_r R_r` they are those of `R_l R_rᵀ`.
pub fn values_of_product(left: &DMatrix<f64>, right: &DMatrix<f64>, scale: f64) -> Vec<f64> {
    let values = core(left, right, scale).map(|(core, size)| (tensor::singular_values(core), size));
    values.map_or_else(Vec::new, |(values, size)| values.into_iter().map(|value| value * size).collect())
}

/// Decomposition of `scale · left rightᵀ` the same way; `None` where an entry is not finite or a factor is empty.
pub fn svd_of_product(left: &DMatrix<f64>, right: &DMatrix<f64>, scale: f64) -> Option<Svd> {
    let (core, size) = core(left, right, scale)?;
    let (u, singular, v) = svd(core)?;
    Some(Svd {
        u: left.clone().qr().q() * u * scale.signum(),
        singular: singular.into_iter().map(|value| value * size).collect(),
        v: right.clone().qr().q() * v,
    })
}

/// `R_l R_rᵀ` with a largest entry of 1, and the factor that leaves out: squares of large entries would not be finite.
fn core(left: &DMatrix<f64>, right: &DMatrix<f64>, scale: f64) -> Option<(DMatrix<f64>, f64)> {
    let finite = scale.is_finite() && left.iter().chain(right.iter()).all(|v| v.is_finite());
    if left.is_empty() || right.is_empty() || !finite {
        return None;
    }
    let core = left.clone().qr().r() * right.clone().qr().r().transpose();
    let size = core.amax();
    if size == 0.0 {
        return Some((core, 0.0));
    }
    size.is_finite().then(|| (core / size, size * scale.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn random(rows: usize, cols: usize, seed: u64) -> Array2<f64> {
        let mut rng = Rng::new(seed, 1);
        Array2::from_shape_fn((rows, cols), |_| rng.normal())
    }

    #[test]
    fn known_spectrum() {
        // Orthogonal rows of norms 3 and 4.
        let matrix = ndarray::array![[3.0, 0.0, 0.0], [0.0, 0.0, 4.0]];
        let values = singular_values(&matrix);
        assert_eq!(values.len(), 2);
        assert!((values[0] - 4.0).abs() < 1e-12 && (values[1] - 3.0).abs() < 1e-12);
        assert_eq!(singular_values(&matrix.t().to_owned()), values);
    }

    #[test]
    fn factors_and_product_agree() {
        // Ranks below and above the widths.
        for (outputs, rank, inputs) in [(12, 3, 9), (5, 8, 6), (4, 4, 10)] {
            let (a, b) = (random(rank, inputs, 1), random(outputs, rank, 2));
            let product = b.dot(&a) * 0.5;
            let expected = to_nalgebra(&product).svd(false, false).singular_values;
            let low = singular_values_low_rank(&a, &b, 0.5);
            let dense = singular_values(&product);
            for i in 0..rank.min(outputs).min(inputs) {
                assert!((low[i] - expected[i]).abs() < 1e-10);
                assert!((dense[i] - expected[i]).abs() < 1e-6 * expected[0]);
            }
            let svd = svd_low_rank(&a, &b, 0.5).unwrap();
            let k = svd.singular.len();
            let diagonal = DMatrix::from_fn(k, k, |r, c| if r == c { svd.singular[r] } else { 0.0 });
            let back = &svd.u * diagonal * svd.v.transpose();
            assert!((back - to_nalgebra(&product)).amax() < 1e-10);
            assert!((svd.u.transpose() * &svd.u - DMatrix::identity(k, k)).amax() < 1e-10);
        }
    }

    #[test]
    fn what_is_not_finite_has_no_spectrum() {
        let mut a = random(2, 4, 1);
        let b = random(4, 2, 2);
        a[[1, 1]] = f64::NAN;
        assert!(singular_values_low_rank(&a, &b, 1.0).is_empty());
        assert!(svd_low_rank(&a, &b, 1.0).is_none());
        assert!(singular_values(&a).is_empty());
    }
}
