//! The weight under inspection: the change a lane made to a layer, its spectrum, and how far a merge of it is from
//! what the lane computes. Knows nothing of training.

use ndarray::{Array1, Array2, Axis};

use super::pool::Pool;
use crate::inspect::merge::{Experts, Merged, Observed};
use crate::lab::change::Change;
use crate::lab::forward::{Answer, Forward, matrix};
use crate::method::Lane;
use crate::method::description::{self, Widths};
use crate::protocol::ExpertsFrame;
use crate::protocol::{MergeFrame, MergeMode, MergeResult, Watch, WeightFrame};
use crate::spectrum::singular_values;
use crate::task::TaskData;

const MODES: [MergeMode; 5] = [
    MergeMode::PerInput,
    MergeMode::MeanGate,
    MergeMode::MeanGatePerDomain,
    MergeMode::TopExpertPerDomain,
    MergeMode::LeastSquares,
];

/// Everything about the watched layer. `probe` holds the lane under its own index and has just evaluated it, `pool` holds the
/// watched one: without it, of a network too large for that, merges are not measured.
pub fn frame(
    task: &TaskData,
    lane: &Lane,
    watch: Watch,
    params: &[f32],
    (probe, answer): (&Forward, &Answer),
    pool: Option<&Pool>,
) -> Option<WeightFrame> {
    let whole = Change::new(task, lane, probe, (watch.lane, watch.layer), params)?;
    let spec = &task.network.sites()[watch.layer];
    let widths = Widths { inputs: spec.inputs, outputs: spec.outputs };
    let readers = match (lane.method.change)(&lane.settings_at(spec.layer), widths) {
        description::Change::Product(product) => product.readers,
        description::Change::Dense(_) => None,
    };
    let experts = experts_frame(&whole, readers);
    let finite = params.iter().all(|p| p.is_finite());
    let (delta, merge) = match &whole {
        Change::Dense(delta) => (delta.clone(), exact(task, watch, delta, probe)),
        Change::Experts { experts, gated: false } => {
            let delta = experts.weighted(Array1::ones(1).view());
            let merge = exact(task, watch, &delta, probe);
            (delta, merge)
        }
        Change::Experts { experts, .. } if finite => match pool {
            Some(pool) => mixture(task, watch, experts, answer, params, probe, pool)?,
            None => (unmeasured(watch.layer, experts, answer)?, nothing_merged()),
        },
        Change::Experts { .. } => {
            let spec = &task.network.sites()[watch.layer];
            let shape = (spec.outputs, spec.inputs);
            (Array2::from_elem(shape, f64::NAN), nothing_merged())
        }
    };
    // Of one product, the product's: a large layer's own would take seconds.
    let singular = match &whole {
        Change::Experts { gated: false, .. } => {
            let mut values = whole.spectrum(&Array1::ones(1));
            values.resize(delta.nrows().min(delta.ncols()), 0.0);
            values
        }
        _ => singular_values(&delta).into_iter().map(|s| s as f32).collect(),
    };
    let w0 = &task.base[watch.layer].weight;
    let norm = libm::sqrt(w0.iter().map(|&w| f64::from(w).powi(2)).sum());
    let change = libm::sqrt(delta.iter().map(|d| d * d).sum());
    Some(WeightFrame {
        watch,
        experts,
        rows: delta.nrows(),
        cols: delta.ncols(),
        w0: w0.to_vec(),
        singular,
        delta: delta.iter().map(|&d| d as f32).collect(),
        ratio: (norm > 0.0).then_some((change / norm) as f32),
        merge,
    })
}

fn nothing_merged() -> MergeFrame {
    MergeFrame::Mixture { routed: f32::NAN, tokens: 0, modes: Vec::new() }
}

/// The change with the probe's mean gate, of a network too large for merges to be measured.
fn unmeasured(layer: usize, experts: &Experts, answer: &Answer) -> Option<Array2<f64>> {
    let gates = answer.gates.iter().find(|gates| gates.layer == layer)?;
    let mean = matrix(&gates.values, gates.experts).mean_axis(Axis(0))?;
    Some(experts.weighted(mean.view()))
}

