//! One run as it goes: submissions, readbacks, frames, snapshots. Training never waits for display: the next steps are
//! submitted before a readback is awaited.

use std::collections::VecDeque;

use super::Transport;
use super::frame::{self, Display};
use super::ranks;
use super::readback::Readback;
use super::reading::Reading;
use super::state::{Becoming, State};
use crate::clock;
use crate::config::{Edit, What};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::files::Dtype;
use crate::lab::python::loader;
use crate::lab::{Lab, Snapshot, export};
use crate::lang::{marked, said, tr};
use crate::protocol::{Event, Started};
use crate::task::Images;
use crate::task::text::{Texts, Tokenizer};

/// Milliseconds between frames, at least.
const FRAME: f64 = 90.0;
/// A frame's computation takes at most one part in this many of the time.
const SHARE: f64 = 4.0;
/// Where steps are slow, a frame waits for this many of them, though not longer than so many milliseconds: what is
/// computed and drawn for it is taken from training.
const STEPS: usize = 4;
const PATIENCE: f64 = 250.0;
/// Milliseconds between snapshots for a device that may be lost.
const SNAPSHOT: f64 = 2000.0;
/// Devices lost twice within this many milliseconds are given up.
const AGAIN: f64 = 30_000.0;
/// Batches that a lane changed at rest is measured on: as many as the page's mean loss is of. Of a language model fewer.
const BATCHES: usize = 50;
const FEW_BATCHES: usize = 4;
/// Speed is measured over this many milliseconds.
const WINDOW: f64 = 1000.0;

/// Why a run that had a GPU trains on the CPU.
pub const GPU_LOST: &str = marked!("the GPU stopped answering; reload the page to try it again");

/// Lab and display of one run.
pub struct Run {
    pub lab: Lab,
    display: Display,
    /// What is read and written, of a language model.
    reading: Option<Reading>,
    fallback: Option<String>,
    /// What was changed since the last frame.
    edits: Vec<Edit>,
    next_frame: f64,
    /// When the submission now awaited began to be worked on.
    mark: f64,
    /// Time and step of recent frames.
    recent: VecDeque<(f64, usize)>,
    snapshot: Option<Snapshot>,
    /// Waits for its steps' losses.
    candidate: Option<Snapshot>,
    next_snapshot: f64,
    lost: Option<f64>,
}

impl Run {
    pub fn new(lab: Lab, images: Option<Images>, texts: Option<(Texts, Tokenizer)>, fallback: Option<String>) -> Self {
        Self {
            display: Display::new(&lab, images),
            reading: texts.map(|(texts, tokenizer)| Reading::new(&lab, texts, tokenizer)),
            lab,
            fallback,
            edits: Vec::new(),
            next_frame: 0.0,
            mark: clock::now(),
            recent: VecDeque::new(),
            snapshot: None,
            candidate: None,
            next_snapshot: 0.0,
            lost: None,
        }
    }

    pub fn started(&self) -> Started {
        let text = self.reading.as_ref().map(|reading| reading.info(&self.lab));
        Started { text, ..frame::started(&self.lab, self.fallback.clone()) }
    }

    /// For who has not heard of it from its beginning.
    pub fn again(&self) -> Event {
        let losses = (0..self.lab.lane_count()).map(|lane| self.lab.losses(lane).iter().map(|&l| l as f32).collect());
        Event::Again { started: Box::new(self.started()), losses: losses.collect() }
    }

