//! Two adapters of one base held against each other, module by module, from their factors alone. Knows nothing of how the
//! numbers are drawn.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::adapter::Adapter;
use super::change::Change;
use super::keys::distinct_names;
use super::module::Module;
use super::saved::is_bound;
use crate::error::{Error, Result};
use crate::files::Source;
use crate::lang::tr;
use crate::spectrum::Svd;
use crate::tensor;

/// Singular values below this share of the largest span nothing.
const NEGLIGIBLE: f64 = 1e-6;

/// What two changes of the same weight have to do with each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub norms: (f64, f64),
    /// Of the angle between the two changes as vectors; 0 where one of them is 0.
    pub cosine: f64,
    /// ‖ΔW₁ + ΔW₂‖.
    pub together: f64,
    /// Cosines of the principal angles between the input directions they read, and the output directions they write,
    /// largest first. All 1: the smaller space lies in the larger; all 0: they have nothing in common.
    pub read: Vec<f64>,
    pub written: Vec<f64>,
    /// Where the first one reads, and in the directions it writes, how large the second is, over the first:
    /// what the first's own output is disturbed by when both are applied. Then the same the other way.
    pub interference: (f64, f64),
}

impl Comparison {
    /// Root mean square of the principal cosines: 0 for nothing in common, 1 for one space within the other.
    pub fn overlap(cosines: &[f64]) -> f64 {
        libm::sqrt(cosines.iter().map(|c| c * c).sum::<f64>() / cosines.len().max(1) as f64)
    }
}

/// Modules of either adapter, by name, with their places; a module that only one has is compared with nothing.
pub fn pairs<'a, S>(a: &'a Adapter<S>, b: &'a Adapter<S>) -> Vec<(&'a str, Option<usize>, Option<usize>)> {
    let names = distinct_names(a.modules.iter().chain(&b.modules).map(|module| module.name.as_str()));
    let place = |adapter: &Adapter<S>, name: &str| adapter.modules.iter().position(|m| m.name == name);
    names.into_iter().map(|name| (name, place(a, name), place(b, name))).collect()
}

/// One of the pairs compared, or why it cannot be, in words.
pub async fn compared<S: Source, T: Source>(
    a: &Adapter<S>,
    b: &Adapter<T>,
    (first, second): (Option<usize>, Option<usize>),
) -> std::result::Result<Comparison, String> {
    let first = first.ok_or_else(|| tr!("only the second adapts it"))?;
    let second = second.ok_or_else(|| tr!("only the first adapts it"))?;
    compare((a, &a.modules[first]), (b, &b.modules[second])).await.map_err(|error| error.to_string())
}

/// A module of one adapter against the same of another. DoRA is compared by its low-rank part.
///
/// # Errors
/// `Error::File` where a tensor cannot be read; `Error::Data` where the weights differ in shape or values are not
/// finite.
pub async fn compare<S: Source, T: Source>(
    (a, first): (&Adapter<S>, &Module),
    (b, second): (&Adapter<T>, &Module),
) -> Result<Comparison> {
    if first.shape() != second.shape() {
        return Err(Error::Data {
            what: first.name.clone(),
            expected: tr!("{} in both adapters", format!("{:?}", first.shape())),
            got: format!("{:?}", second.shape()),
        });
    }
    if let Some(init) = [a.init(&first.name), b.init(&second.name)].into_iter().find(|init| is_bound(init)) {
        return Err(Error::Data {
            what: first.name.clone(),
            expected: tr!("adapters of the base as it is, since only factors are compared"),
            got: format!("init_lora_weights {init:?}"),
        });
    }
    let (first, second) = (change(a, first).await?, change(b, second).await?);
    if !first.is_finite() || !second.is_finite() {
        return Err(Error::Data { what: tr!("factors"), expected: tr!("finite values"), got: tr!("NaN or infinity") });
    }
    Ok(of(&first, &second))
}

async fn change<S: Source>(adapter: &Adapter<S>, module: &Module) -> Result<Change> {
    let factors = adapter.factors(module).await?;
    let (a, b) = ((factors.a.as_slice(), module.inputs), (factors.b.as_slice(), module.outputs));
    Ok(Change::new(module.rank, a, b, module.scaling, module.transposed))
}

