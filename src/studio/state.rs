//! What the studio is doing and how everything that happens changes it: a queue of jobs, one running, each in parts that
//! the worker is ordered to do one by one. Pure: effects are returned as data.

use std::collections::VecDeque;
use std::rc::Rc;

use super::record::Record;
use super::sweep::{Plan, Swept};
use super::wire::{Order, Report};
use crate::config::Config;
use crate::experiments::{Experiment, Progress, Prose, SEEDS, Verdict, Where};
use crate::lang::tr;

/// The studio.
#[derive(Clone)]
pub struct State {
    pub experiments: Rc<[Experiment]>,
    /// What is said of them, or why it cannot be read; `None` until it is there.
    pub prose: Option<Result<Rc<Prose>, String>>,
    /// What was measured before, by experiment: on the CPU, by `cargo xtask experiments`. Empty until it is there.
    pub recorded: Rc<[Option<Record>]>,
    /// The GPU's name or why there is none; `None` until the worker has said.
    pub gpu: Option<Result<String, String>>,
    /// What the person chose; until then WebGPU where there is a GPU.
    chosen: Option<bool>,
    queue: VecDeque<Job>,
    pub running: Option<Running>,
    /// By experiment.
    pub records: Vec<Option<Record>>,
    pub swept: Option<Swept>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
    /// The worker cannot be had: nothing more can be measured until there is another.
    pub stopped: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Job {
    /// The experiment of this index.
    Claim(usize),
    Sweep(Box<Plan>, Vec<Config>),
}

/// The job under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    job: Job,
    webgpu: bool,
    /// Parts done; a claim's are its seeds, a sweep's its runs.
    pub part: usize,
    pub parts: usize,
    pub progress: Progress,
    began: f64,
    values: Vec<Vec<f64>>,
    place: Where,
}

/// What is said of the experiments, and their records.
pub type Told = (Rc<Prose>, Rc<[Option<Record>]>);

/// Anything that happens.
#[derive(Clone, Debug)]
pub enum Msg {
    /// Run on WebGPU, or on the CPU.
    Backend(bool),
    /// Measure these experiments, in this order.
    Measure(Vec<usize>),
    Sweep(Box<Plan>),
    Cancel,
    Report(Report),
    Prose(Result<Told, String>),
    /// The worker itself is gone, and why.
    Gone(String),
    Dismiss,
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Send(Order),
    /// End the worker with whatever it is doing, and start another.
    Renew,
    /// The records have changed.
    Keep,
}

impl State {
    pub fn new(experiments: Rc<[Experiment]>, mut records: Vec<Option<Record>>) -> Self {
        records.resize(experiments.len(), None);
        Self {
            experiments,
            prose: None,
            recorded: Rc::new([]),
            gpu: None,
            chosen: None,
            queue: VecDeque::new(),
            running: None,
            records,
            swept: None,
            problem: None,
            stopped: false,
        }
    }

    /// Whether the next job runs on WebGPU.
    pub fn webgpu(&self) -> bool {
        let there = matches!(self.gpu, Some(Ok(_)));
        there && self.chosen.unwrap_or(true)
    }

    pub fn busy(&self) -> bool {
        self.running.is_some()
    }

    /// An experiment's title, or its name as long as nothing is said of it.
    pub fn title(&self, index: usize) -> &str {
        let experiment = &self.experiments[index];
        match &self.prose {
            Some(Ok(prose)) => &prose[experiment].title,
            _ => experiment.id,
        }
    }

    /// The experiment being measured.
    pub fn measuring(&self) -> Option<usize> {
        self.running.as_ref().and_then(Running::claim)
    }

    pub fn sweeping(&self) -> bool {
        self.running.as_ref().is_some_and(|running| matches!(running.job, Job::Sweep(..)))
    }

    pub fn queued(&self, index: usize) -> bool {
        self.queue.contains(&Job::Claim(index))
    }

    /// Experiments waiting.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The record to be shown: of the running measurement once a seed is done, else the last one.
    pub fn record(&self, index: usize) -> Option<Record> {
        let running = self.running.as_ref().filter(|running| running.claim() == Some(index) && running.part > 0);
        let partial = running.map(|r| Record { place: r.place.clone(), seconds: 0.0, seeds: r.values.clone() });
        partial.or_else(|| self.records[index].clone())
    }

    /// What was recorded of it.
    pub fn recorded(&self, index: usize) -> Option<&Record> {
        self.recorded.get(index)?.as_ref()
    }

    /// How it stands: as it was measured here, else as it was recorded.
    pub fn verdict(&self, index: usize) -> Option<Verdict> {
        let record = self.records[index].as_ref().or(self.recorded(index))?;
        Some(record.outcome(&self.experiments[index]).verdict())
    }

    /// Begin the next job, unless one runs or the worker is not ready.
    fn next(&mut self, now: f64) -> Vec<Effect> {
        if self.running.is_some() || self.gpu.is_none() {
            return vec![];
        }
        let Some(job) = self.queue.pop_front() else { return vec![] };
        let parts = match &job {
            Job::Claim(_) => SEEDS.len(),
            Job::Sweep(_, runs) => runs.len(),
        };
        if let Job::Sweep(plan, _) = &job {
            self.swept =
                Some(Swept { plan: Plan::clone(plan), place: Where::Nowhere, seconds: 0.0, losses: Vec::new() });
        }
        let running = Running {
            job,
            webgpu: self.webgpu(),
            part: 0,
            parts,
            progress: Progress::default(),
            began: now,
            values: Vec::new(),
            place: Where::Nowhere,
        };
        let order = self.order(&running);
        self.running = Some(running);
        vec![Effect::Send(order)]
    }

