//! What the view of fifty languages is doing, and how everything that happens changes it. Pure: orders are returned as data.

use super::measured::Measured;
use super::merging::alike;
use super::wire::{Merging, Order, Reading, Report, Switched};
use crate::lang::tr;
use crate::tensor::argmax;
use crate::view::snap::Snap;

/// Bytes of a text that are read.
pub const MOST: usize = 1024;
/// Bytes by which the page chooses.
pub const FIRST: usize = 64;
/// Adapters that can be added to one.
pub const MERGED: usize = 12;

/// Which adapter a text is read with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
    /// The one with the fewest bits over the first bytes, or none.
    #[default]
    Page,
    Own(Option<usize>),
}

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

/// Which adapters are added to a language's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    pub language: usize,
    /// Those whose change is most alike first, or else least.
    pub nearest: bool,
    /// Each weighs one share, or else as much as alone.
    pub share: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub measured: Snap<Measured>,
    pub phase: Phase,
    pub text: String,
    pub reading: Option<Reading>,
    pub chosen: Chosen,
    pub switched: Option<Switched>,
    pub sum: Sum,
    pub merging: bool,
    pub merged: Option<Merging>,
    /// What went wrong last, in words.
    pub problem: Option<String>,
    /// Of the text, and of the sum.
    numbers: (u32, u32),
    /// The adapter that has been asked for, of the text of that number.
    asked: Option<(u32, Option<usize>)>,
}

/// Anything that happens.
#[derive(Clone, Debug)]
pub enum Msg {
    Text(String),
    Choose(Chosen),
    /// Hold everything on the GPU, or on the CPU.
    Backend(bool),
    Sum(Sum),
    Merge,
    /// Compare two adapters, where adapters are compared.
    Compare(usize, usize),
    Report(Report),
    /// The worker itself is gone, and why.
    Gone(String),
    Dismiss,
}

impl State {
    pub fn new(measured: Measured) -> Self {
        Self {
            text: measured.samples.first().cloned().unwrap_or_default(),
            measured: Snap::new(measured),
            phase: Phase::Preparing(tr!("The worker is being started")),
            reading: None,
            chosen: Chosen::Page,
            switched: None,
            sum: Sum { language: 0, nearest: true, share: false },
            merging: false,
            merged: None,
            problem: None,
            numbers: (0, 0),
            asked: None,
        }
    }

    pub fn ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }

    /// The part of the text that is read.
    pub fn bytes(&self) -> &[u8] {
        &self.text.as_bytes()[..self.text.len().min(MOST)]
    }

    /// What the page would choose, once it has read enough.
    pub fn found(&self) -> Option<Option<usize>> {
        let first = &self.reading.as_ref()?.first;
        let best = argmax(first.iter().map(|bits| -bits));
        Some((best + 1 < first.len()).then_some(best))
    }

    /// The adapter in use, once there is one.
    pub fn adapter(&self) -> Option<Option<usize>> {
        match self.chosen {
            Chosen::Page => self.found(),
            Chosen::Own(adapter) => Some(adapter),
        }
    }

    /// Whether what was read with one adapter is of this text and this adapter.
    pub fn shown(&self) -> Option<&Switched> {
        let current =
            |switched: &&Switched| switched.number == self.numbers.0 && Some(switched.adapter) == self.adapter();
        self.switched.as_ref().filter(current)
    }

    fn read(&mut self) -> Vec<Order> {
        self.numbers.0 += 1;
        (self.reading, self.asked) = (None, None);
        if !self.ready() || self.text.is_empty() {
            return vec![];
        }
        vec![Order::Read { number: self.numbers.0, text: self.bytes().to_vec() }]
    }

    fn switch(&mut self) -> Vec<Order> {
        let (Some(adapter), true, true) = (self.adapter(), self.ready(), self.reading.is_some()) else { return vec![] };
        let number = self.numbers.0;
        if self.asked == Some((number, adapter)) {
            return vec![];
        }
        self.asked = Some((number, adapter));
        vec![Order::Switch { number, text: self.bytes().to_vec(), adapter }]
    }

    fn merge(&mut self) -> Vec<Order> {
        if !self.ready() {
            return vec![];
        }
        self.numbers.1 += 1;
        (self.merging, self.merged) = (true, None);
        let Sum { language, nearest, share } = self.sum;
        let mut others = alike(&self.measured, language);
        if !nearest {
            others.reverse();
        }
        others.truncate(MERGED - 1);
        vec![Order::Merge { number: self.numbers.1, language, others, share }]
    }
}

/// Changes the state and says what is to be ordered.
pub fn update(state: &mut State, msg: Msg) -> Vec<Order> {
    match msg {
        Msg::Text(text) if text == state.text => vec![],
        Msg::Text(text) => {
            state.text = text;
            state.read()
        }
        Msg::Choose(chosen) => {
            state.chosen = chosen;
            state.switch()
        }
        Msg::Backend(webgpu) => {
            state.phase = Phase::Preparing(tr!("Being made ready"));
            state.merging = false;
            vec![Order::Load { webgpu: Some(webgpu) }]
        }
        Msg::Sum(sum) => {
            let again = state.merged.is_some() || state.merging;
            state.sum = sum;
            if again { state.merge() } else { vec![] }
        }
        Msg::Merge => state.merge(),
        Msg::Compare(first, second) => vec![Order::Give { adapters: vec![first, second] }],
        Msg::Dismiss => {
            state.problem = None;
            vec![]
        }
        Msg::Gone(reason) => {
            state.phase = Phase::Stopped(reason);
            state.merging = false;
            vec![]
        }
        Msg::Report(report) => report_came(state, report),
    }
}

