//! Where a visitor stands in a lesson, and how what the lab tells changes that: the run is brought to the step, the question is
//! asked, the answer waits for the run's number. Pure; actions are returned as data.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::data::{Lesson, Step};
use super::script;
use crate::config::Config;
use crate::view::action::Action;
use crate::view::run::Run;

/// What a visitor foretold; nothing where the answer was only asked for.
pub type Guess = Option<f64>;

#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// The run is on its way to where the step begins.
    Coming {
        until: usize,
    },
    /// It is there: a question waits, or there is none.
    There,
    /// Answered; the run goes on to the step that tells, past so many changes.
    Going {
        guess: Guess,
        at: usize,
        edits: usize,
    },
    Told {
        guess: Guess,
        measured: f64,
    },
}

#[derive(Clone, Debug)]
pub struct Course {
    pub id: String,
    pub lesson: Rc<Lesson>,
    /// The step, counted from 0.
    pub at: usize,
    pub phase: Phase,
    /// The step's numbers as this run gives them, taken before the question; the lesson's own until then.
    pub numbers: BTreeMap<String, f64>,
    /// The same when the answer is told.
    pub told: BTreeMap<String, f64>,
}

impl Course {
    /// A lesson from this step on, its run set.
    pub fn open(id: &str, lesson: Rc<Lesson>, at: usize) -> (Self, Vec<Action>) {
        let at = at.min(lesson.steps.len().saturating_sub(1));
        let mut course =
            Self { id: id.into(), lesson, at, phase: Phase::There, numbers: BTreeMap::new(), told: BTreeMap::new() };
        let actions = course.restore();
        (course, actions)
    }

    pub fn step(&self) -> &Step {
        &self.lesson.steps[self.at]
    }

    /// The present step from its beginning.
    pub fn restore(&mut self) -> Vec<Action> {
        self.numbers.clear();
        self.phase = Phase::Coming { until: script::scene(&self.lesson, self.at).until };
        script::restore(&self.lesson, self.at)
    }

    /// To another step: the run is kept where the step leaves it, and the step before it is through.
    pub fn go(&mut self, at: usize, run: &Run) -> Vec<Action> {
        let at = at.min(self.lesson.steps.len().saturating_sub(1));
        let through = match self.phase {
            Phase::Told { .. } => true,
            Phase::There => self.step().ask.is_none(),
            Phase::Coming { .. } | Phase::Going { .. } => false,
        };
        let is_next = at == self.at + 1;
        self.at = at;
        if !(is_next && through && self.step().run.is_none()) {
            return self.restore();
        }
        self.numbers.clear();
        self.phase = Phase::Coming { until: self.step().hold };
        script::go_on(self.step(), run.step)
    }

    /// The visitor's answer.
    pub fn answer(&mut self, guess: Guess, config: &Config, run: &Run) -> Vec<Action> {
        let Some(ask) = &self.step().ask else { return vec![] };
        let at = ask.at.max(run.step);
        let edits = run.edits.len() + script::acts(config, self.step(), run.step).len();
        let actions = script::answered(self.step(), config, run.step);
        self.phase = Phase::Going { guess, at, edits };
        actions
    }

    /// What the lab has told; whether that changes where one stands.
    pub fn hear(&mut self, run: &Run, recorded: &Value) -> bool {
        let Some(started) = run.started.as_ref().filter(|_| !run.lanes.is_empty()) else { return false };
        let total = started.config.schedule.total;
        let next = match self.phase {
            Phase::Coming { until } if run.step >= until.min(total) => Phase::There,
            Phase::Going { guess, at, edits } if run.step >= at.min(total) && run.edits.len() >= edits => {
                let Some(ask) = &self.step().ask else { return false };
                let Some(measured) = ask.measure.of(run, recorded) else { return false };
                Phase::Told { guess, measured }
            }
            _ => return false,
        };
        let own = self.step().numbers.iter();
        let values = own.map(|(name, number)| (name, number.measure.of(run, recorded).unwrap_or(number.value)));
        let values = values.map(|(name, value)| (name.clone(), value)).collect();
        match next {
            Phase::There => self.numbers = values,
            _ => self.told = values,
        }
        self.phase = next;
        true
    }

    /// The step's numbers as its texts have them: these values, and the lesson's own where there are none.
    pub fn texts_of(&self, values: &BTreeMap<String, f64>) -> BTreeMap<String, String> {
        let value = |name: &String, own: f64| values.get(name).copied().unwrap_or(own);
        let numbers = self.step().numbers.iter();
        numbers.map(|(name, number)| (name.clone(), number.measure.text(value(name, number.value)))).collect()
    }

    /// Whether the step is through: its number is told, or there was none to ask for.
    pub fn is_through(&self) -> bool {
        matches!(self.phase, Phase::Told { .. }) || self.step().ask.is_none()
    }
}
