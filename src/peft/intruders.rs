//! Intruder directions (Shuttleworth et al., arXiv 2410.21228): leading singular vectors of the merged weight that are
//! like none of the base's. Knows nothing of how they are drawn.
//!
//! A full decomposition of a large weight takes minutes, so both weights' leading vectors come from a block Krylov space,
//! which takes no more than passes over their rows: a weight too large to be held is read anew for each. Of the base's,
//! those that have converged count as seen; a unit vector's part outside their span bounds its cosine with every other.
//! The verdict is therefore certain, or said not to be.

use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};
use serde::{Deserialize, Serialize};

use super::loaded::Loaded;
use super::view::{Weight, rows_of};
use crate::error::Result;
use crate::files::{Source, blocks};
use crate::order::falling;
use crate::rng::Rng;
use crate::tensor::to_nalgebra;

/// Powers of the weight in the Krylov space.
const POWERS: usize = 8;
/// More columns than vectors asked for.
const OVERSAMPLING: usize = 8;
/// Narrowest axis of a weight of which all singular vectors are sought.
const ALL: usize = 256;
/// ‖Wᵀu − σ v‖ / σ of a vector that has converged.
const CONVERGED: f32 = 1e-3;

/// How they are sought.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Leading directions of the merged weight that are looked at.
    pub top: usize,
    /// Entries of a weight that is held in memory; a larger one is read again for each pass.
    pub held: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { top: 10, held: 1 << 26 }
    }
}

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

/// The leading directions of the merged weight, as it is written (left singular vectors); `None` without a base, or where
/// a value is not finite. `going` hears what share of the work is done, many times; its error ends the work.
///
/// # Errors
/// `Error::File` where a tensor cannot be read; `going`'s own.
pub async fn intruders<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    search: Search,
    going: &mut impl AsyncFnMut(f64) -> Result<()>,
) -> Result<Option<Vec<Direction>>> {
    if !loaded.has_base() || loaded.rows == 0 || loaded.columns == 0 {
        return Ok(None);
    }
    let (top, narrow) = (search.top, loaded.rows.min(loaded.columns));
    // More of the base's, so that a direction that changed places is found.
    let wanted = if narrow <= ALL { narrow } else { 2 * top + 16 };
    let first = wanted as f64 / (wanted + top).max(1) as f64;
    let mut way = Way { going, done: 0.0, step: 0.0 };
    let base = Passes::over(loaded, Weight::Base, search.held, &mut way).await?;
    let Some(known) = leading(&base, wanted, &mut way, first).await? else {
        return Ok(None);
    };
    drop(base);
    let merged = Passes::over(loaded, Weight::Merged, search.held, &mut way).await?;
    let Some(merged) = leading(&merged, top, &mut way, 1.0 - first).await? else {
        return Ok(None);
    };
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

/// How far the work is, and who hears of it.
struct Way<'a, G> {
    going: &'a mut G,
    /// Share of all work.
    done: f64,
    /// What the next pass adds to it.
    step: f64,
}

/// A weight whose rows are gone through again and again.
enum Passes<'a, S, B> {
    Held(Array2<f32>),
    Read { loaded: &'a Loaded<'a, S, B>, weight: Weight },
}

impl<'a, S: Source, B: Source> Passes<'a, S, B> {
    async fn over<G: AsyncFnMut(f64) -> Result<()>>(
        loaded: &'a Loaded<'a, S, B>,
        weight: Weight,
        held: usize,
        way: &mut Way<'_, G>,
    ) -> Result<Self> {
        let passes = Self::Read { loaded, weight };
        if loaded.rows.checked_mul(loaded.columns).is_none_or(|entries| entries > held) {
            return Ok(passes);
        }
        let mut all = Array2::zeros((loaded.rows, loaded.columns));
        way.step = 0.0;
        passes.each(way, &mut |at, part| all.slice_axis_mut(Axis(0), at.into()).assign(&part)).await?;
        Ok(Self::Held(all))
    }

    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Held(values) => values.dim(),
            Self::Read { loaded, .. } => (loaded.rows, loaded.columns),
        }
    }

    /// Blocks of rows in turn. One compiled pass for all visits.
    async fn each<G: AsyncFnMut(f64) -> Result<()>>(
        &self,
        way: &mut Way<'_, G>,
        visit: &mut dyn FnMut(Range<usize>, ArrayView2<f32>),
    ) -> Result<()> {
        let (count, columns) = self.shape();
        for part in blocks(0..count, columns) {
            (way.going)(way.done + way.step * part.start as f64 / count as f64).await?;
            match self {
                Self::Held(values) => visit(part.clone(), values.slice_axis(Axis(0), part.into())),
                Self::Read { loaded, weight } => {
                    let values = block(loaded, *weight, part.clone()).await?;
                    visit(part, values.view());
                }
            }
        }
        way.done += way.step;
        Ok(())
    }
}

/// Rows of a weight whose base is there.
async fn block<S: Source, B: Source>(
    loaded: &Loaded<'_, S, B>,
    weight: Weight,
    part: Range<usize>,
) -> Result<Array2<f32>> {
    let values = rows_of(loaded, weight, part.clone()).await?.unwrap_or_default();
    let of = |at: (usize, usize)| values.get(at.0 * loaded.columns + at.1).map_or(f32::NAN, |&v| v as f32);
    Ok(Array2::from_shape_fn((part.len(), loaded.columns), of))
}

/// Leading singular values and left vectors, with how far each is from being one.
struct Leading {
    singular: Vec<f32>,
    /// `[rows, k]`.
    u: Array2<f32>,
    residuals: Vec<f32>,
}

