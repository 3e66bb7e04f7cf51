//! The teacher–student task: one frozen linear layer and D domains, each with its own true low-rank change of it.
//! Knows nothing of what will be trained on it.
//!
//! With `conflict` every domain reads the same input directions, without it each reads its own; outputs are
//! orthogonal between domains either way, so the flag changes one thing only. A token is `x = z + μ`, `z` standard
//! normal, `μ` its domain's mean, of norm 3 and orthogonal to every read direction: the domain can be told from the
//! input, and the true change does not see the mean.

use ndarray::{Array1, Array2, ArrayView1};

use super::{BaseLayer, LossKind, Network, Probe, Targets, TaskData};
use crate::args::{Domains, Spectrum};
use crate::error::{Error, Result};
use crate::lang::tr;
use crate::rng::{Rng, stream};
use crate::tensor::{matrix, widened};

/// Norm of a domain's mean, in standard deviations of the input.
pub const MEAN_NORM: f64 = 3.0;
/// Tokens in the pool, as near as whole batches come to it.
const POOL_ROWS: usize = 16_384;
/// Fewer distinct batches than this would let a lane learn the batches by heart.
const MIN_BATCHES: usize = 16;
/// Sequences of each domain in the probe batch.
const PROBE_SEQUENCES: usize = 2;

/// The true changes of one layer and the means, as factors.
pub(super) struct Teacher {
    /// Per domain `[k, outputs]` and `[k, inputs]`, orthonormal rows.
    pub u: Vec<Array2<f64>>,
    pub v: Vec<Array2<f64>>,
    /// `[k]`, the same in every domain.
    pub singular: Vec<f64>,
    /// `[domains, inputs]`.
    pub means: Array2<f64>,
}

/// Base entries have this standard deviation, over √dim. Any base is learned on alike, since targets contain its
/// output; this one is small enough for a change of a few unit singular values to be seen beside it on one scale.
const BASE_SCALE: f64 = 0.25;

/// Makes base, teacher, pool and probe from `seed`.
///
/// # Errors
/// `Error::Config` where `dim` has no room for the orthogonal directions the task needs.
pub fn domains(config: &Domains, seed: u64) -> Result<TaskData> {
    let dim = config.dim;
    let teacher = Teacher::new(config, &mut Rng::new(seed, stream::TEACHER))?;
    let mut rng = Rng::new(seed, stream::BASE);
    let scale = BASE_SCALE / libm::sqrt(dim as f64);
    let weight: Vec<f32> = (0..dim * dim).map(|_| (rng.normal() * scale) as f32).collect();

    let batches = batches(config);
    let mut rng = Rng::new(seed, stream::DATA);
    let row_domains = deal(config, config.batch, batches, &mut rng);
    let (x, y, pool_energy) = teacher.rows(&weight, &row_domains, config.noise, &mut rng);

    let mut rng = Rng::new(seed, stream::PROBE);
    let probe_domains = probe_domains(config, &mut rng);
    let (probe_x, probe_y, _) = teacher.rows(&weight, &probe_domains, 0.0, &mut rng);

    let changes = teacher.changes();
    let square: f64 = teacher.singular.iter().map(|s| s * s).sum();
    Ok(TaskData {
        network: Network::stack(&[dim, dim]),
        loss: LossKind::Mse,
        batch_sequences: config.batch,
        sequence: config.sequence,
        batches,
        spare: 0,
        x,
        y: Targets::Dense(y),
        row_domains,
        base: vec![BaseLayer { weight: weight.into(), bias: vec![0.0; dim] }],
        tensors: Vec::new(),
        domain_names: names(config),
        // E‖T z‖² = ‖T‖² for standard normal z.
        energy: square / dim as f64,
        pool_energy,
        soft: None,
        noise_variance: config.noise * config.noise,
        true_rank: Some(config.true_rank),
        teacher: Some(changes),
        mixed: config.mixed,
        probe: Probe { sequence: config.sequence, x: probe_x, y: Targets::Dense(probe_y), row_domains: probe_domains },
    })
}

/// Distinct batches in the pool.
pub(super) fn batches(config: &Domains) -> usize {
    (POOL_ROWS / (config.batch * config.sequence).max(1)).max(MIN_BATCHES)
}

pub(super) fn names(config: &Domains) -> Vec<String> {
    (1..=config.domains).map(|d| tr!("domain {d}", d)).collect()
}

/// Singular values of every true change, `[true_rank]`, largest first.
pub fn singular_values(config: &Domains) -> Vec<f64> {
    (1..=config.true_rank)
        .map(|i| match config.spectrum {
            Spectrum::Flat => 1.0,
            Spectrum::Harmonic => 1.0 / i as f64,
        })
        .collect()
}

