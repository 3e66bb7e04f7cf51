//! What the view of a personal model is doing, and how everything that happens changes it. Pure: orders are returned as data.

use super::students::CHOSEN;
use super::text::{Chosen, LEAST};
use super::wire::{Bounds, Doing, Order, Plan, Report, Run, Sized, Unlabelled, Way};
use crate::lang::tr;
use crate::task::text::languages::{NEW, OLD};

/// Ranges of what can be chosen.
pub const BUDGET: (f64, f64) = (1.0, 2000.0);
pub const TEMPERATURE: (f64, f64) = (0.5, 8.0);
pub const STEPS: (f64, f64) = (20.0, 400.0);
/// Bytes of a prepared text that are one's own.
pub const OWN: (f64, f64) = (512.0, 6144.0);

/// How far the worker is.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    Preparing(String),
    Ready {
        webgpu: bool,
        name: String,
        milliseconds: f64,
    },
    /// It is of no more use, and why.
    Stopped(String),
}

/// What is being trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    pub number: u32,
    pub doing: Option<Doing>,
    pub done: usize,
    pub of: usize,
    /// Runs that are finished, of so many.
    pub runs: (usize, usize),
    /// It has been asked to stop.
    pub stopping: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub phase: Phase,
    pub students: Vec<Sized>,
    /// The text is one's own, or else prepared.
    pub own: bool,
    /// Language of the prepared text, by its number, and bytes of it that are one's own.
    pub language: usize,
    pub bytes: usize,
    pub text: String,
    /// Of the own text: what the teacher reads beside it.
    pub beside: Option<usize>,
    /// In KB.
    pub budget: f64,
    pub half: bool,
    pub chosen: Vec<bool>,
    pub ways: [bool; 4],
    pub unlabelled: Unlabelled,
    pub temperature: f64,
    pub mix: f64,
    pub steps: usize,
    pub work: Option<Work>,
    pub teacher: Option<Bounds>,
    pub runs: Vec<Run>,
    /// What the runs are of.
    pub trained_on: Option<Chosen>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
    number: u32,
}

/// Anything that happens.
#[derive(Clone, Debug)]
pub enum Msg {
    Own(bool),
    Language(usize),
    Bytes(usize),
    Text(String),
    Beside(Option<usize>),
    Budget(f64),
    Half(bool),
    Student(usize),
    Way(usize),
    Unlabelled(Unlabelled),
    Temperature(f64),
    Mix(f64),
    Steps(usize),
    Train,
    Stop,
    Save(usize),
    /// Train on the GPU, or on the CPU.
    Backend(bool),
    Report(Report),
    /// The worker itself is gone, and why.
    Gone(String),
    Problem(String),
    Dismiss,
}

impl Default for State {
    fn default() -> Self {
        Self {
            phase: Phase::Preparing(tr!("The worker is being started")),
            students: Vec::new(),
            own: false,
            language: 0,
            bytes: 2048,
            text: String::new(),
            beside: None,
            budget: 200.0,
            half: true,
            chosen: Vec::new(),
            ways: [true, true, false, false],
            unlabelled: Unlabelled::None,
            temperature: 1.0,
            mix: 1.0,
            steps: 100,
            work: None,
            teacher: None,
            runs: Vec::new(),
            trained_on: None,
            problem: None,
            number: 0,
        }
    }
}

/// Code of the language of that number: the fifty, then those that the base has read.
pub fn code(language: usize) -> &'static str {
    NEW.iter().chain(&OLD).nth(language).map_or("", |(code, _)| code)
}

