//! What is displayed of a run, computed on the CPU from one readback of all lanes' parameters, so that training neither
//! waits for it nor does it differ between backends. Knows nothing of commands.

use ndarray::Array1;

use super::accuracy::{Drawing, Held};
use super::flow;
use super::gates;
use super::map;
use super::pool::Pool;
use super::ranks::{self, Cuts};
use super::readback::Readback;
use super::state::{LaneShape, Shape, State};
use super::weight;
use crate::clock;
use crate::config::{Config, Lane, Named, SavedModule};
use crate::lab::Lab;
use crate::lab::change::Change;
use crate::lab::forward::{Answer, Forward};
use crate::method::count;
use crate::method::description::Widths;
use crate::optim;
use crate::protocol::text::MapFrame;
use crate::protocol::{
    FlowFrame, Frame, GateFrame, LaneFrame, LayerInfo, MergeFrame, RanksFrame, Started, Watch, WeightFrame,
};
use crate::task::network::LinearSite;
use crate::task::{Images, TaskData, floors, rows_at_once};

/// Milliseconds between a lane's accuracies while training.
const ACCURACY: f64 = 1000.0;
/// Milliseconds between merges of a mixture while training: at least, and at most. Between them, as far as the latter allows,
/// one part in so many of the time is for merges; beyond it what is shown would be of another moment than the rest.
const MERGE: f64 = 500.0;
const MERGE_MOST: f64 = 2000.0;
const MERGE_SHARE: f64 = 12.0;
/// Milliseconds between looks at a language model's probe while it trains, and how many times as long as a look takes.
const PROBE: f64 = 1500.0;
const PROBE_SHARE: f64 = 20.0;

/// What is kept from frame to frame.
pub struct Display {
    probe: Forward,
    /// There once a mixture is looked at.
    pool: Option<Pool>,
    held: Option<Held>,
    drawing: Option<Drawing>,
    /// Losses of each lane that the page has.
    sent: Vec<usize>,
    /// The loss of each lane that was changed at rest.
    pub measured: Vec<Option<f32>>,
    /// Step and time of each lane's last accuracy.
    accuracy: Vec<Option<(usize, f64)>>,
    weight: Option<Kept>,
    /// Of a network whose probe is dear: what was seen last, and when.
    seen: Option<Seen>,
    /// There while they are looked at.
    cuts: Option<Cuts>,
}

/// What the probe said: gates, each lane's spectrum of the watched layer, and the layer.
#[derive(Clone)]
struct Seen {
    at: f64,
    /// Milliseconds that it took.
    took: f64,
    step: usize,
    layer: usize,
    gates: Vec<GateFrame>,
    spectra: Vec<Vec<f32>>,
}

/// A mixture's merges, which are too dear for every frame.
struct Kept {
    step: usize,
    begun: f64,
    at: f64,
    frame: WeightFrame,
    flow: Option<FlowFrame>,
}

impl Display {
    pub fn new(lab: &Lab, images: Option<Images>) -> Self {
        let task = &lab.task;
        let mut display = Self {
            probe: Forward::new(task, task.probe.x.clone(), task.probe.sequence),
            pool: None,
            held: images.map(|images| Held::new(task, images)),
            drawing: None,
            sent: vec![0; lab.lane_count()],
            measured: vec![None; lab.lane_count()],
            accuracy: vec![None; lab.lane_count()],
            weight: None,
            seen: None,
            cuts: None,
        };
        (0..lab.lane_count()).for_each(|lane| display.set_lane(lab, lane));
        display
    }

    /// The lane is new, or its rank.
    pub fn set_lane(&mut self, lab: &Lab, index: usize) {
        let (lane, optimizer) = (lab.lane(index), &lab.config.optimizer);
        self.probe.set_lane(index, lane, optimizer);
        if let Some(held) = &mut self.held {
            held.set_lane(index, lane, optimizer);
        }
        (self.drawing, self.weight, self.seen, self.accuracy[index]) = (None, None, None, None);
        self.measured[index] = None;
        self.cuts = None;
    }

    /// The run went back to `step`; the page hears the losses from there again.
    pub fn rewind(&mut self, lab: &Lab, step: usize) {
        self.sent.iter_mut().for_each(|sent| *sent = step.min(*sent));
        (0..lab.lane_count()).for_each(|lane| self.set_lane(lab, lane));
    }

