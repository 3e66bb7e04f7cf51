//! Intruder directions (Shuttleworth et al., arXiv 2410.21228): leading singular vectors of the merged weight that are
//! like none of the base's. Knows nothing of how they are drawn.
//!
//! A full decomposition of a large weight takes minutes, so both weights' leading vectors come from a block Krylov space.
//! Of the base's, those that have converged count as seen; a unit vector's part outside their span bounds its cosine
//! with every other. The verdict is therefore certain, or said not to be.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use serde::{Deserialize, Serialize};

use super::loaded::Loaded;
use super::view::Weight;
use crate::error::Result;
use crate::files::Source;
use crate::rng::Rng;
use crate::tensor::to_nalgebra;

/// Powers of the weight in the Krylov space.
const POWERS: usize = 8;
/// More columns than vectors asked for.
const OVERSAMPLING: usize = 8;
/// Narrowest axis of a weight of which all singular vectors are sought.
const ALL: usize = 256;
/// ‖W v − σ u‖ / σ of a vector that has converged.
const CONVERGED: f32 = 1e-3;

/// One leading direction of the merged weight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Singular value in the merged weight.
    pub singular: f64,
    /// Largest |cosine| with a singular vector of the base that is known.
    pub similarity: f64,
    /// No other of the base's singular vectors has a |cosine| above this.
    pub bound: f64,
}

/// What can be said of a direction at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Intruder,
    Familiar,
    /// It might be like one of the base's vectors beyond those that are known.
    Unknown,
}

impl Direction {
    /// The paper's threshold is 0.6, or less.
    pub fn verdict(&self, threshold: f64) -> Verdict {
        if self.similarity >= threshold {
            Verdict::Familiar
        } else if self.bound < threshold {
            Verdict::Intruder
        } else {
            Verdict::Unknown
        }
    }
}

/// The `top` leading directions of the merged weight, as it is written (left singular vectors); `None` without a base.
///
/// # Errors
/// `Error::File` where a tensor cannot be read.
pub async fn intruders<S: Source, B: Source>(loaded: &Loaded<'_, S, B>, top: usize) -> Result<Option<Vec<Direction>>> {
    let Some(base) = whole(loaded, Weight::Base).await? else {
        return Ok(None);
    };
    // More of the base's, so that a direction that changed places is found.
    let narrow = loaded.rows.min(loaded.columns);
    let known = leading(&base, if narrow <= ALL { narrow } else { 2 * top + 16 });
    drop(base);
    let Some(merged) = whole(loaded, Weight::Merged).await? else {
        return Ok(None);
    };
    let merged = leading(&merged, top);
    let seen: Vec<usize> = (0..known.residuals.len()).filter(|&j| known.residuals[j] < CONVERGED).collect();
    // A tall weight has no more of them than columns, and a unit vector may lie outside them all.
    let all = seen.len() == narrow;
    let directions = (0..merged.singular.len().min(top)).map(|i| {
        let u = merged.u.column(i);
        let cosines: Vec<f64> = seen.iter().map(|&j| f64::from(u.dot(&known.u.column(j)))).collect();
        let inside: f64 = cosines.iter().map(|c| c * c).sum();
        Direction {
            singular: f64::from(merged.singular[i]),
            similarity: cosines.iter().fold(0.0, |most, c| c.abs().max(most)),
            bound: if all { 0.0 } else { libm::sqrt((1.0 - inside).max(0.0)) },
        }
    });
    Ok(Some(directions.collect()))
}

async fn whole<S: Source, B: Source>(loaded: &Loaded<'_, S, B>, weight: Weight) -> Result<Option<Array2<f32>>> {
    if !loaded.has_base() || loaded.rows == 0 || loaded.columns == 0 {
        return Ok(None);
    }
    let mut all = Vec::new();
    for rows in loaded.blocks() {
        let rows: Vec<f32> = match weight {
            Weight::Base => loaded.base_rows(rows).await?.unwrap_or_default(),
            _ => loaded.merged_rows(rows).await?.unwrap_or_default().into_iter().map(|v| v as f32).collect(),
        };
        if rows.iter().any(|v| !v.is_finite()) {
            return Ok(None);
        }
        all.extend(rows);
    }
    Ok(Array2::from_shape_vec((loaded.rows, loaded.columns), all).ok())
}

/// Leading singular values and left vectors, with how far each is from being one.
struct Leading {
    singular: Vec<f32>,
    /// `[rows, k]`.
    u: Array2<f32>,
    residuals: Vec<f32>,
}

