//! Factors that began as directions of the base, which were then taken out of it (PiSSA, OLoRA): what was taken out, from the base
//! itself. Knows nothing of files beyond rows.

use nalgebra::DMatrix;

use super::change::Change;
use super::config::Init;
use super::module::Module;
use super::weight::BaseWeight;
use crate::error::Result;
use crate::files::{Source, blocks};
use crate::lang::tr;

/// Narrowest axis of a weight that is decomposed in full: tens of seconds, not minutes.
const WIDEST: usize = 1024;

/// Why what was taken out of a weight of that shape cannot be told; `None` where it can.
pub fn unknown(init: &Init, (rows, columns): (usize, usize), transposed: bool) -> Option<String> {
    match init {
        Init::Leading if rows.min(columns) > WIDEST => Some(tr!(
            "init_lora_weights is \"pissa\", and the base's weight is too wide ({rows}×{columns}) to be decomposed here; convert the adapter with PEFT's path_initial_model_for_weight_conversion",
            rows,
            columns
        )),
        Init::FirstColumns if transposed => {
            Some(tr!("init_lora_weights is \"olora\" of a weight stored the other way round, which PEFT does not have"))
        }
        _ => None,
    }
}

/// What was taken out of a weight, as two factors in its orientation, or why that cannot be told.
///
/// # Errors
/// `Error::File` where the base cannot be read.
pub async fn taken_out<B: Source>(
    weight: &BaseWeight<'_, B>,
    init: &Init,
    module: &Module,
) -> Result<std::result::Result<Change, String>> {
    let (rows, columns) = (weight.rows, weight.columns);
    let rank = module.rank;
    if let Some(why) = unknown(init, (rows, columns), module.transposed) {
        return Ok(Err(why));
    }
    match init {
        Init::Leading => {
            let all = read(weight, columns).await?;
            let left = DMatrix::from_fn(rows, columns, |i, c| all[c][i]);
            let whole = Change { left, right: DMatrix::identity(columns, columns), scale: 1.0 };
            let Some(svd) = whole.svd() else {
                return Ok(Err(tr!("the base's weight holds NaN or infinity")));
            };
            let kept = svd.singular.len().min(rank);
            let left = DMatrix::from_fn(rows, kept, |i, r| svd.u[(i, r)] * svd.singular[r]);
            let right = DMatrix::from_fn(columns, kept, |c, r| svd.v[(c, r)]);
            Ok(Ok(Change { left, right, scale: 1.0 }))
        }
        _ => {
            let mut span = read(weight, rank.min(columns).min(rows)).await?;
            orthonormal(&mut span);
            let mut right = DMatrix::zeros(columns, span.len());
            for range in blocks(0..rows, columns) {
                let values = weight.rows(range.clone()).await?;
                for (row, values) in range.zip(values.chunks_exact(columns)) {
                    for (r, unit) in span.iter().enumerate() {
                        values.iter().enumerate().for_each(|(c, &v)| right[(c, r)] += unit[row] * f64::from(v));
                    }
                }
            }
            let left = DMatrix::from_fn(rows, span.len(), |i, r| span[r][i]);
            // These factors were not made smaller by the scaling that multiplies them.
            Ok(Ok(Change { left, right, scale: module.scaling }))
        }
    }
}

/// The first columns of a weight, one by one.
async fn read<B: Source>(weight: &BaseWeight<'_, B>, columns: usize) -> Result<Vec<Vec<f64>>> {
    let mut out = vec![vec![0.0; weight.rows]; columns];
    for range in blocks(0..weight.rows, weight.columns) {
        let values = weight.rows(range.clone()).await?;
        for (row, values) in range.zip(values.chunks_exact(weight.columns)) {
            out.iter_mut().zip(values).for_each(|(column, &v)| column[row] = f64::from(v));
        }
    }
    Ok(out)
}

/// An orthonormal base of what the columns span in their place, by Gram and Schmidt, each projected twice.
fn orthonormal(columns: &mut [Vec<f64>]) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for at in 0..columns.len() {
        let (before, rest) = columns.split_at_mut(at);
        let Some(one) = rest.first_mut() else { return };
        let size = libm::sqrt(dot(one, one));
        for _ in 0..2 {
            for unit in &*before {
                let along = dot(unit, one);
                one.iter_mut().zip(unit).for_each(|(v, u)| *v -= along * u);
            }
        }
        let left = libm::sqrt(dot(one, one));
        // A column within the others' span adds nothing to it.
        let times = if left > 1e-12 * size { 1.0 / left } else { 0.0 };
        one.iter_mut().for_each(|v| *v *= times);
    }
}
