//! A trained mixture as plain LoRAs: each layer's experts by what their gates did on the probe's rows, and what that costs there. Knows nothing of where the files go.

use ndarray::Array2;

use super::Lab;
use super::change::Change;
use super::export::{Mixture, factors, merged};
use super::forward::{Forward, matrix, row_losses};
use crate::config::Lane;
use crate::error::{Error, Result};
use crate::graph::PARAMS;
use crate::inspect::merge::{Experts, Observed};
use crate::lang::tr;
use crate::peft::plain::Files;
use crate::protocol::MergeMode;
use crate::task::{Targets, UNCOUNTED};

/// One merge of a mixture.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The domain that it is for, by number; `None`: all of them.
    pub domain: Option<usize>,
    pub files: Files,
    /// Mean loss on that domain's probe rows, merged and as the gates have it: cross-entropy in nats, or squared error as a share of
    /// the target's energy.
    pub loss: f64,
    pub routed: f64,
}

/// What a mixture did on one layer.
struct Seen {
    layer: usize,
    experts: Experts,
    x: Array2<f64>,
    gates: Array2<f64>,
}

/// The merges of a lane: one, or one for each domain.
///
/// # Errors
/// `Error::Missing` if there is no such lane; `Error::Data` where it has no gates, or trains tables whole beside them; and as
/// `Experts::merge`.
pub async fn merges(lab: &Lab, lane: usize, mode: MergeMode) -> Result<Vec<Merge>> {
    lab.check_lane(lane)?;
    let (own, task) = (lab.lane(lane), &lab.task);
    let refused = |expected: String, got: String| Err(Error::Data { what: tr!("lane {}", lane), expected, got });
    if !own.is_gated() {
        return refused(tr!("a mixture; others are saved as they are"), own.title());
    }
    if !own.modules_to_save.is_empty() {
        return refused(tr!("a mixture alone, without modules_to_save"), own.to_text());
    }
    let params = lab.read_one(lane, PARAMS).await?;
    let probe = &task.probe;
    let mut forward = Forward::new(task, probe.x.clone(), probe.sequence);
    forward.set_lane(0, own, &lab.config.optimizer);
    let answer = forward.run(0, &params);
    let mut layers = Vec::new();
    for gates in &answer.gates {
        let layer = gates.layer;
        if let Some(Change::Experts { experts, .. }) = Change::new(task, own, &forward, (0, layer), &params) {
            let x = matrix(&forward.input(0, layer), task.network.sites()[layer].inputs);
            layers.push(Seen { layer, experts, x, gates: matrix(&gates.values, gates.experts) });
        }
    }
    let domains = task.domain_names.len();
    let mut mixtures = Vec::new();
    for Seen { layer, experts, x, gates } in &layers {
        let observed = Observed { x, gates, row_domains: &probe.row_domains, domains };
        mixtures.push(Mixture { site: &task.network.sites()[*layer].name, experts, observed });
    }
    let files = merged(&mixtures, mode).await?;

    // What they cost: each as a change of the weights that the lane adapts.
    let dense = Lane { layers: own.layers.clone(), targets: own.targets.clone(), ..Lane::base() };
    forward.set_lane(1, &dense, &lab.config.optimizer);
    let mut changed = vec![vec![0.0; forward.compiled(1).padded]; files.len()];
    for (seen, mixture) in layers.iter().zip(&mixtures) {
        let tensor = forward.compiled(1).sites[seen.layer].parameters.first();
        for (params, (a, b)) in changed.iter_mut().zip(factors(mixture, mode)?) {
            let delta: Vec<f32> = b.dot(&a).iter().map(|&v| v as f32).collect();
            tensor.into_iter().for_each(|tensor| tensor.scatter(params, &delta));
        }
    }
    let routed = row_losses(task, &probe.y, &answer.output);
    let per_domain = matches!(mode, MergeMode::MeanGatePerDomain | MergeMode::TopExpertPerDomain);
    let merge = |(at, (files, params)): (usize, (Files, &Vec<f32>))| {
        let domain = per_domain.then_some(at);
        let counts = |row: usize| !matches!(&probe.y, Targets::Classes(classes) if classes[row] == UNCOUNTED);
        let mean = |losses: &[f64]| {
            let is_own = |&row: &usize| counts(row) && domain.is_none_or(|d| usize::from(probe.row_domains[row]) == d);
            let own: Vec<f64> = (0..losses.len()).filter(is_own).map(|row| losses[row]).collect();
            own.iter().sum::<f64>() / own.len().max(1) as f64
        };
        let loss = mean(&row_losses(task, &probe.y, &forward.run(1, params).output));
        Merge { domain, files, loss, routed: mean(&routed) }
    };
    Ok(files.into_iter().zip(&changed).enumerate().map(merge).collect())
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::config::{Config, Task};
    use crate::files::Memory;
    use crate::peft::Adapter;
    use crate::task::text::small;

    fn trained() -> Lab {
        let query = "task=text&batch=4&sequence=32&languages=rus~swh&total=40&warmup=5&lanes=molora.n3.r2.a4.q_proj-down_proj.lr0.02~mor1e.n4.a2.running.l3.lr0.02~lora~molora.embed_tokens";
        let config = Config::from_query(query).unwrap();
        let Task::Text(text) = &config.task else { panic!("text") };
        let file = async |name: &str| Ok(std::fs::read(format!("www/data/{name}")).unwrap());
        let task = block_on(small(text, 1, file)).unwrap().0;
        let mut lab = Lab::new(config.clone(), task, None).unwrap();
        block_on(lab.train(30)).unwrap();
        lab
    }

    /// Modules as transformers has them, at the experts' ranks together; and gates that are the same for every token are merged
    /// without a loss.
    #[test]
    fn mixtures_on_text_are_merged() {
        let mut lab = trained();
        for (lane, modules, rank) in [(0, 8, 6), (1, 7, 4)] {
            for (mode, count) in [(MergeMode::MeanGate, 1), (MergeMode::MeanGatePerDomain, 2)] {
                let all = block_on(merges(&lab, lane, mode)).unwrap();
                assert_eq!(all.len(), count);
                for (at, merge) in all.iter().enumerate() {
                    assert_eq!(merge.domain, (count > 1).then_some(at));
                    let source = Memory::new("adapter_model.safetensors", merge.files.adapter.clone());
                    let adapter = block_on(Adapter::open(source, Some(merge.files.config.as_bytes()))).unwrap();
                    assert_eq!((adapter.modules.len(), adapter.not_understood.len()), (modules, 0));
                    assert!(adapter.modules[0].name.starts_with("model.layers."), "{}", adapter.modules[0].name);
                    let said: serde_json::Value = serde_json::from_str(&merge.files.config).unwrap();
                    assert_eq!((&said["r"], &said["lora_alpha"]), (&rank.into(), &f64::from(rank).into()));
                    assert!(merge.loss > merge.routed - 0.05 && merge.loss < merge.routed + 2.0, "{merge:?}");
                }
            }
        }
        let routers: Vec<_> = lab.tensors(0).unwrap().into_iter().filter(|t| t.name.ends_with("proj.router")).collect();
        assert_eq!(routers.len(), 8);
        for router in routers {
            block_on(lab.set_tensor(0, &router.name, &vec![0.0; router.shape.iter().product()])).unwrap();
        }
        let merge = block_on(merges(&lab, 0, MergeMode::MeanGate)).unwrap().remove(0);
        assert!((merge.loss - merge.routed).abs() < 1e-5 && merge.loss < 3.0, "{} {}", merge.loss, merge.routed);
        for lane in [2, 3] {
            let error = block_on(merges(&lab, lane, MergeMode::MeanGate)).unwrap_err().to_string();
            assert!(error.contains("a mixture"), "{error}");
        }
    }
}