impl State {
    pub fn ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }

    pub fn fits(&self, student: usize) -> bool {
        self.students.get(student).is_some_and(|one| one.bytes(self.half) as f64 <= 1000.0 * self.budget)
    }

    /// Students that are chosen and fit.
    pub fn trained(&self) -> Vec<usize> {
        (0..self.students.len()).filter(|&at| self.chosen.get(at) == Some(&true) && self.fits(at)).collect()
    }

    pub fn text(&self) -> Chosen {
        match self.own {
            false => Chosen::Prepared { language: code(self.language).into(), bytes: self.bytes },
            true => Chosen::Own { text: self.text.clone(), language: self.beside.map(|at| code(at).to_owned()) },
        }
    }

    /// What is missing before anything can be trained, in words.
    pub fn missing(&self) -> Option<String> {
        if self.own && self.text.len() < LEAST {
            return Some(tr!(
                "Your text has {} bytes; it takes {LEAST} to train on, to choose by and to hold out.",
                self.text.len(),
                LEAST
            ));
        }
        if self.students.is_empty() {
            return Some(tr!("Files of the students are written first, to measure them."));
        }
        if self.trained().is_empty() {
            return Some(tr!("No student is chosen that fits the budget."));
        }
        (!self.ways.contains(&true)).then(|| tr!("No way of training is chosen."))
    }

    /// Whether there is text beside one's own that the teacher has read.
    pub fn has_public(&self) -> bool {
        !self.own || self.beside.is_some()
    }

    pub fn plan(&self) -> Plan {
        let ways = Way::ALL.into_iter().zip(self.ways).filter(|&(_, on)| on).map(|(way, _)| way).collect();
        let unlabelled = match self.unlabelled {
            Unlabelled::Public if !self.has_public() => Unlabelled::None,
            other => other,
        };
        let (text, students) = (self.text(), self.trained());
        let Self { temperature, mix, steps, half, .. } = *self;
        Plan { text, students, ways, unlabelled, temperature, mix, steps, half }
    }

    fn train(&mut self) -> Vec<Order> {
        if !self.ready() || self.work.is_some() || self.missing().is_some() {
            return vec![];
        }
        self.number += 1;
        let (number, plan) = (self.number, self.plan());
        if self.trained_on.as_ref() != Some(&plan.text) {
            self.runs.clear();
            self.teacher = None;
            self.trained_on = Some(plan.text.clone());
        }
        let runs = (0, plan.students.len() * plan.ways.len());
        self.work = Some(Work { number, doing: None, done: 0, of: 1, runs, stopping: false });
        self.problem = None;
        vec![Order::Train { number, plan }]
    }
}

/// Changes the state and says what is to be ordered.
pub fn update(state: &mut State, msg: Msg) -> Vec<Order> {
    match msg {
        Msg::Own(own) => state.own = own,
        Msg::Language(at) => state.language = at,
        Msg::Bytes(bytes) => state.bytes = bytes,
        Msg::Text(text) => (state.own, state.text) = (true, text),
        Msg::Beside(at) => state.beside = at,
        Msg::Budget(budget) => state.budget = budget,
        Msg::Half(half) => state.half = half,
        Msg::Student(at) => {
            if let Some(on) = state.chosen.get_mut(at) {
                *on = !*on;
            }
        }
        Msg::Way(at) => {
            if let Some(on) = state.ways.get_mut(at) {
                *on = !*on;
            }
        }
        Msg::Unlabelled(unlabelled) => state.unlabelled = unlabelled,
        Msg::Temperature(temperature) => state.temperature = temperature,
        Msg::Mix(mix) => state.mix = mix,
        Msg::Steps(steps) => state.steps = steps,
        Msg::Train => return state.train(),
        Msg::Stop => {
            if let Some(work) = &mut state.work {
                work.stopping = true;
                return vec![Order::Stop];
            }
        }
        Msg::Save(run) => return vec![Order::Save { run }],
        Msg::Backend(webgpu) => {
            state.phase = Phase::Preparing(tr!("Being made ready"));
            return vec![Order::Load { webgpu: Some(webgpu) }];
        }
        Msg::Problem(problem) => state.problem = Some(problem),
        Msg::Dismiss => state.problem = None,
        Msg::Gone(reason) => {
            state.phase = Phase::Stopped(reason);
            state.work = None;
        }
        Msg::Report(report) => return report_came(state, report),
    }
    vec![]
}

