//! The least losses that changes of a given form can reach on the pool, in closed form. Pure; knows nothing of training.
//!
//! The loss of `ΔW` where `T` is needed is `tr((T − ΔW) C (T − ΔW)ᵀ)` with `C` the inputs' second moments.

use nalgebra::DMatrix;
use ndarray::Array2;

use crate::tensor::{singular_values, to_nalgebra};

/// A needed change `[O, I]` and the second moments `[I, I]` of the inputs it is needed on.
pub struct Need {
    change: DMatrix<f64>,
    moments: DMatrix<f64>,
}

impl Need {
    /// `x [rows, I]`.
    pub fn new(change: &Array2<f64>, x: &Array2<f64>) -> Self {
        let moments = x.t().dot(x) / x.nrows() as f64;
        Self { change: to_nalgebra(change), moments: to_nalgebra(&moments) }
    }

    /// The same inputs, and more to change.
    pub fn and(&self, more: &DMatrix<f64>) -> Self {
        Self { change: &self.change + more, moments: self.moments.clone() }
    }

    /// Loss of no change at all.
    pub fn energy(&self) -> f64 {
        (&self.change * &self.moments).dot(&self.change)
    }

    /// Loss of the best change of this rank: the Eckart–Young tail of `T L`, where `C = L Lᵀ`.
    pub fn low_rank(&self, rank: usize) -> f64 {
        let Some(root) = self.moments.clone().cholesky() else { return f64::NAN };
        singular_values(&self.change * root.l()).iter().skip(rank).map(|s| s * s).sum()
    }

    /// Loss of the best `E M F`, `E [O,r̂]` tiling and `F [r̂,I]` folding: `M = (EᵀE)⁻¹ Eᵀ T C Fᵀ (F C Fᵀ)⁻¹`.
    pub fn square(&self, side: usize) -> f64 {
        let (outputs, inputs) = self.change.shape();
        let same = |a: usize, b: usize| if a % side == b % side { 1.0 } else { 0.0 };
        let tiling = DMatrix::from_fn(outputs, side, same);
        let fold = DMatrix::from_fn(side, inputs, same);
        let inverse = |symmetric: DMatrix<f64>| symmetric.cholesky().map(|root| root.inverse());
        let gram = inverse(tiling.transpose() * &tiling);
        let seen = inverse(&fold * &self.moments * fold.transpose());
        let (Some(gram), Some(seen)) = (gram, seen) else { return f64::NAN };
        let wanted = tiling.transpose() * &self.change * &self.moments * fold.transpose();
        self.energy() - (gram * &wanted * seen).dot(&wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn need(outputs: usize, inputs: usize, seed: u64) -> Need {
        let mut rng = Rng::new(seed, 1);
        let mut random = |rows, cols| Array2::from_shape_fn((rows, cols), |_| rng.normal());
        let (change, x) = (random(outputs, inputs), random(40, inputs));
        Need::new(&change, &x)
    }

    /// Normal equations over all entries of M at once, whatever its structure.
    #[test]
    fn the_best_square_is_the_least_squares_solution() {
        // Sides that divide the layer and that do not.
        for (outputs, inputs, side) in [(6, 6, 3), (7, 5, 3), (4, 6, 4), (5, 5, 1)] {
            let need = need(outputs, inputs, side as u64);
            let count = side * side;
            let basis: Vec<DMatrix<f64>> = (0..count)
                .map(|at| {
                    let (p, q) = (at / side, at % side);
                    DMatrix::from_fn(outputs, inputs, |o, i| f64::from(o % side == p && i % side == q))
                })
                .collect();
            let inner = |a: &DMatrix<f64>, b: &DMatrix<f64>| (a * &need.moments).dot(b);
            let gram = DMatrix::from_fn(count, count, |i, j| inner(&basis[i], &basis[j]));
            let right = DMatrix::from_fn(count, 1, |i, _| inner(&basis[i], &need.change));
            let found = gram.lu().solve(&right).unwrap();
            let rest = basis.iter().zip(found.iter()).fold(need.change.clone(), |rest, (basis, m)| rest - basis * *m);
            let brute = inner(&rest, &rest);
            let closed = need.square(side);
            assert!((brute - closed).abs() < 1e-9 * need.energy(), "{outputs}×{inputs}, {side}: {brute} {closed}");
        }
    }

    #[test]
    fn a_square_as_large_as_the_layer_leaves_nothing() {
        let need = need(5, 5, 9);
        assert!(need.square(5).abs() < 1e-9 * need.energy());
    }

    /// Under equal moments the tail is that of the change's own singular values.
    #[test]
    fn the_best_low_rank_is_the_tail() {
        let change = Array2::from_diag(&ndarray::array![3.0, 2.0, 1.0]);
        let need = Need { change: to_nalgebra(&change), moments: DMatrix::identity(3, 3) };
        assert!((need.low_rank(1) - 5.0).abs() < 1e-12 && need.low_rank(3).abs() < 1e-12);
        assert!((need.energy() - 14.0).abs() < 1e-12);
        let random = self::need(4, 4, 3);
        assert!((random.low_rank(0) - random.energy()).abs() < 1e-9 * random.energy());
    }
}