    /// Whether there is text to be read or written.
    pub fn reads(&self, state: &State) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.wants(&self.lab, state))
    }

    pub fn in_flight(&self) -> bool {
        self.lab.in_flight() > 0
    }

    /// Some training, and a frame if it is time for one.
    pub async fn turn(&mut self, state: &mut State, transport: &mut impl Transport) -> Result<()> {
        let now = clock::now();
        let gpu = self.lab.backend() == "webgpu";
        // At rest every change is shown, once all losses are there. What this turn itself changes comes later.
        let rest = !state.training();
        let due = match rest {
            true => state.stale() && !state.stepping() && !self.in_flight(),
            // A frame waits a little for a moment that tells all there is to tell.
            false => {
                now >= self.next_frame
                    && self.is_news(now)
                    && (ranks::settled(&self.lab) || now >= self.next_frame + FRAME)
            }
        };
        let readback = due.then(|| (self.lab.step(), self.lab.parameters()));
        let snapshot = (due && gpu && now >= self.next_snapshot).then(|| self.lab.snapshot());

        let steps = if self.lab.in_flight() < 2 { state.allowance(now, self.chunk()) } else { 0 };
        let steps = ranks::settling(&self.lab, steps);
        if steps > 0 {
            if !self.in_flight() {
                self.mark = now;
            }
            let made = self.lab.submit(steps)?;
            state.advance(made);
        }
        // The GPU works on one submission while the next waits; the CPU is done already.
        let full = self.lab.in_flight() >= 2 || steps == 0 || !gpu;
        if full && self.in_flight() {
            let done = self.lab.collect().await?;
            let at = clock::now();
            self.lab.note_pace(done, at - std::mem::replace(&mut self.mark, at));
        }
        if let Some((step, reading)) = readback {
            let readback = Readback { step, params: reading.await? };
            if let Some(snapshot) = snapshot {
                self.candidate = Some(snapshot.await?);
                self.next_snapshot = now + SNAPSHOT;
            }
            if rest {
                self.measure().await?;
                self.recent.clear();
                state.shown();
            }
            self.show(&readback, state, transport);
        }
        self.keep();
        if let Some(reading) = &mut self.reading {
            reading.turn(&mut self.lab, state, transport).await?;
        }
        if steps == 0 && !self.in_flight() && state.training() {
            transport.sleep(state.wait().clamp(1.0, 16.0) as u32).await;
        } else if !gpu {
            transport.sleep(0).await;
        }
        Ok(())
    }

    /// The losses of lanes that were changed at rest, which no step tells.
    async fn measure(&mut self) -> Result<()> {
        let most = if self.lab.task.spare > 0 { FEW_BATCHES } else { BATCHES };
        for lane in 0..self.lab.lane_count() {
            if self.display.measured[lane].is_none() && frame::unmeasured(&self.lab, lane) {
                self.display.measured[lane] = Some(self.lab.measure(lane, most).await? as f32);
            }
        }
        Ok(())
    }

    /// There is something to see since the last frame.
    fn is_news(&self, now: f64) -> bool {
        let (at, step) = self.recent.back().copied().unwrap_or((f64::NEG_INFINITY, 0));
        self.lab.step() >= step + STEPS || now - at >= PATIENCE
    }

    /// Steps of one submission. On the CPU nothing else happens meanwhile, so there it is shorter.
    fn chunk(&self) -> usize {
        match self.lab.backend() {
            "webgpu" => self.lab.pace(),
            _ => (self.lab.pace() / 2).max(1),
        }
    }

    fn show(&mut self, readback: &Readback, state: &State, transport: &mut impl Transport) {
        let begun = clock::now();
        self.recent.push_back((begun, readback.step));
        while self.recent.len() > 2 && begun - self.recent[1].0 > WINDOW {
            self.recent.pop_front();
        }
        let (from, first) = self.recent[0];
        let speed = if begun > from { (readback.step - first) as f64 * 1e3 / (begun - from) } else { 0.0 };
        let mut frame = self.display.frame(&self.lab, state, readback, speed as f32);
        frame.edits = std::mem::take(&mut self.edits);
        transport.emit(Event::Frame(Box::new(frame)));
        self.next_frame = begun + (SHARE * (clock::now() - begun)).max(FRAME);
    }

    /// A snapshot is good once the losses of all its steps have come.
    fn keep(&mut self) {
        let complete = |snapshot: &mut Snapshot| {
            let has = |l: usize| self.lab.diverged(l).is_some() || self.lab.losses(l).len() >= snapshot.step;
            (0..self.lab.lane_count()).all(has)
        };
        if let Some(snapshot) = self.candidate.take_if(complete) {
            self.snapshot = Some(snapshot);
        }
    }

    #[cfg(test)]
    pub fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Makes a lane what it can become in mid-training.
    ///
    /// # Errors
    /// As [`Lab::set_rank`] and [`Lab::tune`].
    pub async fn change(&mut self, lane: usize, to: Becoming) -> Result<()> {
        self.lab.check_lane(lane)?;
        let old = self.lab.lane(lane);
        match to {
            Becoming::Lane(to) if !old.tunes_to(&to) && old.becomes(&to) => {
                let rank = to.size().map_or(0, |(_, rank)| rank);
                self.lab.set_rank(lane, rank).await?;
            }
            Becoming::Lane(to) => self.lab.tune(lane, to).await?,
            Becoming::Rank(rank) => self.lab.set_rank(lane, rank).await?,
        }
        self.note(lane, What::Lane(self.lab.lane(lane).clone()));
        self.display.set_lane(&self.lab, lane);
        // An older one would bring the old rank back.
        self.candidate = None;
        self.snapshot = Some(self.lab.snapshot().await?);
        Ok(())
    }

    /// Remember a change for those who repeat the run.
    pub fn note(&mut self, lane: usize, what: What) {
        self.edits.push(Edit { step: self.lab.step(), lane, what });
    }

    /// A lane as files by name: its adapter, or a language model with it merged in.
    pub async fn files(&self, lane: usize, merged: bool) -> Result<Vec<(String, Vec<u8>)>> {
        match merged {
            false => {
                let mut files = export::files(&self.lab, lane, Dtype::F32).await?;
                files.extend(loader(&self.lab, lane));
                Ok(files)
            }
            true => Ok(vec![("model.safetensors".into(), export::merged_model(&self.lab, lane).await?)]),
        }
    }

    /// Go on from the last snapshot on a fresh device, or on the CPU where there is none or it was lost just before.
    /// Says what happened.
    ///
    /// # Errors
    /// `Error::DeviceLost` if there is no snapshot to go on from.
    pub async fn revive(&mut self, error: &Error) -> Result<String> {
        let Some(snapshot) = self.snapshot.clone() else {
            return Err(Error::DeviceLost(tr!("{error}; nothing was saved yet, start the run again", error)));
        };
        let now = clock::now();
        let again = self.lost.replace(now).is_some_and(|before| now - before < AGAIN);
        let device = if again { None } else { Device::open().await.ok() };
        let mut message = tr!("The GPU was lost; training resumed from step");
        let restored = match device {
            Some(device) => self.lab.restore(Some(device), &snapshot),
            None => Err(error.clone()),
        };
        if restored.is_err() {
            self.lab.restore(None, &snapshot)?;
            self.fallback = Some(said(GPU_LOST));
            message = tr!("The GPU was lost and could not be had again; training resumed on the CPU from step");
        }
        self.candidate = None;
        self.recent.clear();
        self.display.rewind(&self.lab, snapshot.step);
        Ok(format!("{message} {}.", snapshot.step))
    }
}