fn report_came(state: &mut State, report: Report) -> Vec<Order> {
    let current = |number: u32| state.work.as_ref().is_some_and(|work| work.number == number);
    match report {
        Report::Listening => return vec![Order::Load { webgpu: None }],
        Report::Preparing(what) => state.phase = Phase::Preparing(what),
        Report::Ready { webgpu, name, students, milliseconds } => {
            if state.chosen.len() != students.len() {
                state.chosen = (0..students.len()).map(|at| CHOSEN.contains(&at)).collect();
            }
            state.students = students;
            state.phase = Phase::Ready { webgpu, name, milliseconds };
        }
        Report::At { number, doing, done, of } if current(number) => {
            if let Some(work) = &mut state.work {
                (work.doing, work.done, work.of) = (Some(doing), done, of);
            }
        }
        Report::Taught { number, teacher } if current(number) => state.teacher = Some(teacher),
        Report::Ran { number, run } if current(number) => {
            if let Some(work) = &mut state.work {
                work.runs.0 += 1;
            }
            state.runs.push(*run);
        }
        Report::Done { number } if current(number) => state.work = None,
        // Of work that was given up.
        Report::At { .. } | Report::Taught { .. } | Report::Ran { .. } | Report::Done { .. } | Report::Given => {}
        Report::Failed { number, problem } => {
            state.problem = Some(problem);
            if number.is_some_and(current) {
                state.work = None;
            }
            if number.is_none() && !state.ready() {
                state.phase = Phase::Stopped(tr!("what it needs could not be loaded"));
            }
        }
        Report::Crashed(reason) => return update(state, Msg::Gone(reason)),
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(half: usize) -> Sized {
        Sized { name: format!("of {half}"), parameters: half / 2, half, full: 2 * half, peft: true }
    }

    fn ready() -> State {
        let mut state = State::default();
        assert_eq!(update(&mut state, Msg::Report(Report::Listening)), [Order::Load { webgpu: None }]);
        let students = vec![sized(20_000), sized(60_000), sized(130_000), sized(270_000)];
        let report = Report::Ready { webgpu: false, name: String::new(), students, milliseconds: 1.0 };
        update(&mut state, Msg::Report(report));
        state
    }

    #[test]
    fn what_is_over_the_budget_is_not_trained() {
        let mut state = ready();
        assert_eq!(state.trained(), CHOSEN);
        update(&mut state, Msg::Student(3));
        assert_eq!(state.trained(), CHOSEN);
        update(&mut state, Msg::Budget(300.0));
        assert_eq!(state.trained(), [0, 2, 3]);
        // The same numbers in twice the bytes.
        update(&mut state, Msg::Half(false));
        assert_eq!(state.trained(), [0, 2]);
        update(&mut state, Msg::Budget(10.0));
        assert!(state.missing().is_some_and(|what| what.contains("fits the budget")));
        assert_eq!(update(&mut state, Msg::Train), []);
    }

    #[test]
    fn runs_are_of_one_text() {
        let mut state = ready();
        let orders = update(&mut state, Msg::Train);
        let [Order::Train { number: 1, plan }] = &orders[..] else { panic!("{orders:?}") };
        assert_eq!((plan.students.len(), plan.ways.len()), (2, 2));
        // Nothing else begins while it runs.
        assert_eq!(update(&mut state, Msg::Train), []);
        let bounds = Bounds { base: 4.7, base_english: 2.7, teacher: 2.6, teacher_english: 4.3, seconds: 1.0 };
        let run = Run {
            id: 0,
            student: 0,
            name: "of 20000".into(),
            way: Way::Plain,
            unlabelled: Unlabelled::None,
            temperature: 1.0,
            mix: 1.0,
            kept: 50,
            steps: 100,
            bits: 3.7,
            english: 5.0,
            bounds,
            files: Vec::new(),
            bytes: 20_000,
            reread: 3.7,
            seconds: 2.0,
            memory: 1,
            script: false,
        };
        update(&mut state, Msg::Report(Report::Ran { number: 1, run: Box::new(run.clone()) }));
        assert_eq!(state.work.as_ref().unwrap().runs, (1, 4));
        assert_eq!(update(&mut state, Msg::Stop), [Order::Stop]);
        update(&mut state, Msg::Report(Report::Done { number: 1 }));
        assert_eq!((state.work.clone(), state.runs.len()), (None, 1));
        // What comes of work that was given up is not taken in.
        update(&mut state, Msg::Report(Report::Ran { number: 1, run: Box::new(run) }));
        assert_eq!(state.runs.len(), 1);
        update(&mut state, Msg::Train);
        assert_eq!(state.runs.len(), 1);
        update(&mut state, Msg::Report(Report::Done { number: 2 }));
        update(&mut state, Msg::Language(3));
        assert_eq!(state.runs.len(), 1);
        update(&mut state, Msg::Train);
        assert!(state.runs.is_empty());
    }

    #[test]
    fn a_short_text_is_said_before_anything_is_ordered() {
        let mut state = ready();
        update(&mut state, Msg::Text("Hello".into()));
        assert!(state.own && state.missing().is_some_and(|what| what.contains("5 bytes") && what.contains("600")));
        assert_eq!(update(&mut state, Msg::Train), []);
        update(&mut state, Msg::Text("a".repeat(700)));
        assert_eq!(state.missing(), None);
        // There is no public text to read without labels.
        update(&mut state, Msg::Unlabelled(Unlabelled::Public));
        assert_eq!(state.plan().unlabelled, Unlabelled::None);
        update(&mut state, Msg::Beside(Some(0)));
        assert_eq!(state.plan().unlabelled, Unlabelled::Public);
    }

    #[test]
    fn what_fails_ends_its_work_alone() {
        let mut state = ready();
        update(&mut state, Msg::Train);
        update(&mut state, Msg::Report(Report::Failed { number: Some(1), problem: "no".into() }));
        assert!(state.work.is_none() && state.ready() && state.problem.as_deref() == Some("no"));
        let mut state = State::default();
        update(&mut state, Msg::Report(Report::Failed { number: None, problem: "no".into() }));
        assert!(matches!(state.phase, Phase::Stopped(_)));
    }
}