    /// The frame for one readback; the speed is measured by the caller.
    pub fn frame(&mut self, lab: &Lab, state: &State, now: &Readback, steps_per_second: f32) -> Frame {
        let task = &lab.task;
        let (seen, map) = self.seen(lab, state, now);
        let measure = self.measures_accuracy(now.step, state.training());
        let lanes = (0..lab.lane_count())
            .map(|l| {
                let losses = &lab.losses(l)[self.sent[l].min(lab.losses(l).len())..];
                let from = std::mem::replace(&mut self.sent[l], lab.losses(l).len());
                LaneFrame {
                    lane: lab.lane(l).clone(),
                    parameters: lab.parameter_count(l),
                    base_parameters: base_parameters(task, lab.lane(l)),
                    formula: formula(task, lab.lane(l)),
                    diverged: lab.diverged(l),
                    since: lab.since(l),
                    measured: self.measured[l].filter(|_| unmeasured(lab, l)),
                    losses_from: from,
                    losses: losses.iter().map(|&loss| loss as f32).collect(),
                    accuracy: measure[l]
                        .then(|| self.held.as_ref().map(|held| held.measure(l, &now.params[l], now.step)))
                        .flatten(),
                    spectrum: seen.spectra[l].clone(),
                }
            })
            .collect();
        let (weight, flow) = self.watched(lab, state, now);
        let mut frame = Frame {
            step: now.step,
            running: state.running(),
            steps_per_second,
            lr: optim::learning_rate(lab.config.optimizer.lr, &lab.config.schedule, now.step) as f32,
            lanes,
            gates: seen.gates,
            weight,
            flow,
            drawing: Vec::new(),
            ranks: self.ranks(lab, state, now),
            edits: Vec::new(),
            map,
        };
        if let (Some(held), Some(sketch)) = (&self.held, state.drawing()) {
            let drawing = self.drawing.take().filter(|drawing| drawing.shows(sketch));
            self.drawing = drawing.or_else(|| {
                let lanes: Vec<Lane> = (0..lab.lane_count()).map(|l| lab.lane(l).clone()).collect();
                Drawing::new(task, held.images(), &lanes, &lab.config.optimizer, sketch)
            });
            frame.drawing = self.drawing.as_ref().map_or_else(Vec::new, |drawing| drawing.answers(&now.params));
        }
        frame
    }

    /// What the probe says, and of a language model the map of its layers; while one trains no more often than [`PROBE`].
    fn seen(&mut self, lab: &Lab, state: &State, now: &Readback) -> (Seen, Option<MapFrame>) {
        let (layer, is_text) = (state.watch().layer, lab.task.spare > 0);
        if is_text
            && let Some(seen) = &self.seen
            && seen.layer == layer
            && state.ablate().is_none()
            && (seen.step == now.step
                || state.training() && clock::now() - seen.at < PROBE.max(PROBE_SHARE * seen.took))
        {
            return (seen.clone(), None);
        }
        let begun = clock::now();
        let mut map = MapFrame { step: now.step, lanes: Vec::new() };
        let mut spectra = Vec::new();
        let mut answers = Vec::new();
        for (l, params) in now.params.iter().enumerate() {
            let answer = self.probe.run(l, params);
            spectra.push(self.spectrum(lab, l, layer, params, &answer));
            if is_text {
                map.lanes.push(map::cells(&lab.task, lab.lane(l), &self.probe, l, params, &answer));
            }
            answers.push(answer);
        }
        let gates = self.gates(lab, state, answers, &now.params);
        let at = clock::now();
        let seen = Seen { at, took: at - begun, step: now.step, layer, gates, spectra };
        self.seen = is_text.then(|| seen.clone());
        (seen, is_text.then_some(map))
    }

