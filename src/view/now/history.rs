//! What is remembered of one lane between frames, so that a sentence can say that something has changed. Bounded:
//! it does not grow with the run.

use std::collections::VecDeque;

use crate::lang::marked;
use crate::{
    config::Lane,
    protocol::{Accuracy, Frame, LaneFrame},
};

/// Steps in each of the two windows whose means are compared.
pub const WINDOW: usize = 50;
/// Losses taken just before and just after a change of rank: few, because training goes on and soon hides it.
const AROUND: usize = 10;
/// A gate below which an expert that no token prefers is called unused.
pub const UNUSED: f32 = 0.01;

/// Incremental memory of one lane; a new one for every run.
#[derive(Clone, Debug)]
pub struct LaneHistory {
    energy: f64,
    /// Steps whose losses have been taken in.
    seen: usize,
    /// The last two windows of losses, as shares of the target's energy; begun anew when the size changes.
    losses: VecDeque<f64>,
    lane: Option<Lane>,
    frames: usize,
    /// Steps that were done when the lane last changed other than by training.
    since: usize,
    /// Its loss as it is now, where no step has told it since it was changed.
    measured: Option<f64>,
    pub change: Option<SizeChange>,
    /// First and latest accuracy of this run.
    pub first: Option<Accuracy>,
    pub latest: Option<Accuracy>,
    experts: Vec<Expert>,
}

/// Rank or number of experts, changed on the trained lane.
#[derive(Clone, Debug, PartialEq)]
pub struct SizeChange {
    pub step: usize,
    /// "rank" or "number of experts".
    pub what: &'static str,
    pub from: usize,
    pub to: usize,
    /// The frame that told of it: of several at one step the latest.
    pub frame: usize,
    before: Vec<f64>,
    after: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Expert {
    layer: usize,
    expert: usize,
    was_used: bool,
    unused_since: Option<usize>,
}

/// An expert that no probe token prefers and whose mean gate is below `UNUSED`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unused {
    pub layer: usize,
    pub expert: usize,
    /// Step at which it was first seen so.
    pub since: usize,
    /// It was in use earlier in this run.
    pub was_used: bool,
}

impl LaneHistory {
    /// `energy` as in `Started`: what a loss is divided by to become a share.
    pub fn new(energy: f32) -> Self {
        Self {
            energy: f64::from(energy),
            seen: 0,
            losses: VecDeque::with_capacity(2 * WINDOW),
            lane: None,
            frames: 0,
            since: 0,
            measured: None,
            change: None,
            first: None,
            latest: None,
            experts: Vec::new(),
        }
    }

    /// Takes in lane `index` of the next frame.
    pub fn push(&mut self, frame: &Frame, index: usize) {
        let Some(lane) = frame.lanes.get(index) else {
            return;
        };
        if let Some(accuracy) = &lane.accuracy {
            self.first.get_or_insert_with(|| accuracy.clone());
            self.latest = Some(accuracy.clone());
        }
        self.frames += 1;
        self.note_change(lane);
        let before = std::mem::replace(&mut self.measured, lane.measured.map(|loss| f64::from(loss) / self.energy));
        if let Some(change) = self.change.as_mut().filter(|_| before.is_some() || self.measured.is_some()) {
            // Once there are steps, they tell.
            change.after = self.measured.map_or(Vec::new(), |loss| vec![loss; AROUND]);
        }
        self.take_losses(lane);
        self.take_gates(frame, index);
    }

    /// Mean share over the last `over` steps since the lane last changed; what was measured where there are none.
    pub fn recent(&self) -> Option<f64> {
        self.measured.or_else(|| mean(self.losses.iter().rev().take(self.over())))
    }

    /// The steps that `recent` is a mean of: `WINDOW`, and at first the later half of those there are, since a mean of all
    /// would lag far behind a loss that falls. None of a lane that was measured at rest.
    pub fn over(&self) -> usize {
        if self.measured.is_some() {
            return 0;
        }
        let half = (self.losses.len() / 2).clamp(AROUND, WINDOW);
        half.min(self.losses.len())
    }

    /// Mean share over the `WINDOW` steps before those of `recent`, once there are as many.
    pub fn earlier(&self) -> Option<f64> {
        (self.losses.len() == 2 * WINDOW).then(|| mean(self.losses.iter().take(WINDOW))).flatten()
    }