fn leading(w: &Array2<f32>, top: usize) -> Leading {
    let narrow = w.nrows().min(w.ncols());
    let top = top.min(narrow);
    let width = (top + OVERSAMPLING).min(narrow);
    let powers = POWERS.min(narrow.div_ceil(width));
    let mut rng = Rng::new(1, 1);
    let start = Array2::from_shape_fn((w.ncols(), width), |_| rng.normal() as f32);
    let mut block = orthonormal(w.dot(&start).view());
    let mut space = block.clone();
    for _ in 1..powers {
        block = orthonormal(w.dot(&w.t().dot(&block)).view());
        space = ndarray::concatenate![Axis(1), space, block];
    }
    let count = space.ncols().min(w.nrows()).min(w.ncols());
    // Twice: the space is nearly dependent, and what is left of it must still be orthonormal.
    let basis = orthonormal(orthonormal(space.slice_axis(Axis(1), Slice::from(..count))).view());
    // W's shadow in the space, [count, columns]: through the eigenvalues of its Gram matrix, in f64.
    let shadow = basis.t().dot(w);
    let gram = shadow.mapv(f64::from).dot(&shadow.t().mapv(f64::from));
    let eigen = to_nalgebra(&gram).symmetric_eigen();
    let order = crate::order::order(count, &|a, b| eigen.eigenvalues[a] > eigen.eigenvalues[b]);
    let turn = Array2::from_shape_fn((count, top.min(count)), |(i, j)| eigen.eigenvectors[(i, order[j])] as f32);
    let u = basis.dot(&turn);
    let singular: Vec<f32> =
        order.iter().take(turn.ncols()).map(|&j| libm::sqrt(eigen.eigenvalues[j].max(0.0)) as f32).collect();
    // Wᵀu is σ v; how far is W v from σ u?
    let back = w.dot(&w.t().dot(&u));
    let residuals = singular.iter().enumerate().map(|(j, &s)| {
        let square = s * s;
        let gap: f32 = back.column(j).iter().zip(u.column(j)).map(|(b, u)| (b - square * u).powi(2)).sum();
        if square > 0.0 { libm::sqrtf(gap) / square } else { f32::INFINITY }
    });
    Leading { residuals: residuals.collect(), singular, u }
}

fn orthonormal(columns: ArrayView2<f32>) -> Array2<f32> {
    let q = nalgebra::DMatrix::from_fn(columns.nrows(), columns.ncols(), |r, c| f64::from(columns[[r, c]])).qr().q();
    Array2::from_shape_fn((q.nrows(), q.ncols()), |(r, c)| q[(r, c)] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A diagonal of slowly falling values, turned, plus noise far below.
    fn weight(rows: usize, columns: usize) -> Array2<f32> {
        let mut rng = Rng::new(9, 2);
        let mut turned = |n: usize| {
            let random = Array2::from_shape_fn((n, n), |_| rng.normal() as f32);
            orthonormal(random.view())
        };
        let (u, v) = (turned(rows), turned(columns));
        let n = rows.min(columns);
        let scaled = Array2::from_shape_fn((rows, n), |(r, c)| u[[r, c]] * 0.97f32.powi(c as i32));
        scaled.dot(&v.slice_axis(Axis(1), Slice::from(..n)).t())
    }

    #[test]
    fn leading_vectors_are_those_of_the_decomposition() {
        for (rows, columns) in [(120, 90), (60, 200), (5, 3)] {
            let w = weight(rows, columns);
            let found = leading(&w, 12);
            let wide = nalgebra::DMatrix::from_fn(rows, columns, |r, c| f64::from(w[[r, c]]));
            let svd = wide.svd(true, false);
            let u = svd.u.unwrap();
            for i in 0..12.min(rows).min(columns) {
                assert!((f64::from(found.singular[i]) - svd.singular_values[i]).abs() < 1e-4, "{rows} {i}");
                assert!(found.residuals[i] < CONVERGED, "{rows} {i}: {}", found.residuals[i]);
                let cosine: f64 = (0..rows).map(|r| f64::from(found.u[[r, i]]) * u[(r, i)]).sum();
                assert!(cosine.abs() > 0.999, "{rows} {i}: {cosine}");
            }
        }
    }

    #[test]
    fn verdicts_are_certain_or_say_so() {
        let of = |similarity, bound| Direction { singular: 1.0, similarity, bound }.verdict(0.6);
        assert_eq!(of(0.7, 0.7), Verdict::Familiar);
        assert_eq!(of(0.3, 0.5), Verdict::Intruder);
        assert_eq!(of(0.3, 0.95), Verdict::Unknown);
    }
}
