//! Factors that began as directions of the base, which were then taken out of it (PiSSA, OLoRA): what was taken out, from the base
//! itself. Knows nothing of files beyond rows.

use nalgebra::DMatrix;

use super::change::Change;
use super::config::Init;
use super::module::Module;
use super::weight::BaseWeight;
use crate::error::Result;
use crate::files::{Source, blocks};

/// Narrowest axis of a weight that is decomposed in full: tens of seconds, not minutes.
const WIDEST: usize = 1024;

/// Why what was taken out of a weight of that shape cannot be told; `None` where it can.
pub fn unknown(init: &Init, (rows, columns): (usize, usize), transposed: bool) -> Option<String> {
    match init {
        Init::Leading if rows.min(columns) > WIDEST => Some(format!(
            "init_lora_weights is \"pissa\", and the base's weight is too wide ({rows}×{columns}) to be decomposed here; convert \
             the adapter with PEFT's path_initial_model_for_weight_conversion"
        )),
        Init::FirstColumns if transposed => Some(
            "init_lora_weights is \"olora\" of a weight stored the other way round, which PEFT does not have".into(),
        ),
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
            let whole = Change { left: all, right: DMatrix::identity(columns, columns), scale: 1.0 };
            let Some(svd) = whole.svd() else {
                return Ok(Err("the base's weight holds NaN or infinity".into()));
            };
            let kept = svd.singular.len().min(rank);
            let left = DMatrix::from_fn(rows, kept, |i, r| svd.u[(i, r)] * svd.singular[r]);
            Ok(Ok(Change { left, right: svd.v.columns(0, kept).into_owned(), scale: 1.0 }))
        }
        _ => {
            let span = orthonormal(read(weight, rank.min(columns).min(rows)).await?);
            let mut right = DMatrix::zeros(columns, span.ncols());
            for range in blocks(0..rows, columns) {
                let values = weight.rows(range.clone()).await?;
                let block = DMatrix::from_row_iterator(range.len(), columns, values.into_iter().map(f64::from));
                right += block.tr_mul(&span.rows_range(range));
            }
            // These factors were not made smaller by the scaling that multiplies them.
            Ok(Ok(Change { left: span, right, scale: module.scaling }))
        }
    }
}

/// The first columns of a weight.
async fn read<B: Source>(weight: &BaseWeight<'_, B>, columns: usize) -> Result<DMatrix<f64>> {
    let mut out = DMatrix::zeros(weight.rows, columns);
    for range in blocks(0..weight.rows, weight.columns) {
        let values = weight.rows(range.clone()).await?;
        for (row, values) in range.zip(values.chunks_exact(weight.columns)) {
            values.iter().take(columns).enumerate().for_each(|(c, &v)| out[(row, c)] = f64::from(v));
        }
    }
    Ok(out)
}

/// An orthonormal base of what the columns span, by Gram and Schmidt, each projected twice.
fn orthonormal(mut columns: DMatrix<f64>) -> DMatrix<f64> {
    for at in 0..columns.ncols() {
        let mut one = columns.column(at).into_owned();
        let size = one.norm();
        for _ in 0..2 {
            for before in 0..at {
                let along = columns.column(before).dot(&one);
                one.axpy(-along, &columns.column(before), 1.0);
            }
        }
        let left = one.norm();
        // A column within the others' span adds nothing to it.
        let unit = if left > 1e-12 * size { one / left } else { one * 0.0 };
        columns.set_column(at, &unit);
    }
    columns
}