/// `None` where a value is not finite, or too large. It is this share of all work.
async fn leading<S: Source, B: Source, G: AsyncFnMut(f64) -> Result<()>>(
    w: &Passes<'_, S, B>,
    top: usize,
    way: &mut Way<'_, G>,
    share: f64,
) -> Result<Option<Leading>> {
    let (count, columns) = w.shape();
    let narrow = count.min(columns);
    let top = top.min(narrow);
    let width = (top + OVERSAMPLING).min(narrow);
    let powers = POWERS.min(narrow.div_ceil(width));
    way.step = share / (powers as f64 + 2.0);
    let finite = |values: &Array2<f32>| values.iter().all(|v| v.is_finite());
    // Directions it reads, [columns, …]: from random mixtures of its rows on.
    let mut rng = Rng::new(1, 1);
    let mixture = Array2::from_shape_fn((count, width), |_| rng.normal() as f32);
    let mut space = Array2::zeros((columns, 0));
    let mut last = Array2::zeros((0, 0));
    for power in 0..powers {
        let mut next = Array2::zeros((columns, width));
        let mut through = |at: Range<usize>, part: ArrayView2<f32>| match power {
            0 => general_mat_mul(1.0, &part.t(), &mixture.slice_axis(Axis(0), at.into()), 1.0, &mut next),
            _ => general_mat_mul(1.0, &part.t(), &part.dot(&last), 1.0, &mut next),
        };
        w.each(way, &mut through).await?;
        if !finite(&next) {
            return Ok(None);
        }
        let room = (narrow - space.ncols()).min(width);
        last = beside(&space, next.slice_axis(Axis(1), Slice::from(..room)).to_owned());
        space = concatenate![Axis(1), space, last];
    }
    // W's shadow in the space, [rows, …]: through the eigenvalues of its Gram matrix, in f64.
    let size = space.ncols();
    let (mut shadow, mut gram) = (Array2::<f32>::zeros((count, size)), Array2::<f64>::zeros((size, size)));
    let mut project = |at: Range<usize>, part: ArrayView2<f32>| {
        let cast = part.dot(&space);
        let wide = cast.mapv(f64::from);
        general_mat_mul(1.0, &wide.t(), &wide, 1.0, &mut gram);
        shadow.slice_axis_mut(Axis(0), at.into()).assign(&cast);
    };
    w.each(way, &mut project).await?;
    if gram.iter().any(|v| !v.is_finite()) {
        return Ok(None);
    }
    let eigen = to_nalgebra(&gram).symmetric_eigen();
    let order = falling(eigen.eigenvalues.as_slice());
    let turn = Array2::from_shape_fn((size, top.min(size)), |(i, j)| eigen.eigenvectors[(i, order[j])] as f32);
    let singular: Vec<f32> =
        order.iter().take(turn.ncols()).map(|&j| libm::sqrt(eigen.eigenvalues[j].max(0.0)) as f32).collect();
    let (mut u, v) = (shadow.dot(&turn), space.dot(&turn));
    for (mut column, &value) in u.axis_iter_mut(Axis(1)).zip(&singular) {
        column.mapv_inplace(|entry| if value > 0.0 { entry / value } else { 0.0 });
    }
    // W v is σ u by construction; how far is Wᵀu from σ v?
    let mut back = Array2::zeros(v.dim());
    let mut return_to = |at: Range<usize>, part: ArrayView2<f32>| {
        general_mat_mul(1.0, &part.t(), &u.slice_axis(Axis(0), at.into()), 1.0, &mut back);
    };
    w.each(way, &mut return_to).await?;
    let residuals = singular.iter().enumerate().map(|(j, &value)| {
        let gap: f32 = back.column(j).iter().zip(v.column(j)).map(|(b, v)| (b - value * v).powi(2)).sum();
        if value > 0.0 { libm::sqrtf(gap) / value } else { f32::INFINITY }
    });
    Ok(Some(Leading { residuals: residuals.collect(), singular, u }))
}

/// Orthonormal columns that span, with `space`, what `block` adds to it. Twice: what is left of a block that lies nearly
/// in the space must still be orthogonal to it.
fn beside(space: &Array2<f32>, mut block: Array2<f32>) -> Array2<f32> {
    for _ in 0..2 {
        let inside = space.t().dot(&block);
        general_mat_mul(-1.0, space, &inside, 1.0, &mut block);
        block = orthonormal(block.view());
    }
    block
}

fn orthonormal(columns: ArrayView2<f32>) -> Array2<f32> {
    let q = nalgebra::DMatrix::from_fn(columns.nrows(), columns.ncols(), |r, c| f64::from(columns[[r, c]])).qr().q();
    Array2::from_shape_fn((q.nrows(), q.ncols()), |(r, c)| q[(r, c)] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;

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
        for (rows, columns) in [(120, 90), (60, 200), (400, 300), (5, 3)] {
            let w = weight(rows, columns);
            let held: Passes<'_, Memory, Memory> = Passes::Held(w.clone());
            let mut shares = Vec::new();
            let mut going = async |share| {
                shares.push(share);
                Ok(())
            };
            let mut way = Way { going: &mut going, done: 0.0, step: 0.0 };
            let found = pollster::block_on(leading(&held, 12, &mut way, 1.0));
            let found = found.unwrap().unwrap();
            assert!(shares.is_sorted() && shares.iter().all(|share| (0.0..1.0).contains(share)), "{shares:?}");
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
