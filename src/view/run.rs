//! All that the page knows of a run, gathered from the trainer's events. Pure: knows neither how events arrive nor
//! how they are drawn.

use super::{
    history::Series,
    lane_view::{Curve, GateView, LaneView},
    now::{self, LaneHistory},
    snap::Snap,
};
use crate::clock;
use crate::config::{Edit, Task};
use crate::method::{description::Widths, drawing::Drawing};
use crate::protocol::{
    Ablate, Accuracy, DrawAnswer, Event, FlowFrame, Frame, LaneFrame, MergeFrame, Started, WeightFrame,
};

/// Buckets of a loss curve: about one per pixel of the chart.
const LOSS_BUCKETS: usize = 512;
/// Columns of the picture of a gate over time.
const GATE_BUCKETS: usize = 256;
/// Frames for which the Now line stands.
const SENTENCE: usize = 5;
/// Accuracy measurements kept per lane.
const ACCURACIES: usize = 256;

/// The state of the run as last heard of.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What is being done before training begins.
    pub stage: Option<String>,
    pub pretraining: Option<Pretraining>,
    /// Share of a visitor's own model that has been read.
    pub own_read: Option<f32>,
    /// Step and time of its first report.
    began: Option<(usize, f64)>,
    /// It could not begin; why has been said.
    pub failed: bool,
    /// `None` until the run is set up; frames of an earlier run are dropped until then.
    pub started: Option<Snap<Started>>,
    /// Losses by lane from before the first frame, of a run that was come to late.
    past: Vec<Vec<f32>>,
    /// What holds from the next frame on, so that no floor of a new rank stands beside losses of the old.
    next: Option<Box<Started>>,
    pub step: usize,
    pub running: bool,
    pub steps_per_second: f32,
    pub lr: f32,
    pub lanes: Vec<LaneView>,
    pub gates: Vec<GateView>,
    pub weight: Option<Snap<WeightFrame>>,
    pub flow: Option<Snap<Flow>>,
    pub drawing: Option<Snap<Vec<DrawAnswer>>>,
    pub ranks: super::ranks::Ranks,
    /// What was changed on its way.
    pub edits: Snap<Vec<Edit>>,
    /// Of a language model.
    pub text: super::reading::Reading,
    /// The Now line.
    pub now: now::Line,
    memory: Vec<LaneHistory>,
    frames: usize,
    /// Of a language model, the latest frame as far as the Now line needs it: scores come between frames, and after the last.
    last: Option<Box<Frame>>,
}

/// A token's way through a layer, with the drawing that it is of.
#[derive(Debug)]
pub struct Flow {
    pub drawing: Drawing,
    pub frame: FlowFrame,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pretraining {
    pub step: usize,
    pub total: usize,
    pub loss: f32,
    pub accuracy: f32,
    /// Seconds that the rest takes at the pace so far.
    pub left: Option<f64>,
}

impl Run {
    /// The number of its steps, where all are done.
    pub fn finished(&self) -> Option<usize> {
        let total = self.started.as_ref()?.config.schedule.total;
        (self.step >= total).then_some(total)
    }

    /// It was not begun, and may never have been before.
    pub fn not_begun(&mut self) {
        self.own_read = None;
        self.failed = self.started.is_none();
    }