impl Teacher {
    /// Draws from `rng`.
    pub fn new(config: &Domains, rng: &mut Rng) -> Result<Self> {
        let (dim, count, rank) = (config.dim, config.domains, config.true_rank);
        let reads = if config.conflict { rank } else { rank * count };
        let needed = (reads + count).max(rank * count);
        if count == 0 || rank == 0 || needed > dim {
            return Err(Error::Config {
                key: "task.dim".into(),
                value: dim.to_string(),
                allowed: tr!(
                    "{count} domains of true rank {rank} need at least 1 domain, rank 1 and {needed} orthogonal directions",
                    count,
                    rank,
                    needed
                ),
            });
        }
        let inputs = orthonormal(reads + count, dim, rng);
        let outputs = orthonormal(rank * count, dim, rng);
        let block = |all: &Array2<f64>, from: usize, rows: usize| matrix((rows, dim), &mut |r, c| all[[from + r, c]]);
        Ok(Self {
            u: (0..count).map(|d| block(&outputs, d * rank, rank)).collect(),
            v: (0..count).map(|d| block(&inputs, if config.conflict { 0 } else { d * rank }, rank)).collect(),
            singular: singular_values(config),
            means: block(&inputs, reads, count) * MEAN_NORM,
        })
    }

    /// `T_d = U_d diag(σ) V_dᵀ`, `[outputs, inputs]` each.
    fn changes(&self) -> Vec<Array2<f64>> {
        let singular = ArrayView1::from(&self.singular);
        self.u.iter().zip(&self.v).map(|(u, v)| (u.t().to_owned() * singular).dot(v)).collect()
    }

    /// Standard normal inputs around their domains' means, `[rows, inputs]`.
    pub fn inputs(&self, row_domains: &[u8], rng: &mut Rng) -> Vec<f32> {
        let mut x = Vec::with_capacity(row_domains.len() * self.means.ncols());
        for &domain in row_domains {
            x.extend(self.means.row(domain as usize).iter().map(|mean| (rng.normal() + mean) as f32));
        }
        x
    }

    /// What a domain's true change makes of one input, `[outputs]`.
    pub fn change(&self, domain: u8, x: ArrayView1<f64>) -> Array1<f64> {
        let (u, v) = (&self.u[domain as usize], &self.v[domain as usize]);
        (v.dot(&x) * ArrayView1::from(&self.singular)).dot(u)
    }

    /// Inputs, targets and mean squared target change per element. Targets are computed in f64 from the inputs
    /// and weights as stored, so that `W0 + T` reproduces them to the last rounding.
    fn rows(&self, weight: &[f32], row_domains: &[u8], noise: f64, rng: &mut Rng) -> (Vec<f32>, Vec<f32>, f64) {
        let dim = self.means.ncols();
        let rows = row_domains.len();
        let x = self.inputs(row_domains, rng);
        let wide = widened(&x, (rows, dim));
        let weight = widened(weight, (dim, dim));
        let mut y = wide.dot(&weight.t());
        let mut energy = 0.0;
        for ((mut y, x), &domain) in y.outer_iter_mut().zip(wide.outer_iter()).zip(row_domains) {
            let change = self.change(domain, x);
            energy += change.dot(&change);
            y += &change;
            if noise > 0.0 {
                y.mapv_inplace(|value| value + noise * rng.normal());
            }
        }
        let y = y.iter().map(|&value| value as f32).collect();
        (x, y, energy / (rows * dim) as f64)
    }
}

/// `count` orthonormal rows of length `dim`: normal draws, Gram–Schmidt done twice, which is enough for
/// orthogonality to rounding (Giraud, Langou and Rozložník, 2005). Needs `count <= dim`.
fn orthonormal(count: usize, dim: usize, rng: &mut Rng) -> Array2<f64> {
    let mut rows = matrix((count, dim), &mut |_, _| rng.normal());
    for i in 0..count {
        let (done, mut rest) = rows.view_mut().split_at(ndarray::Axis(0), i);
        let mut row = rest.row_mut(0);
        for _ in 0..2 {
            for other in done.outer_iter() {
                let along = other.dot(&row);
                row.scaled_add(-along, &other);
            }
        }
        let norm = libm::sqrt(row.dot(&row));
        row.mapv_inplace(|value| value / norm);
    }
    rows
}

/// Domain of every row. Domains are dealt in turn, on from batch to batch, so that each batch is as balanced as its
/// size allows; the order within a batch is shuffled.
pub(super) fn deal(config: &Domains, sequences: usize, batches: usize, rng: &mut Rng) -> Vec<u8> {
    let (hands, repeat) = if config.mixed { (sequences * config.sequence, 1) } else { (sequences, config.sequence) };
    let mut next = 0;
    let mut rows = Vec::with_capacity(batches * sequences * config.sequence);
    for _ in 0..batches {
        let mut batch: Vec<u8> = (next..next + hands).map(|i| (i % config.domains) as u8).collect();
        next += hands;
        rng.shuffle(&mut batch);
        rows.extend(batch.iter().flat_map(|&domain| std::iter::repeat_n(domain, repeat)));
    }
    rows
}

