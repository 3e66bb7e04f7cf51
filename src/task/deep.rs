//! The teacher–student task on several layers: a frozen network with GELU between its layers, each of which every domain
//! truly changes by a low-rank matrix of its own. Inputs are those of the task on one layer. What a lane can reach has no
//! formula here, so there is no floor; the target's energy is measured. Knows nothing of what will be trained on it.

use ndarray::Array2;

use super::domains::{Teacher, batches, deal, names, probe_domains};
use super::evaluate::evaluate;
use super::network::Network;
use super::{BaseLayer, LossKind, Probe, Targets, TaskData};
use crate::args::Domains;
use crate::error::Result;
use crate::rng::{Rng, stream};
use crate::tensor::widened;

/// The base network and its true changes.
struct Changed {
    network: Network,
    weights: Vec<Array2<f64>>,
    teachers: Vec<Teacher>,
}

pub fn domains(config: &Domains, seed: u64) -> Result<TaskData> {
    let (dim, depth) = (config.dim, config.depth);
    let mut rng = Rng::new(seed, stream::TEACHER);
    let teachers = (0..depth).map(|_| Teacher::new(config, &mut rng)).collect::<Result<Vec<_>>>()?;
    let mut rng = Rng::new(seed, stream::BASE);
    // Of spectral norm near 2, so that GELU leaves about as much as came in.
    let scale = 1.0 / libm::sqrt(dim as f64);
    let stored: Vec<Vec<f32>> =
        (0..depth).map(|_| (0..dim * dim).map(|_| (rng.normal() * scale) as f32).collect()).collect();
    let weights = stored.iter().map(|w| widened(w, (dim, dim))).collect();
    let changed = Changed { network: Network::stack(&vec![dim; depth + 1]), weights, teachers };

    let batches = batches(config);
    let mut rng = Rng::new(seed, stream::DATA);
    let row_domains = deal(config, config.batch, batches, &mut rng);
    let (x, mut y, energy) = changed.rows(&row_domains, &mut rng);
    if config.noise > 0.0 {
        y.iter_mut().for_each(|value| *value += (config.noise * rng.normal()) as f32);
    }
    let mut rng = Rng::new(seed, stream::PROBE);
    let probe_domains = probe_domains(config, &mut rng);
    let (probe_x, probe_y, _) = changed.rows(&probe_domains, &mut rng);

    Ok(TaskData {
        network: changed.network,
        loss: LossKind::Mse,
        batch_sequences: config.batch,
        sequence: config.sequence,
        batches,
        spare: 0,
        x,
        y: Targets::Dense(y),
        row_domains,
        base: stored.into_iter().map(|weight| BaseLayer { weight: weight.into(), bias: vec![0.0; dim] }).collect(),
        tensors: Vec::new(),
        domain_names: names(config),
        energy,
        pool_energy: energy,
        soft: None,
        noise_variance: config.noise * config.noise,
        true_rank: Some(config.true_rank),
        teacher: None,
        mixed: config.mixed,
        probe: Probe { sequence: config.sequence, x: probe_x, y: Targets::Dense(probe_y), row_domains: probe_domains },
    })
}

impl Changed {
    /// Inputs, the changed network's outputs for them, and the mean square per element by which these differ from the
    /// frozen network's.
    fn rows(&self, row_domains: &[u8], rng: &mut Rng) -> (Vec<f32>, Vec<f32>, f64) {
        let x = self.teachers[0].inputs(row_domains, rng);
        let wide = widened(&x, (row_domains.len(), self.network.inputs()));
        let changed = self.output(&wide, row_domains);
        let frozen = self.output(&wide, &[]);
        let energy = (&changed - &frozen).mapv(|d| d * d).mean().unwrap_or(0.0);
        (x, changed.iter().map(|&v| v as f32).collect(), energy)
    }

    /// With the true changes of the domains of as many rows as are told.
    fn output(&self, rows: &Array2<f64>, row_domains: &[u8]) -> Array2<f64> {
        evaluate(&self.network, self.network.output(), rows, |site, x| {
            let mut y = x.dot(&self.weights[site].t());
            for ((mut y, x), &domain) in y.outer_iter_mut().zip(x.outer_iter()).zip(row_domains) {
                y += &self.teachers[site].change(domain, x);
            }
            y
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(depth: usize) -> Domains {
        Domains { dim: 24, depth, batch: 8, ..Domains::default() }
    }

    /// Row by row, with whole matrices in place of factors.
    #[test]
    fn targets_are_the_changed_network_s() {
        let task = domains(&config(3), 4).unwrap();
        assert_eq!(task.network.sites().len(), 3);
        let mut rng = Rng::new(4, stream::TEACHER);
        let changed: Vec<Vec<Array2<f64>>> = (0..3)
            .map(|l| {
                let teacher = Teacher::new(&config(3), &mut rng).unwrap();
                let weight = widened(&task.base[l].weight, (24, 24));
                (0..4).map(|d| &weight + &teacher.u[d].t().dot(&teacher.v[d])).collect()
            })
            .collect();
        let Targets::Dense(y) = &task.probe.y else { panic!("not classes") };
        for (row, &domain) in task.probe.row_domains.iter().enumerate() {
            let mut h = widened(&task.probe.x[row * 24..(row + 1) * 24], (24, 1));
            for (l, weights) in changed.iter().enumerate() {
                h = weights[domain as usize].dot(&h);
                if l < 2 {
                    h.mapv_inplace(crate::task::evaluate::gelu);
                }
            }
            for (o, &expected) in h.iter().enumerate() {
                let got = f64::from(y[row * 24 + o]);
                assert!((got - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{got} {expected}");
            }
        }
    }

    #[test]
    fn energy_is_what_the_frozen_network_misses() {
        let task = domains(&config(4), 4).unwrap();
        assert!(task.energy > 0.01 && task.energy < 10.0, "{}", task.energy);
        let again = domains(&config(4), 4).unwrap();
        assert_eq!((task.x, task.energy), (again.x, again.energy));
    }
}