    /// Which lanes' accuracy is due. While training one at a time, for it is the dearest part of a frame.
    fn measures_accuracy(&mut self, step: usize, training: bool) -> Vec<bool> {
        let now = clock::now();
        let oldest = |at: &Option<(usize, f64)>| at.map_or(f64::NEG_INFINITY, |(_, at)| at);
        let first =
            (0..self.accuracy.len()).min_by(|&a, &b| oldest(&self.accuracy[a]).total_cmp(&oldest(&self.accuracy[b])));
        let is_due = |(lane, last): (usize, &Option<(usize, f64)>)| match *last {
            None => true,
            Some((measured, _)) if measured == step => false,
            Some((_, at)) => !training || Some(lane) == first && now - at >= ACCURACY,
        };
        let due: Vec<bool> = self.accuracy.iter().enumerate().map(is_due).collect();
        for (last, _) in self.accuracy.iter_mut().zip(&due).filter(|(_, due)| **due) {
            *last = Some((step, now));
        }
        due
    }

    fn spectrum(&self, lab: &Lab, lane: usize, layer: usize, params: &[f32], answer: &Answer) -> Vec<f32> {
        let Some(change) = Change::new(&lab.task, lab.lane(lane), &self.probe, (lane, layer), params) else {
            return Vec::new();
        };
        let gates = answer.gates.iter().find(|gates| gates.layer == layer);
        let mean = gates.map_or_else(
            || Array1::ones(1),
            |gates| {
                let tokens = gates.values.len() / gates.experts;
                let of = |e| gates.values.iter().skip(e).step_by(gates.experts).map(|&g| f64::from(g)).sum::<f64>();
                Array1::from_shape_fn(gates.experts, |e| of(e) / tokens as f64)
            },
        );
        change.spectrum(&mean)
    }

    fn gates(&self, lab: &Lab, state: &State, answers: Vec<Answer>, params: &[Vec<f32>]) -> Vec<GateFrame> {
        let task = &lab.task;
        let domains = task.domain_names.len();
        let all = answers.into_iter().enumerate().flat_map(|(l, answer)| answer.gates.into_iter().map(move |g| (l, g)));
        let mut frames: Vec<_> =
            all.filter_map(|(l, g)| gates::frame(l, g, &task.probe.row_domains, domains)).collect();
        if let Some(off) = state.ablate()
            && let Some(frame) = frames.iter_mut().find(|f| (f.lane, f.layer) == (off.lane, off.layer))
        {
            let which = (off.lane, off.layer, off.expert);
            frame.ablation = gates::ablation(task, lab.lane(off.lane), &self.probe, which, &params[off.lane]);
        }
        frames
    }

    fn ranks(&mut self, lab: &Lab, state: &State, now: &Readback) -> RanksFrame {
        // Nothing of an earlier look is left for the next one.
        let kept = self.cuts.take();
        self.cuts = state.cuts().then(|| kept.unwrap_or_else(|| Cuts::new(lab)));
        let slice = state.training().then_some(ranks::SLICE);
        let cuts = self.cuts.as_mut().and_then(|cuts| cuts.frame(&lab.task, now, slice));
        RanksFrame { budgets: ranks::budgets(lab, &self.probe, now), cuts }
    }

    /// The watched layer's weight, and a token's way through it.
    fn watched(&mut self, lab: &Lab, state: &State, now: &Readback) -> (Option<WeightFrame>, Option<FlowFrame>) {
        let (watch, token, is_text) = (state.watch(), state.flow(), lab.task.spare > 0);
        let kept = self.weight.as_ref().filter(|kept| kept.serves(watch, now.step, state.training()));
        if let Some(kept) = kept
            && (token.is_none()
                || is_text && state.ablate().is_none() && kept.flow.as_ref().map(|flow| flow.token) == token)
        {
            return (Some(kept.frame.clone()), token.and(kept.flow.clone()));
        }
        let (begun, params, lane) = (clock::now(), &now.params[watch.lane], lab.lane(watch.lane));
        let answer = self.probe.run(watch.lane, params);
        let off = state.ablate().filter(|off| (off.lane, off.layer) == (watch.lane, watch.layer)).map(|off| off.expert);
        let way =
            |token| flow::frame(&lab.task, lane, (watch.lane, watch.layer, token), off, params, &self.probe, &answer);
        let flow = token.and_then(way);
        if let Some(kept) = kept {
            return (Some(kept.frame.clone()), flow);
        }
        let measured = rows_at_once(&lab.task.network) >= lab.task.sequence;
        let pool = match lane.is_gated() && measured {
            true => Some(self.pool.get_or_insert_with(|| Pool::new(&lab.task))),
            false => None,
        };
        let pool = pool.map(|pool| {
            pool.place(watch.lane, lane, &lab.config.optimizer);
            &*pool
        });
        let Some(frame) = weight::frame(&lab.task, lane, watch, params, (&self.probe, &answer), pool) else {
            return (None, flow);
        };
        let dear = is_text || matches!(frame.merge, MergeFrame::Mixture { .. });
        let (step, at, flow_kept) = (now.step, clock::now(), flow.clone());
        self.weight = dear.then(|| Kept { step, begun, at, frame: frame.clone(), flow: flow_kept });
        (Some(frame), flow)
    }
}