/// A mixture's experts by themselves.
fn experts_frame(change: &Change, shared: Option<usize>) -> Option<ExpertsFrame> {
    let Change::Experts { experts, gated: true } = change else { return None };
    let (count, rank) = experts.size();
    let (a, b) = experts.factors(Array1::ones(count).view());
    let narrow = |values: &Array2<f64>| values.iter().map(|&v| v as f32).collect();
    let (a, b) = (narrow(&a), narrow(&b.t().to_owned()));
    Some(ExpertsFrame { count, rank, shared, a, b, cosines: narrow(&experts.cosines()) })
}

/// `max |merged(x) − adapted(x)|` in f32, as the merged weight would be used.
fn exact(task: &TaskData, watch: Watch, delta: &Array2<f64>, probe: &Forward) -> MergeFrame {
    let (spec, base) = (&task.network.sites()[watch.layer], &task.base[watch.layer]);
    let merged: Vec<f32> = base.weight.iter().zip(delta).map(|(&w, &d)| w + d as f32).collect();
    let x = probe.input(watch.lane, watch.layer);
    let adapted = probe.layer_output(watch.lane, watch.layer);
    let mut error = 0.0f32;
    for (x, y) in x.chunks_exact(spec.inputs).zip(adapted.chunks_exact(spec.outputs)) {
        for ((row, &bias), &y) in merged.chunks_exact(spec.inputs).zip(&base.bias).zip(y) {
            let sum = row.iter().zip(x).fold(bias, |sum, (&w, &x)| sum + w * x);
            // `max` would drop NaN, and a diverged lane with it.
            let off = (sum - y).abs();
            error = if off > error || off.is_nan() { off } else { error };
        }
    }
    MergeFrame::Exact { error }
}

/// All merges of a mixture: the watched one's change, and every one's loss and error.
fn mixture(
    task: &TaskData,
    watch: Watch,
    experts: &Experts,
    answer: &Answer,
    params: &[f32],
    probe: &Forward,
    pool: &Pool,
) -> Option<(Array2<f64>, MergeFrame)> {
    let Watch { lane, layer, token, domain, .. } = watch;
    let spec = &task.network.sites()[layer];
    let of_layer = |answer: &Answer| {
        let gates = answer.gates.iter().find(|gates| gates.layer == layer)?;
        Some(matrix(&gates.values, gates.experts))
    };
    let gates = of_layer(answer)?;
    let x = matrix(&probe.input(lane, layer), spec.inputs);
    let added = experts.routed(&x, &gates);

    let seen = pool.forward.run(0, params);
    let seen_gates = of_layer(&seen)?;
    let seen_x = matrix(&pool.forward.input(0, layer), spec.inputs);
    let output = || matrix(&pool.forward.layer_output(0, layer), spec.outputs);
    let frozen = pool.wants_output().then(|| output() - experts.routed(&seen_x, &seen_gates));
    let domains = task.domain_names.len();
    let observed = Observed { x: &seen_x, gates: &seen_gates, row_domains: &pool.row_domains, domains };
    let largest = |values: &mut dyn Iterator<Item = &f64>| values.fold(0.0f64, |m, v| m.max(v.abs())) as f32;

    let mut shown = None;
    let mut modes = Vec::new();
    for mode in MODES {
        // (a) is made for a token of the probe, and is one weight of many; all others are made from the training data.
        let own = matches!(mode, MergeMode::PerInput);
        let merged = match own {
            true => Merged::One(experts.weighted(gates.row(token))),
            false => experts.merge(mode, observed, token).ok()?,
        };
        let off = merged.output(&x, &task.probe.row_domains) - &added;
        let error = if own { largest(&mut off.row(token).iter()) } else { largest(&mut off.iter()) };
        let loss = if own { None } else { Some(pool.merged_loss(task, layer, &merged, frozen.as_ref())? as f32) };
        modes.push(MergeResult { mode, loss, error });
        if mode == watch.merge {
            shown = merged.of(domain).cloned();
        }
    }
    let (routed, tokens) = (pool.loss(task, &seen.output) as f32, pool.row_domains.len());
    Some((shown?, MergeFrame::Mixture { routed, tokens, modes }))
}