    /// Takes in one event. What went wrong is not of the run and is left to the caller.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Stage(stage) => {
                self.stage = Some(stage);
                (self.pretraining, self.own_read) = (None, None);
            }
            Event::Reading(share) => self.own_read = Some(share),
            Event::Pretraining { step, total, loss, accuracy } => {
                let (from, at) = *self.began.get_or_insert((step, clock::now()));
                let left = (step > from)
                    .then(|| (clock::now() - at) / 1e3 * total.saturating_sub(step) as f64 / (step - from) as f64);
                self.pretraining = Some(Pretraining { step, total, loss, accuracy, left });
            }
            Event::Started(started) => {
                self.stage = None;
                self.pretraining = None;
                self.next = Some(started);
                if self.lanes.is_empty() {
                    self.take_next();
                }
            }
            Event::Again { started, losses } => {
                if self.started.is_none() {
                    self.past = losses;
                    self.apply(Event::Started(started));
                }
            }
            Event::Frame(frame) => self.frame(*frame),
            Event::Text(text) => {
                self.text.take_in(*text);
                if let Some(frame) = self.last.take() {
                    self.say(&frame);
                    self.last = Some(frame);
                }
            }
            Event::Problem { .. } | Event::NoGpu { .. } | Event::Saved(_) | Event::Begins(_) | Event::Brought(_) => {}
        }
    }

    fn take_next(&mut self) {
        self.started = self.next.take().map(|next| Snap::new(*next)).or(self.started.take());
    }

    /// The expert that is switched off.
    pub fn off(&self) -> Option<Ablate> {
        self.gates.iter().map(|gate| &gate.frame).find_map(|gate| {
            gate.ablation.as_ref().map(|off| Ablate { lane: gate.lane, layer: gate.layer, expert: off.expert })
        })
    }

    /// Says what is to be seen now; whether it was said anew.
    fn say(&mut self, frame: &Frame) -> bool {
        let Some(started) = &self.started else { return false };
        // A sentence whose numbers change ten times a second cannot be read; another sentence is said at once.
        let now = now::line(&now::State { started, frame, history: &self.memory, text: &self.text });
        let is_due = self.frames.is_multiple_of(SENTENCE) || !frame.running || now.kind != self.now.kind;
        if is_due {
            self.now = now;
        }
        is_due
    }

    fn frame(&mut self, mut frame: Frame) {
        self.take_next();
        let Some(started) = &self.started else { return };
        if matches!(started.config.task, Task::Text(_)) {
            in_bits(&mut frame, started.energy);
        }
        if let Some(flow) = frame.flow.take()
            && let (Some(own), Some(layer)) = (frame.lanes.get(flow.lane), started.layers.get(flow.layer))
        {
            let widths = Widths { inputs: layer.site.inputs, outputs: layer.site.outputs };
            let drawing = Drawing::new(&own.lane, layer.site.layer, widths);
            self.flow = Some(Snap::new(Flow { drawing, frame: flow }));
        }
        for (lane, past) in frame.lanes.iter_mut().zip(std::mem::take(&mut self.past)) {
            if let Some(past) = past.get(..lane.losses_from) {
                lane.losses.splice(0..0, past.iter().copied());
                lane.losses_from = 0;
            }
        }
        let energy = match started.energy {
            energy if energy > 0.0 => energy,
            _ => 1.0,
        };
        if frame.step < self.step {
            self.memory.clear();
        }
        self.memory.resize_with(frame.lanes.len(), || LaneHistory::new(energy));
        for (index, memory) in self.memory.iter_mut().enumerate() {
            memory.push(&frame, index);
        }
        let is_text = matches!(started.config.task, Task::Text(_));
        // The numbers beside the chart are those of the sentence's moment, and those of a lane that was just changed its own.
        let moment = |lane: &LaneFrame| (lane.since, lane.measured.is_some());
        let is_changed = |(view, lane): (&LaneView, &LaneFrame)| moment(&view.frame) != moment(lane);
        if self.lanes.iter().zip(&frame.lanes).any(is_changed) {
            self.frames = 0;
        }
        let is_said = self.say(&frame);
        self.frames += 1;
        self.last = is_text.then(|| Box::new(without_tokens(&mut frame)));
        self.text.map = frame.map.map(Snap::new).or(self.text.map.take());
        self.step = frame.step;
        self.running = frame.running;
        self.steps_per_second = frame.steps_per_second;
        self.lr = frame.lr;
        self.lanes.truncate(frame.lanes.len());
        for (index, mut lane) in frame.lanes.into_iter().enumerate() {
            let losses = std::mem::take(&mut lane.losses);
            let measured = lane.accuracy.take();
            let from = lane.losses_from;
            let lane = Snap::new(lane);
            let memory = self.memory.get(index);
            let (recent, over) = (memory.and_then(LaneHistory::recent), memory.map_or(0, LaneHistory::over));
            match self.lanes.get_mut(index) {
                Some(view) => view.frame = lane,
                None => self.lanes.push(LaneView {
                    frame: lane,
                    curve: Snap::new(Curve { series: Series::new(1, LOSS_BUCKETS), recent: None, over: 0 }),
                    accuracy: Snap::new(Vec::new()),
                }),
            }
            let view = &mut self.lanes[index];
            let (recent, over) = match view.curve.recent {
                Some(said) if !is_said => (Some(said), view.curve.over),
                _ => (recent, over),
            };
            if !losses.is_empty() || view.curve.recent != recent {
                view.curve.change(|curve| {
                    for (offset, loss) in losses.iter().enumerate() {
                        curve.series.push(from + offset, &[loss / energy]);
                    }
                    (curve.recent, curve.over) = (recent, over);
                });
            }
            if let Some(measured) = measured {
                view.accuracy.change(|list| remember(list, measured));
            }
        }
        let old = std::mem::take(&mut self.gates);
        self.gates = frame
            .gates
            .into_iter()
            .map(|gate| {
                let mut time = old
                    .iter()
                    .find(|view| view.frame.lane == gate.lane && view.frame.layer == gate.layer)
                    .map(|view| view.time.clone())
                    .filter(|time| time.width() == gate.experts)
                    .unwrap_or_else(|| Snap::new(Series::new(gate.experts, GATE_BUCKETS)));
                if gate.mean.len() == gate.experts {
                    time.change(|series| series.push(frame.step, &gate.mean));
                }
                GateView { frame: Snap::new(gate), time }
            })
            .collect();
        if let Some(weight) = frame.weight {
            self.weight = Some(Snap::new(weight));
        }
        self.drawing = (!frame.drawing.is_empty()).then(|| Snap::new(frame.drawing));
        self.ranks.push(frame.ranks);
        if !frame.edits.is_empty() {
            self.edits.change(|edits| edits.append(&mut frame.edits));
        }
    }
}