/// Two finite changes of the same weight. "Read" and "written" are columns and rows of the weight as stored.
pub fn of(first: &Change, second: &Change) -> Comparison {
    let square = |change: &Change| change.dot(change).max(0.0);
    let norms = (libm::sqrt(square(first)), libm::sqrt(square(second)));
    let dot = first.dot(second);
    let both = norms.0 * norms.1;
    let (one, two) = (span(first), span(second));
    let cosines = |a: &DMatrix<f64>, b: &DMatrix<f64>| -> Vec<f64> {
        if a.is_empty() || b.is_empty() {
            return Vec::new();
        }
        tensor::singular_values(a.tr_mul(b)).into_iter().map(|c| c.min(1.0)).collect()
    };
    Comparison {
        norms,
        cosine: if both > 0.0 { (dot / both).clamp(-1.0, 1.0) } else { 0.0 },
        together: libm::sqrt((norms.0 * norms.0 + norms.1 * norms.1 + 2.0 * dot).max(0.0)),
        read: cosines(&one.1, &two.1),
        written: cosines(&one.0, &two.0),
        interference: (disturbed(&one, second, norms.0), disturbed(&two, first, norms.1)),
    }
}

/// Orthonormal bases of the rows' and the columns' space.
fn span(change: &Change) -> (DMatrix<f64>, DMatrix<f64>) {
    let none = || (DMatrix::zeros(change.left.nrows(), 0), DMatrix::zeros(change.right.nrows(), 0));
    let Some(Svd { u, singular, v }) = change.svd() else {
        return none();
    };
    let largest = singular.first().copied().unwrap_or(0.0);
    let kept = singular.iter().take_while(|&&value| value > NEGLIGIBLE * largest).count();
    (u.columns(0, kept).into_owned(), v.columns(0, kept).into_owned())
}

/// ‖P_written ΔW P_read‖ / `norm`.
fn disturbed((written, read): &(DMatrix<f64>, DMatrix<f64>), other: &Change, norm: f64) -> f64 {
    if norm == 0.0 {
        return 0.0;
    }
    let inside = written.tr_mul(&other.left) * read.tr_mul(&other.right).transpose();
    inside.norm() * other.scale.abs() / norm
}

#[cfg(test)]
mod tests {
    use super::*;

    /// σ on the given pairs of (row, column) of a 6×5 weight.
    fn along(entries: &[(usize, usize, f64)]) -> Change {
        let left = DMatrix::from_fn(6, entries.len(), |i, r| if i == entries[r].0 { entries[r].2 } else { 0.0 });
        let right = DMatrix::from_fn(5, entries.len(), |i, r| if i == entries[r].1 { 1.0 } else { 0.0 });
        Change { left, right, scale: 0.5 }
    }

    #[test]
    fn known_pairs() {
        let a = along(&[(0, 0, 6.0), (1, 1, 8.0)]);
        let same = of(&a, &a);
        assert_eq!((same.norms, same.together), ((5.0, 5.0), 10.0));
        assert!((same.cosine - 1.0).abs() < 1e-12 && (same.interference.0 - 1.0).abs() < 1e-12);
        assert!((Comparison::overlap(&same.read) - 1.0).abs() < 1e-12 && same.written.len() == 2);
        // Reads what a reads, writes elsewhere: no interference in a's own directions.
        let apart = of(&a, &along(&[(2, 0, 2.0), (3, 1, 2.0)]));
        assert!(apart.cosine == 0.0 && apart.interference.0.max(apart.interference.1) < 1e-12);
        assert!((apart.together - 27f64.sqrt()).abs() < 1e-12);
        assert!((Comparison::overlap(&apart.read) - 1.0).abs() < 1e-12);
        assert!(Comparison::overlap(&apart.written) < 1e-12);
        // Half of it in a's directions, with the opposite sign.
        let half = of(&a, &along(&[(0, 0, -6.0), (3, 3, 8.0)]));
        assert!((half.cosine + 9.0 / 25.0).abs() < 1e-12);
        assert!((half.interference.0 - 0.6).abs() < 1e-12 && (half.interference.1 - 0.6).abs() < 1e-12);
        assert!(half.read[0] > 1.0 - 1e-12 && half.read[1] < 1e-12);
        let zero = of(&a, &along(&[(0, 0, 0.0)]));
        assert_eq!((zero.cosine, zero.together, zero.interference), (0.0, 5.0, (0.0, 0.0)));
        assert!(zero.read.is_empty());
    }
}