    fn order(&self, running: &Running) -> Order {
        let webgpu = running.webgpu;
        match &running.job {
            Job::Claim(index) => {
                let id = self.experiments[*index].id.to_owned();
                Order::Measure { id, seed: SEEDS[running.part], webgpu }
            }
            Job::Sweep(_, runs) => Order::Train { config: Box::new(runs[running.part].clone()), webgpu },
        }
    }

    /// One part of the running job is done.
    fn measured(&mut self, values: Vec<f64>, place: Where, now: f64) -> Vec<Effect> {
        let Some(mut running) = self.running.take() else { return vec![] };
        running.part += 1;
        running.progress = Progress::default();
        running.place = place.clone();
        let seconds = (now - running.began) / 1000.0;
        if let (Job::Sweep(..), Some(swept)) = (&running.job, &mut self.swept) {
            swept.losses.push(values.first().copied().unwrap_or(f64::NAN));
            swept.place = place.clone();
            swept.seconds = seconds;
        }
        running.values.push(values);
        if running.part < running.parts {
            let order = self.order(&running);
            self.running = Some(running);
            return vec![Effect::Send(order)];
        }
        let mut effects = Vec::new();
        if let Job::Claim(index) = running.job {
            self.records[index] = Some(Record { place, seconds, seeds: running.values });
            effects.push(Effect::Keep);
        }
        effects.extend(self.next(now));
        effects
    }

    /// What was asked for and is not done is dropped, since it would most likely fail alike.
    fn stop(&mut self) -> Option<Running> {
        self.queue.clear();
        self.running.take()
    }

    fn failed(&mut self, message: &str) {
        let waiting = self.queue.len();
        let what = match self.stop().map(|running| running.job) {
            Some(Job::Claim(index)) => tr!("“{}” could not be measured", self.title(index)),
            Some(Job::Sweep(..)) => tr!("The sweep stopped"),
            None => tr!("The worker failed"),
        };
        let rest = if waiting > 0 { tr!(" What was waiting behind it is not run.") } else { String::new() };
        self.problem = Some(format!("{what}: {}.{rest}", message.trim_end_matches('.')));
    }
}

impl Running {
    fn claim(&self) -> Option<usize> {
        match self.job {
            Job::Claim(index) => Some(index),
            Job::Sweep(..) => None,
        }
    }

    /// How much of the job is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        let Progress { done, expected } = self.progress;
        let part = if expected > 0 { done as f64 / expected as f64 } else { 0.0 };
        (self.part as f64 + part) / self.parts.max(1) as f64
    }
}

/// Changes the state; `now` in milliseconds.
pub fn update(state: &mut State, msg: Msg, now: f64) -> Vec<Effect> {
    match msg {
        Msg::Backend(webgpu) => {
            state.chosen = Some(webgpu);
            vec![]
        }
        Msg::Measure(indices) => {
            state.problem = None;
            for index in indices {
                if state.measuring() != Some(index) && !state.queued(index) && index < state.experiments.len() {
                    state.queue.push_back(Job::Claim(index));
                }
            }
            state.next(now)
        }
        Msg::Sweep(plan) => {
            state.problem = None;
            match plan.runs() {
                Ok(runs) => {
                    state.queue.push_back(Job::Sweep(plan, runs));
                    state.next(now)
                }
                Err(message) => {
                    state.problem = Some(message);
                    vec![]
                }
            }
        }
        Msg::Cancel => {
            let running = state.stop();
            if running.is_none() {
                return vec![];
            }
            // Until the new worker says so, it is not ready.
            state.gpu = None;
            vec![Effect::Renew]
        }
        Msg::Prose(prose) => {
            state.prose = Some(prose.map(|(prose, recorded)| {
                state.recorded = recorded;
                prose
            }));
            vec![]
        }
        Msg::Report(Report::Ready(gpu)) => {
            state.gpu = Some(gpu);
            state.next(now)
        }
        Msg::Report(Report::Progress(progress)) => {
            if let Some(running) = &mut state.running {
                running.progress = progress;
            }
            vec![]
        }
        Msg::Report(Report::Measured { values, place }) => state.measured(values, place, now),
        Msg::Report(Report::Failed(message)) => {
            state.failed(&message);
            vec![]
        }
        // One that never was ready would crash again at once, for ever.
        Msg::Report(Report::Crashed(message)) if state.gpu.is_some() => {
            state.failed(&message);
            state.gpu = None;
            vec![Effect::Renew]
        }
        Msg::Gone(reason) | Msg::Report(Report::Crashed(reason)) => {
            state.stop();
            state.gpu = None;
            state.stopped = true;
            let reason = reason.trim_end_matches('.');
            let message =
                tr!("The worker that measures has stopped: {reason}. Opening this view again starts another.", reason);
            state.problem = Some(message);
            vec![]
        }
        Msg::Dismiss => {
            state.problem = None;
            vec![]
        }
    }
}
