//! Ranks that are not one fixed number: which of AdaLoRA's directions are in use, and what a lane makes of its first few
//! directions alone. Knows nothing of when either is asked for, nor of what is made of it.

use super::forward::{Forward, row_losses};
use crate::method::Lane;
use crate::method::description::{Budget, Cut};
use crate::net::CompiledLane;
use crate::task::TaskData;

/// Every rank up to this one is cut to; of larger ones only some.
const EACH: usize = 16;

/// Directions that are not pruned: singular values that are not zero.
pub fn in_use(singular: &[f32]) -> usize {
    singular.iter().filter(|&&e| e != 0.0).count()
}

/// Directions in use by adapted layer, of a lane with such a budget, from its parameters in the padded layout. `None` before
/// they have left zero, where they all begin, and where they are not numbers.
pub fn kept(budget: &Budget, compiled: &CompiledLane, params: &[f32]) -> Option<Vec<(usize, usize)>> {
    let mut layers = Vec::new();
    for (layer, site) in compiled.sites.iter().enumerate() {
        if let Some(tensor) = site.parameter(budget.tensor) {
            let values = tensor.gather(params);
            if values.iter().any(|e| !e.is_finite()) {
                return None;
            }
            layers.push((layer, in_use(&values)));
        }
    }
    layers.iter().any(|&(_, kept)| kept > 0).then_some(layers)
}

/// The rank below which a lane's factors can be cut, the largest of all layers; `None` where they cannot.
pub fn whole_rank(lane: &Lane) -> Option<usize> {
    let cut = lane.method.extras.cut?;
    let layers = lane.settings.sizes("rank_per_layer").map_or(1, <[usize]>::len);
    (0..layers).filter_map(|layer| (cut.rank)(&lane.settings_at(layer))).max()
}

/// Ranks to cut a lane of this rank to: each up to 16, then about four to a doubling, and the whole one.
pub fn cuts(whole: usize) -> Vec<usize> {
    let mut ranks: Vec<usize> = (1..=whole.min(EACH)).collect();
    let mut rank = EACH;
    while rank < whole {
        rank = (rank + (rank / 4).max(1)).min(whole);
        ranks.push(rank);
    }
    ranks
}

/// The lane's parameters with the first `rank` directions of every layer alone; all of them where a layer has no more.
pub fn cut(how: &Cut, compiled: &CompiledLane, params: &[f32], rank: usize) -> Vec<f32> {
    let mut left = params.to_vec();
    for tensor in compiled.sites.iter().filter_map(|site| site.parameter(how.tensor)) {
        let whole = tensor.shape[1];
        let mut values = tensor.gather(params);
        values.chunks_exact_mut(whole).for_each(|row| row[rank.min(whole)..].fill(0.0));
        tensor.scatter(&mut left, &values);
    }
    left
}

/// Mean loss, cut to `rank`, of the lane at `index` of `forward`, whose rows are the first of the pool.
pub fn cut_loss(task: &TaskData, forward: &Forward, (index, how): (usize, &Cut), params: &[f32], rank: usize) -> f64 {
    whole_loss(task, forward, index, &cut(how, forward.compiled(index), params, rank))
}

/// The same of these parameters as they are.
pub fn whole_loss(task: &TaskData, forward: &Forward, index: usize, params: &[f32]) -> f64 {
    let output = forward.run(index, params).output;
    let rows = row_losses(task, &task.y, &output);
    rows.iter().sum::<f64>() / rows.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{DYLORA, LORA, METHODS};

    #[test]
    fn every_rank_is_cut_to_where_they_are_few() {
        assert_eq!(cuts(1), [1]);
        assert_eq!(cuts(8), (1..=8).collect::<Vec<_>>());
        assert_eq!(cuts(17).last_chunk(), Some(&[15, 16, 17]));
        let many = cuts(512);
        assert_eq!((many[..16].to_vec(), many[16], many.last()), ((1..=16).collect(), 20, Some(&512)));
        assert!(many.len() < 36 && many.windows(2).all(|pair| pair[0] < pair[1]), "{many:?}");
    }

    #[test]
    fn only_plain_factors_are_cut() {
        let lora = || Lane::from(&LORA);
        assert_eq!(whole_rank(&lora().with("rank_per_layer", vec![2, 12])), Some(12));
        assert_eq!(whole_rank(&lora().with("weights", "binary")), None);
        assert_eq!(whole_rank(&lora().with("init", "pissa")), None);
        assert_eq!(whole_rank(&lora()), Some(8));
        assert_eq!(whole_rank(&Lane::from(&DYLORA).with("rank", 6)), Some(6));
        let others = METHODS.iter().filter(|method| ![LORA.name, DYLORA.name].contains(&method.name));
        assert!(others.map(|&method| whole_rank(&method.into())).all(|rank| rank.is_none()));
    }
}