    /// Experts out of use in the latest frame.
    pub fn unused(&self) -> impl Iterator<Item = Unused> + '_ {
        self.experts.iter().filter_map(|one| {
            one.unused_since.map(|since| Unused { layer: one.layer, expert: one.expert, since, was_used: one.was_used })
        })
    }

    fn note_change(&mut self, frame: &LaneFrame) {
        let mut change = self.lane.as_ref().and_then(|old| size_change(old, &frame.lane, frame.since));
        self.lane = Some(frame.lane.clone());
        if let Some(change) = &mut change {
            // At rest what was shown before is held against what is measured now, on the same data.
            let around = if frame.measured.is_some() { WINDOW } else { AROUND };
            let kept = self.losses.len().saturating_sub(around);
            let last = || self.losses.iter().skip(kept).copied().collect();
            change.frame = self.frames;
            change.before = self.measured.map_or_else(last, |loss| vec![loss; AROUND]);
            // A slider that is drawn changes the size many times on its way: it is one change.
            let is_fresh = |first: &SizeChange| self.measured.is_some() || first.after.len() < AROUND;
            let same =
                |first: &SizeChange| first.what == change.what && (first.to > first.from) == (change.to > change.from);
            if let Some(first) = self.change.take().filter(|first| same(first) && is_fresh(first)) {
                (change.from, change.before) = (first.from, first.before);
            }
            self.experts.clear();
            self.change = Some(change.clone());
        }
        if std::mem::replace(&mut self.since, frame.since) != frame.since || change.is_some() {
            self.losses.clear();
        }
    }

    fn take_losses(&mut self, lane: &LaneFrame) {
        // A run that went back to a snapshot: what is remembered belongs to steps that are done again.
        if lane.losses_from != self.seen && !lane.losses.is_empty() {
            self.losses.clear();
            self.change = None;
        }
        if !lane.losses.is_empty() {
            self.seen = lane.losses_from + lane.losses.len();
        }
        // Of one frame's losses those before a change are of another lane.
        for &loss in lane.losses.iter().skip(self.since.saturating_sub(lane.losses_from)) {
            let share = f64::from(loss) / self.energy;
            if self.losses.len() == 2 * WINDOW {
                self.losses.pop_front();
            }
            self.losses.push_back(share);
            if let Some(change) = &mut self.change
                && change.after.len() < AROUND
            {
                change.after.push(share);
            }
        }
    }

    fn take_gates(&mut self, frame: &Frame, index: usize) {
        for gate in frame.gates.iter().filter(|gate| gate.lane == index) {
            // With an expert switched off by hand the gates shown are not the lane's own.
            if gate.ablation.is_some() {
                continue;
            }
            for (expert, (&mean, &used)) in gate.mean.iter().zip(&gate.utilisation).enumerate() {
                let at = self
                    .experts
                    .iter()
                    .position(|one| one.layer == gate.layer && one.expert == expert)
                    .unwrap_or_else(|| {
                        self.experts.push(Expert { layer: gate.layer, expert, was_used: false, unused_since: None });
                        self.experts.len() - 1
                    });
                let known = &mut self.experts[at];
                if used == 0.0 && mean < UNUSED {
                    known.unused_since.get_or_insert(frame.step);
                } else {
                    known.was_used = true;
                    known.unused_since = None;
                }
            }
        }
    }
}

impl SizeChange {
    /// Mean losses just before and just after, and the difference that chance between batches could make (two
    /// standard errors). `None` until there are enough of both.
    pub fn effect(&self) -> Option<(f64, f64, f64)> {
        if self.before.len() < AROUND || self.after.len() < AROUND / 2 {
            return None;
        }
        let (before, after) = (mean(&self.before)?, mean(&self.after)?);
        let error = |values: &[f64], mean: f64| {
            let n = values.len() as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            squares / (n - 1.0) / n
        };
        let chance = 2.0 * (error(&self.before, before) + error(&self.after, after)).sqrt();
        Some((before, after, chance))
    }
}

fn size_change(old: &Lane, new: &Lane, step: usize) -> Option<SizeChange> {
    if !std::ptr::eq(old.method, new.method) {
        return None;
    }
    let named = [("rank", marked!("rank")), ("experts", marked!("number of experts"))];
    let (what, from, to) = named.into_iter().find_map(|(key, what)| {
        let (from, to) = (old.settings.maybe_whole(key)?, new.settings.maybe_whole(key)?);
        (from != to).then_some((what, from, to))
    })?;
    Some(SizeChange { step, what, from, to, frame: 0, before: Vec::new(), after: Vec::new() })
}

fn mean<'a>(values: impl IntoIterator<Item = &'a f64>) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values {
        sum += value;
        n += 1.0;
    }
    (n > 0.0).then_some(sum / n)
}