/// A copy without what is large, which no sentence is about.
fn without_tokens(frame: &mut Frame) -> Frame {
    let large: Vec<_> = frame.gates.iter_mut().map(|gate| std::mem::take(&mut gate.tokens)).collect();
    let weight = frame.weight.take();
    let copy = frame.clone();
    frame.gates.iter_mut().zip(large).for_each(|(gate, tokens)| gate.tokens = tokens);
    frame.weight = weight;
    copy
}

/// Cross-entropies beside the curves, in the unit of the curves: bits, of which a nat is 1 / ln 2.
fn in_bits(frame: &mut Frame, bit: f32) {
    if let Some(MergeFrame::Mixture { routed, modes, .. }) = frame.weight.as_mut().map(|weight| &mut weight.merge) {
        *routed /= bit;
        modes.iter_mut().filter_map(|mode| mode.loss.as_mut()).for_each(|loss| *loss /= bit);
    }
    for ablation in frame.gates.iter_mut().filter_map(|gate| gate.ablation.as_mut()) {
        ablation.with.iter_mut().chain(&mut ablation.without).for_each(|loss| *loss /= bit);
    }
    for lane in frame.ranks.cuts.iter_mut().flat_map(|cuts| &mut cuts.lanes) {
        lane.losses.iter_mut().for_each(|(_, loss)| *loss /= bit);
    }
}

/// Keeps a measurement, thinning the old ones evenly when there are too many.
fn remember(list: &mut Vec<Accuracy>, measured: Accuracy) {
    list.retain(|old| old.step < measured.step);
    if list.len() >= ACCURACIES {
        let mut odd = false;
        list.retain(|_| {
            odd = !odd;
            odd
        });
    }
    list.push(measured);
}

#[cfg(test)]
mod tests;