/// The probe shows whole sequences of each domain, in the domains' order; mixed ones vary from token to token.
pub(super) fn probe_domains(config: &Domains, rng: &mut Rng) -> Vec<u8> {
    let sequences = config.domains * PROBE_SEQUENCES;
    if config.mixed {
        return deal(config, sequences, 1, rng);
    }
    (0..sequences * config.sequence).map(|row| (row / (PROBE_SEQUENCES * config.sequence)) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Domains {
        Domains {
            depth: 1,
            dim: 32,
            domains: 4,
            true_rank: 2,
            conflict: true,
            spectrum: Spectrum::Flat,
            sequence: 4,
            mixed: false,
            noise: 0.0,
            batch: 6,
        }
    }

    fn dense(targets: &Targets) -> &[f32] {
        match targets {
            Targets::Dense(values) => values,
            Targets::Classes(_) => panic!("not classes"),
        }
    }

    #[test]
    fn teacher_has_the_stated_geometry() {
        for conflict in [true, false] {
            let teacher = Teacher::new(&Domains { conflict, ..config() }, &mut Rng::new(3, stream::TEACHER)).unwrap();
            let changes = teacher.changes();
            for (i, a) in changes.iter().enumerate() {
                for mean in teacher.means.outer_iter() {
                    assert!(a.dot(&mean).iter().all(|v| v.abs() < 1e-12));
                    assert!((mean.dot(&mean).sqrt() - MEAN_NORM).abs() < 1e-12);
                }
                for (j, b) in changes.iter().enumerate() {
                    let outputs = a.t().dot(b).iter().map(|v| v * v).sum::<f64>();
                    let inputs = a.dot(&b.t()).iter().map(|v| v * v).sum::<f64>();
                    let (same, shared) = (i == j, i == j || conflict);
                    assert!((outputs - if same { 2.0 } else { 0.0 }).abs() < 1e-12);
                    assert!((inputs - if shared { 2.0 } else { 0.0 }).abs() < 1e-12);
                }
            }
            let gram = teacher.means.dot(&teacher.means.t());
            assert!((gram[[0, 1]]).abs() < 1e-12);
        }
    }

    #[test]
    fn targets_are_base_plus_true_change() {
        let task = domains(&config(), 5).unwrap();
        let teacher = task.teacher.as_ref().unwrap();
        for row in [0, 17, task.rows() - 1] {
            let domain = task.row_domains[row] as usize;
            for o in 0..32 {
                let expected: f64 = (0..32)
                    .map(|i| {
                        let w = f64::from(task.base[0].weight[o * 32 + i]) + teacher[domain][[o, i]];
                        w * f64::from(task.x[row * 32 + i])
                    })
                    .sum();
                let got = f64::from(dense(&task.y)[row * 32 + o]);
                assert!((got - expected).abs() < 1e-6 * (1.0 + expected.abs()));
            }
        }
        // 16,000 rows of two squared normals each: a standard error of about 0.8 %.
        assert!((task.pool_energy / task.energy - 1.0).abs() < 0.04);
        assert_eq!(task.energy, 2.0 / 32.0);
    }

    #[test]
    fn domains_are_dealt_evenly() {
        for mixed in [false, true] {
            let task = domains(&Domains { mixed, ..config() }, 5).unwrap();
            assert!(task.batches >= MIN_BATCHES);
            assert_eq!(task.x.len(), task.rows() * 32);
            let mut all = [0usize; 4];
            let mut varied = 0;
            for batch in task.row_domains.chunks(task.batch_rows()) {
                let mut counts = [0usize; 4];
                for sequence in batch.chunks(task.sequence) {
                    sequence.iter().for_each(|&d| counts[d as usize] += 1);
                    varied += usize::from(sequence.iter().any(|&d| d != sequence[0]));
                }
                let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
                assert!(spread <= if mixed { 1 } else { task.sequence });
                all.iter_mut().zip(counts).for_each(|(a, c)| *a += c);
            }
            assert_eq!(varied > 0, mixed);
            let spread = all.iter().max().unwrap() - all.iter().min().unwrap();
            assert!(spread <= task.sequence);
        }
    }

    #[test]
    fn noise_has_the_stated_variance_and_leaves_inputs_alone() {
        let clean = domains(&config(), 5).unwrap();
        let noisy = domains(&Domains { noise: 0.5, ..config() }, 5).unwrap();
        assert_eq!(clean.x, noisy.x);
        let (a, b) = (dense(&clean.y), dense(&noisy.y));
        let square = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        // Half a million values: a standard error of 0.2 %.
        assert!((square / a.len() as f64 / 0.25 - 1.0).abs() < 0.01);
    }

    #[test]
    fn same_seed_same_task_and_probe_is_not_in_the_pool() {
        let (a, b) = (domains(&config(), 5).unwrap(), domains(&config(), 5).unwrap());
        assert_eq!((&a.x, &a.y, &a.probe.x), (&b.x, &b.y, &b.probe.x));
        assert_ne!(a.x, domains(&config(), 6).unwrap().x);
        assert_eq!(a.probe.row_domains.len(), 2 * 4 * 4);
        assert!(!a.x.chunks(32).any(|row| row == &a.probe.x[..32]));
    }

    #[test]
    fn too_small_a_dimension_is_named() {
        let error = domains(&Domains { dim: 5, ..config() }, 1).unwrap_err();
        assert!(error.to_string().contains("task.dim: 5"), "{error}");
    }
}
