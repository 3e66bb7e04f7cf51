//! Prototypes of a task, by which a gate tells how alike an input is to what is known of it: k-means centroids (Lloyd 1982)
//! of a layer's mean inputs over each sequence, at length 1. Known before training, and the same for every lane that asks
//! for as many on a layer: the data come from the seed, and nothing here is drawn.
//!
//! Where a lane adapts several layers, those of a later one are what the *frozen* base makes of the data there; what
//! adapters below will change is not known yet, and prototypes do not follow it. The paper's are of one fixed embedding.

use ndarray::Array2;

use crate::task::TaskData;
use crate::task::evaluate::{evaluate, frozen};
use crate::tensor::widened;

/// As much of the data as is looked at: sequences, spread evenly over the pool, and tokens in them.
const SEQUENCES: usize = 1024;
const TOKENS: usize = 8192;
/// Rounds of k-means, which has settled long before on all but the largest.
const ROUNDS: usize = 50;

/// Centroids `[count, inputs]` of a layer's inputs.
pub fn prototypes(task: &TaskData, layer: usize, count: usize) -> Vec<f32> {
    centroids(&means(task, layer), count).iter().map(|&v| v as f32).collect()
}

/// Mean inputs of sequences, at length 1, `[sequences, inputs]`; one that is zero stays so.
fn means(task: &TaskData, layer: usize) -> Array2<f64> {
    let (s, first) = (task.sequence, task.network.inputs());
    let all = task.rows() / s;
    let kept = all.min(SEQUENCES).min((TOKENS / s).max(1));
    let rows: Vec<f32> = (0..kept)
        .flat_map(|k| {
            let from = k * all / kept * s * first;
            &task.x[from..from + s * first]
        })
        .copied()
        .collect();
    let rows = widened(&rows, (kept * s, first));
    let x = evaluate(task, task.network.site_input(layer), &rows, frozen(&task.network, &task.base));
    let mut means = Array2::zeros((kept, x.ncols()));
    for (t, row) in x.rows().into_iter().enumerate() {
        means.row_mut(t / s).scaled_add(1.0, &row);
    }
    for mut row in means.rows_mut() {
        let length = libm::sqrt(row.dot(&row));
        if length > 0.0 {
            row /= length;
        }
    }
    means
}

/// k-means from the first point, the one farthest from it, the one farthest from both, and so on; of equals the first. Where
/// there are fewer points than centroids, some are twice there; a centroid that no point is nearest to stays where it is.
fn centroids(points: &Array2<f64>, count: usize) -> Array2<f64> {
    let distance = |a: ndarray::ArrayView1<f64>, b: ndarray::ArrayView1<f64>| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut centres = Array2::zeros((count, points.ncols()));
    let mut away = vec![f64::INFINITY; points.nrows()];
    for c in 0..count {
        let far = (0..away.len()).fold(0, |far, p| if away[p] > away[far] { p } else { far });
        centres.row_mut(c).assign(&points.row(far));
        for (p, away) in away.iter_mut().enumerate() {
            *away = away.min(distance(points.row(p), points.row(far)));
        }
    }
    let mut nearest = vec![usize::MAX; points.nrows()];
    for _ in 0..ROUNDS {
        let mut moved = false;
        for (p, own) in nearest.iter_mut().enumerate() {
            let to: Vec<f64> = centres.rows().into_iter().map(|c| distance(points.row(p), c)).collect();
            let best = (0..count).fold(0, |best, c| if to[c] < to[best] { c } else { best });
            moved |= std::mem::replace(own, best) != best;
        }
        if !moved {
            break;
        }
        let mut sums = Array2::<f64>::zeros(centres.dim());
        let mut members = vec![0.0; count];
        for (p, &c) in nearest.iter().enumerate() {
            sums.row_mut(c).scaled_add(1.0, &points.row(p));
            members[c] += 1.0;
        }
        for (c, &members) in members.iter().enumerate().filter(|(_, members)| **members > 0.0) {
            centres.row_mut(c).assign(&(&sums.row(c) / members));
        }
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Domains;
    use crate::task::domains;
    use crate::task::evaluate::gelu;

    fn task(depth: usize) -> TaskData {
        domains(&Domains { dim: 32, depth, batch: 16, ..Domains::default() }, 3).unwrap()
    }

    /// Four domains of one mean each: four prototypes, one for each, and the same every time.
    #[test]
    fn as_many_prototypes_as_domains_are_the_domains() {
        let task = task(1);
        let found = widened(&prototypes(&task, 0, 4), (4, 32));
        let all = means(&task, 0);
        let step = (task.rows() / task.sequence) as f64 / all.nrows() as f64;
        assert_eq!(step, step.trunc(), "every so manyth sequence");
        let mut of_domain = [usize::MAX; 4];
        for (k, mean) in all.rows().into_iter().enumerate() {
            let likeness = found.dot(&mean);
            let best = (0..4).fold(0, |best, c| if likeness[c] > likeness[best] { c } else { best });
            let domain = usize::from(task.row_domains[k * step as usize * task.sequence]);
            if of_domain[domain] == usize::MAX {
                of_domain[domain] = best;
            }
            assert_eq!(of_domain[domain], best, "sequence {k}");
        }
        let mut each = of_domain;
        each.sort_unstable();
        assert_eq!(each, [0, 1, 2, 3]);
        // A mean of directions is shorter than they are.
        assert!(found.rows().into_iter().all(|c| c.dot(&c) < 1.0 && c.dot(&c) > 0.5));
        assert_eq!(prototypes(&task, 0, 4), prototypes(&self::task(1), 0, 4));
    }

    /// The third layer's, with everything done one number at a time.
    #[test]
    fn later_layers_see_the_frozen_base() {
        let mut task = task(3);
        for (l, base) in task.base.iter_mut().enumerate() {
            base.bias.iter_mut().enumerate().for_each(|(o, bias)| *bias = 0.01 * (o + l) as f32);
        }
        let got = means(&task, 2);
        for k in [0, 5] {
            let all = task.rows() / task.sequence;
            let from = k * all / got.nrows() * task.sequence;
            let mut mean = vec![0.0; 32];
            for t in 0..task.sequence {
                let mut h: Vec<f64> = task.x[(from + t) * 32..(from + t + 1) * 32].iter().map(|&v| v.into()).collect();
                for base in &task.base[..2] {
                    let row = |o: usize| {
                        let sum: f64 = (0..32).map(|i| f64::from(base.weight[o * 32 + i]) * h[i]).sum();
                        gelu(sum + f64::from(base.bias[o]))
                    };
                    h = (0..32).map(row).collect();
                }
                mean.iter_mut().zip(&h).for_each(|(m, h)| *m += h);
            }
            let length = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
            for (m, got) in mean.iter().zip(got.row(k)) {
                assert!((m / length - got).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn more_centroids_than_points_are_still_numbers() {
        let points = ndarray::array![[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]];
        let found = centroids(&points, 4);
        assert_eq!(found.row(0), ndarray::array![1.0, 0.0]);
        assert_eq!(found.row(1), ndarray::array![0.0, 1.0]);
        assert!(found.iter().all(|v| v.is_finite()));
        // Two clusters that Lloyd's rounds must tell apart from two bad beginnings.
        let points = ndarray::array![[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]];
        assert!((&centroids(&points, 2) - &ndarray::array![[0.1], [5.1]]).iter().all(|d| d.abs() < 1e-12));
    }
}