/// Whether the lane was changed and no step has told its loss since.
pub fn unmeasured(lab: &Lab, lane: usize) -> bool {
    let since = lab.since(lane);
    since > 0 && lab.diverged(lane).is_none() && lab.losses(lane).len() <= since
}

impl Kept {
    fn serves(&self, watch: Watch, step: usize, training: bool) -> bool {
        let wait = (MERGE_SHARE * (self.at - self.begun)).clamp(MERGE, MERGE_MOST);
        self.frame.watch == watch && (self.step == step || training && clock::now() - self.at < wait)
    }
}

/// Linear layers that a lane adapts.
fn adapted<'a>(task: &'a TaskData, lane: &'a Lane) -> impl Iterator<Item = &'a LinearSite> + 'a {
    task.network.sites().iter().filter(|site| lane.adapts(site))
}

/// Tables that a lane may train whole, with their parameters.
fn tables(task: &TaskData) -> impl Iterator<Item = (SavedModule, usize)> + '_ {
    task.network.modules().map(|(module, table)| (module, task.tensors[table.index()].len()))
}

/// Weights of the layers it adapts, biases left out: no method trains one.
fn base_parameters(task: &TaskData, lane: &Lane) -> usize {
    let whole = tables(task).filter(|&(module, _)| lane.saves(module)).map(|(_, count)| count);
    adapted(task, lane).map(|site| site.outputs * site.inputs).chain(whole).sum()
}

/// Layer by layer, equal ones counted, then tables: "2 · (2 · 64 · 8) + (64 + 10) · 8 + embed_tokens 256 · 96".
fn formula(task: &TaskData, lane: &Lane) -> String {
    let mut parts: Vec<(usize, String)> = Vec::new();
    for &LinearSite { inputs, outputs, layer, .. } in adapted(task, lane) {
        let part = count::formula(lane.method, &lane.settings_at(layer), Widths { inputs, outputs });
        match parts.last_mut() {
            Some((times, last)) if *last == part => *times += 1,
            _ => parts.push((1, part)),
        }
    }
    let word = |(times, part): &(usize, String)| match times {
        1 => part.clone(),
        times => format!("{times} · ({part})"),
    };
    let whole = task.network.modules().filter(|&(module, _)| lane.saves(module)).map(|(module, table)| {
        let shape = &task.network.tensors()[table.index()];
        format!("{} {} · {}", module.name(), shape.rows, shape.cols)
    });
    parts.iter().map(word).chain(whole).collect::<Vec<_>>().join(" + ")
}

/// What holds until a rank changes.
pub fn started(lab: &Lab, fallback: Option<String>) -> Started {
    let task = &lab.task;
    let lanes = (0..lab.lane_count()).map(|l| lab.lane(l).clone()).collect();
    let config = Config { lanes, ..lab.config.clone() };
    let layer = |(l, site): (usize, &LinearSite)| LayerInfo {
        site: site.clone(),
        activation: if task.network.gelu_follows(l) { "gelu" } else { "" }.into(),
    };
    Started {
        backend: lab.backend().into(),
        adapter: lab.adapter().into(),
        fallback,
        layers: task.network.sites().iter().enumerate().map(layer).collect(),
        tables: tables(task).collect(),
        domains: task.domain_names.clone(),
        energy: task.energy as f32,
        true_rank: task.true_rank,
        floors: floors(&config.task, &config.lanes, task),
        config,
        text: None,
    }
}

/// What can be watched.
pub fn shape(lab: &Lab) -> Shape {
    Shape {
        lanes: (0..lab.lane_count()).map(|l| LaneShape::new(lab.lane(l), lab.task.network.sites())).collect(),
        domains: lab.task.domain_names.len(),
        tokens: lab.task.probe.rows(),
    }
}