fn report_came(state: &mut State, report: Report) -> Vec<Order> {
    match report {
        Report::Listening => vec![Order::Load { webgpu: None }],
        Report::Preparing(what) => {
            state.phase = Phase::Preparing(what);
            vec![]
        }
        Report::Ready { webgpu, name, milliseconds } => {
            state.phase = Phase::Ready { webgpu, name, milliseconds };
            state.read()
        }
        Report::Read(reading) if reading.number == state.numbers.0 => {
            state.reading = Some(reading);
            state.switch()
        }
        Report::Switched(switched) if switched.number == state.numbers.0 => {
            state.switched = Some(switched);
            vec![]
        }
        Report::Merged(merging) if merging.number == state.numbers.1 => {
            state.merging = merging.done < merging.of;
            state.merged = Some(merging);
            vec![]
        }
        // Of a text that has been changed since.
        Report::Read(_) | Report::Switched(_) | Report::Merged(_) | Report::Given => vec![],
        Report::Failed(problem) => {
            state.problem = Some(problem);
            state.merging = false;
            if !state.ready() {
                state.phase = Phase::Stopped(tr!("what it needs could not be loaded"));
            }
            vec![]
        }
        Report::Crashed(reason) => update(state, Msg::Gone(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> (State, Vec<Order>) {
        let mut state = State::new(Measured::read(include_bytes!("../../../www/data/lm/languages.json")).unwrap());
        assert_eq!(update(&mut state, Msg::Report(Report::Listening)), [Order::Load { webgpu: None }]);
        let orders =
            update(&mut state, Msg::Report(Report::Ready { webgpu: false, name: String::new(), milliseconds: 1.0 }));
        (state, orders)
    }

    fn reading(number: u32, best: usize) -> Report {
        let bits: Vec<f64> = (0..51).map(|at| if at == best { 2.0 } else { 4.0 }).collect();
        Report::Read(Reading { number, read: 128, of: 240, first: bits.clone(), bits, milliseconds: 1.0 })
    }

    #[test]
    fn a_text_is_read_and_then_with_what_the_page_found() {
        let (mut state, orders) = ready();
        let [Order::Read { number, text }] = &orders[..] else { panic!("{orders:?}") };
        assert_eq!(text, state.text.as_bytes());
        let orders = update(&mut state, Msg::Report(reading(*number, 7)));
        assert!(matches!(orders[..], [Order::Switch { adapter: Some(7), .. }]), "{orders:?}");
        // More of the same text changes nothing, and asks nothing.
        assert_eq!(update(&mut state, Msg::Report(reading(*number, 7))), []);
        // The base, which is last, is no adapter.
        let orders = update(&mut state, Msg::Report(reading(*number, 50)));
        assert!(matches!(orders[..], [Order::Switch { adapter: None, .. }]), "{orders:?}");
        let orders = update(&mut state, Msg::Choose(Chosen::Own(Some(3))));
        assert!(matches!(orders[..], [Order::Switch { adapter: Some(3), .. }]), "{orders:?}");
        assert_eq!(state.shown(), None);
    }

    #[test]
    fn what_came_too_late_is_dropped() {
        let (mut state, _) = ready();
        let orders = update(&mut state, Msg::Text("Hej".into()));
        assert!(matches!(&orders[..], [Order::Read { number: 2, text }] if text == b"Hej"), "{orders:?}");
        assert_eq!(update(&mut state, Msg::Report(reading(1, 7))), []);
        assert_eq!(state.reading, None);
        // Nothing is nothing to read.
        assert_eq!(update(&mut state, Msg::Text(String::new())), []);
        // A long text is read as far as said, whatever character that cuts.
        update(&mut state, Msg::Text("ф".repeat(600) + "x"));
        assert_eq!(state.bytes().len(), MOST);
    }

    #[test]
    fn a_sum_is_ordered_when_asked_for_and_again_when_changed() {
        let (mut state, _) = ready();
        let sum = Sum { language: 3, ..state.sum };
        assert_eq!(update(&mut state, Msg::Sum(sum)), []);
        let orders = update(&mut state, Msg::Merge);
        let [Order::Merge { language: 3, others, .. }] = &orders[..] else { panic!("{orders:?}") };
        // Norwegian's nearest is Swedish.
        assert_eq!((others.len(), others[0]), (MERGED - 1, 2));
        let orders = update(&mut state, Msg::Sum(Sum { nearest: false, ..sum }));
        assert!(matches!(&orders[..], [Order::Merge { number: 2, .. }]), "{orders:?}");
        update(&mut state, Msg::Report(Report::Failed("no".into())));
        assert!(!state.merging && state.ready() && state.problem.is_some());
    }
}
