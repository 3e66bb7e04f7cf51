//! What is open and what is being done with it, and how everything that happens changes it. Pure: effects are returned
//! as data. Long work is done one piece after the other; a look at a module is answered beside it.

use std::collections::VecDeque;
use std::rc::Rc;

pub use super::msg::{Msg, Part};
use super::wire::{Base, Id, Listed, Look, Order, Pair, Planned, Region, Report, Whole};
use super::words::combined;
use crate::lang::tr;
use crate::peft::intruders::Direction;
use crate::peft::overview::{Outlier, Overview, outliers};

/// An open adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    pub id: Id,
    pub name: String,
    pub listed: Rc<Listed>,
    /// As far as they are measured.
    pub rows: Rc<Vec<Overview>>,
    /// Unlike others of their kind; once all are measured.
    pub outliers: Rc<Vec<Outlier>>,
    /// Every module is measured; with the base that is open now.
    pub measured: bool,
    pub with_base: bool,
    /// What could not be measured, and why.
    pub problems: Vec<String>,
}

/// What is looked at: a row of an adapter's overview.
#[derive(Clone, Debug, PartialEq)]
pub struct Focus {
    pub adapter: Id,
    pub row: usize,
    pub look: Option<Rc<Look>>,
    /// Beside the picture, once it has been seen whole.
    pub whole: Option<Rc<Whole>>,
    /// A part has been asked for and is not here yet.
    pub waiting: bool,
    /// `None`: not asked for; inner `None`: cannot be told.
    pub intruders: Option<Option<Rc<Vec<Direction>>>>,
}

/// Two adapters held against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub first: Id,
    pub second: Id,
    pub pairs: Vec<Pair>,
}

/// The long work under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    pub order: Order,
    pub done: f64,
    pub of: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub ready: bool,
    pub adapters: Vec<Opened>,
    pub base: Option<Base>,
    pub chosen: usize,
    pub part: Part,
    pub focus: Option<Focus>,
    pub compared: Option<Compared>,
    /// What merging the adapter of that number would do; inner `None`: asked for.
    pub plan: Option<(Id, Option<Result<Planned, String>>)>,
    pub work: Option<Work>,
    /// Files have been handed over and are not open yet.
    pub opening: bool,
    /// What is being opened is to be compared.
    paired: bool,
    queue: VecDeque<Order>,
    /// What went wrong, each in words.
    pub problems: Vec<String>,
    /// What was done, or left aside.
    pub notes: Vec<String>,
    pub stopped: bool,
}

impl State {
    pub fn current(&self) -> Option<&Opened> {
        self.adapters.get(self.chosen)
    }

    pub fn find(&self, id: Id) -> Option<&Opened> {
        self.adapters.iter().find(|adapter| adapter.id == id)
    }

    /// The row looked at, with its adapter.
    pub fn looked(&self) -> Option<(&Opened, &Focus, &Overview)> {
        let focus = self.focus.as_ref()?;
        let adapter = self.current().filter(|adapter| adapter.id == focus.adapter)?;
        Some((adapter, focus, adapter.rows.get(focus.row)?))
    }

    /// Whether leaving the page would lose work.
    pub fn busy(&self) -> bool {
        self.work.as_ref().is_some_and(|work| matches!(work.order, Order::Save { .. } | Order::Merge(_)))
    }

    /// Whether an adapter is being measured, or will be.
    pub fn measuring(&self, id: Id) -> bool {
        let measures = |order: &Order| matches!(order, Order::Measure { adapter, .. } if *adapter == id);
        self.orders().any(measures)
    }

    /// Whether intruders are being sought in what is looked at, or will be.
    pub fn seeking(&self) -> bool {
        let sought = |order: &Order| match (order, &self.focus) {
            (Order::Intruders { adapter, row }, Some(focus)) => (*adapter, *row) == (focus.adapter, focus.row),
            _ => false,
        };
        self.orders().any(sought)
    }

    /// Long work under way and waiting.
    fn orders(&self) -> impl Iterator<Item = &Order> {
        self.work.iter().map(|work| &work.order).chain(&self.queue)
    }

    fn next(&mut self) -> Vec<Order> {
        if self.work.is_some() || !self.ready {
            return vec![];
        }
        let Some(order) = self.queue.pop_front() else { return vec![] };
        self.work = Some(Work { order: order.clone(), done: 0.0, of: 0.0 });
        vec![order]
    }

    /// What the visitor asks for. What was said of the work before it has been read.
    fn ask(&mut self, order: Order) -> Vec<Order> {
        self.problems.clear();
        self.notes.clear();
        self.queue.push_back(order);
        self.next()
    }

    /// First without the base, which takes seconds; then with it, which may take as long as reading it.
    fn measure(&mut self, index: usize) {
        let has_base = self.base.is_some();
        let Some(adapter) = self.adapters.get_mut(index) else { return };
        let id = adapter.id;
        adapter.problems.clear();
        if !adapter.measured {
            self.queue.push_back(Order::Measure { adapter: id, base: false });
        }
        if has_base && !adapter.with_base {
            self.queue.push_back(Order::Measure { adapter: id, base: true });
        }
    }

    /// Long work is given up, and all that waits behind it.
    fn give_up(&mut self) -> Vec<Order> {
        self.queue.clear();
        if self.work.is_some() { vec![Order::Stop] } else { vec![] }
    }

    fn look(&mut self, row: usize, region: Option<Region>) -> Vec<Order> {
        let Some(adapter) = self.current().map(|adapter| adapter.id) else { return vec![] };
        let same = self.focus.as_ref().is_some_and(|focus| focus.adapter == adapter && focus.row == row);
        if !same {
            self.focus = Some(Focus { adapter, row, look: None, whole: None, waiting: true, intruders: None });
        }
        if let Some(focus) = &mut self.focus {
            focus.waiting = true;
        }
        self.part = Part::Module;
        vec![Order::Look { adapter, row, region }]
    }

    fn opened(&mut self, adapters: Vec<Listed>, base: Option<Base>) -> Vec<Order> {
        self.opening = false;
        let mut effects = Vec::new();
        self.plan = None;
        if let Some(base) = base {
            if let Some(before) = self.base.replace(base.clone()) {
                self.notes.push(tr!(
                    "{} takes the place of the base that was open, {}: what it says of the adapters is measured anew.",
                    base.name,
                    before.name
                ));
            }
            self.adapters.iter_mut().for_each(|adapter| adapter.with_base = false);
            self.queue.retain(|order| !matches!(order, Order::Measure { base: true, .. }));
            self.focus = None;
            if self.part == Part::Module {
                self.part = Part::Overview;
            }
        }
        let first = self.adapters.len();
        for listed in adapters {
            let rows = Rc::new(listed.rows.clone());
            if let Some(open) = self.adapters.iter_mut().find(|open| open.id == listed.id) {
                // The base said what shapes its modules have.
                (open.rows, open.outliers, open.measured) = (rows, Rc::default(), false);
                (open.listed, open.problems) = (Rc::new(listed), Vec::new());
                continue;
            }
            let name = self.distinct(&listed.name);
            self.adapters.push(Opened {
                id: listed.id,
                name,
                rows,
                outliers: Rc::default(),
                measured: false,
                with_base: false,
                problems: Vec::new(),
                listed: Rc::new(listed),
            });
        }
        if first < self.adapters.len() {
            self.chosen = first;
            self.part = Part::Overview;
        }
        for index in 0..self.adapters.len() {
            self.measure(index);
        }
        if let (true, [first, second]) = (std::mem::take(&mut self.paired), &self.adapters[first..]) {
            let (first, second) = (first.id, second.id);
            self.part = Part::Compare;
            self.compared = Some(Compared { first, second, pairs: Vec::new() });
            self.queue.push_back(Order::Compare { first, second });
        }
        effects.extend(self.next());
        effects
    }

    fn distinct(&self, name: &str) -> String {
        let taken = |name: &str| self.adapters.iter().any(|adapter| adapter.name == name);
        let numbered = (2..).map(|n| format!("{name} {n}"));
        std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }

    /// The long work has ended, well or not.
    fn done(&mut self, well: bool) -> Vec<Order> {
        if let Some(Work { order: Order::Measure { adapter, base }, .. }) = self.work.take() {
            let open = self.adapters.iter_mut().find(|a| a.id == adapter);
            if let (Some(open), true) = (open, well) {
                open.measured = true;
                open.with_base |= base;
                open.outliers = Rc::new(outliers(&open.rows));
            }
        }
        self.next()
    }

    fn report(&mut self, report: Report) -> Vec<Order> {
        match report {
            Report::Ready => {
                self.ready = true;
                return self.next();
            }
            Report::Opened { adapters, base, refused, passed_over } => {
                if !passed_over.is_empty() && (base.is_some() || !adapters.is_empty()) {
                    self.notes.push(tr!("Passed over, as no part of an adapter: {}.", passed_over.join(", ")));
                }
                self.problems.extend(refused);
                return self.opened(adapters, base);
            }
            Report::Measured { adapter, rows, problem } => {
                if let Some(adapter) = self.adapters.iter_mut().find(|a| a.id == adapter) {
                    let known = Rc::make_mut(&mut adapter.rows);
                    for (at, row) in rows {
                        known.get_mut(at).into_iter().for_each(|known| *known = row.clone());
                    }
                    adapter.problems.extend(problem);
                }
            }
            Report::Planned { adapter, plan } if self.plan.as_ref().is_some_and(|(id, _)| *id == adapter) => {
                self.plan = Some((adapter, Some(plan)));
            }
            Report::Planned { .. } => {}
            Report::Progress { done, of } => {
                if let Some(work) = &mut self.work {
                    (work.done, work.of) = (done, of);
                }
            }
            Report::Looked(look) => {
                let here = |focus: &&mut Focus| focus.adapter == look.adapter && focus.row == look.row;
                if let Some(focus) = self.focus.as_mut().filter(here) {
                    focus.waiting = false;
                    let mut look = *look;
                    if let Some(whole) = look.whole.take() {
                        focus.whole = Some(Rc::new(whole));
                    }
                    focus.look = Some(Rc::new(look));
                }
            }
            Report::Intruders { adapter, row, directions } => {
                let here = |focus: &&mut Focus| focus.adapter == adapter && focus.row == row;
                if let Some(focus) = self.focus.as_mut().filter(here) {
                    focus.intruders = Some(directions.map(Rc::new));
                }
            }
            Report::Compared(pairs) => {
                if let Some(compared) = &mut self.compared {
                    compared.pairs.extend(pairs);
                }
            }
            Report::Done { said, .. } => {
                self.notes.extend(said);
                return self.done(true);
            }
            Report::Stopped => return self.done(false),
            Report::Failed { message, long } => {
                self.problems.push(message);
                if long {
                    return self.done(false);
                }
                self.opening = false;
                if let Some(focus) = &mut self.focus {
                    focus.waiting = false;
                }
            }
            Report::Crashed(reason) => self.gone(&reason),
        }
        vec![]
    }

    fn gone(&mut self, reason: &str) {
        let reason = reason.trim_end_matches('.');
        let what =
            tr!("The worker that reads files has stopped: {reason}. Opening this view again starts another.", reason);
        *self = Self { stopped: true, problems: vec![what], ..Self::default() };
    }

    fn close(&mut self, id: Id) -> Vec<Order> {
        let Some(at) = self.adapters.iter().position(|adapter| adapter.id == id) else { return vec![] };
        self.adapters.remove(at);
        if self.chosen >= at && self.chosen > 0 {
            self.chosen -= 1;
        }
        self.queue.retain(|order| !order.concerns(id));
        self.focus = self.focus.take().filter(|focus| focus.adapter != id);
        self.compared = self.compared.take().filter(|compared| compared.first != id && compared.second != id);
        self.part = Part::Overview;
        let stop = self.work.as_ref().is_some_and(|work| work.order.concerns(id));
        let mut effects = if stop { vec![Order::Stop] } else { vec![] };
        effects.push(Order::Close(id));
        effects
    }

    fn close_base(&mut self) -> Vec<Order> {
        self.base = None;
        self.plan = None;
        self.focus = None;
        if self.part == Part::Module {
            self.part = Part::Overview;
        }
        let mut effects = self.give_up();
        effects.push(Order::CloseBase);
        for adapter in &mut self.adapters {
            // What the base made known is known no more.
            adapter.rows = Rc::new(adapter.listed.rows.clone());
            (adapter.measured, adapter.with_base) = (false, false);
            adapter.outliers = Rc::default();
        }
        (0..self.adapters.len()).for_each(|index| self.measure(index));
        effects.extend(self.next());
        effects
    }
}

/// Changes the state and says what the worker is to be told.
pub fn update(state: &mut State, msg: Msg) -> Vec<Order> {
    let mut effects = change(state, msg);
    // Whoever is about to merge is told first what that would do.
    let asked = state.plan.as_ref().map(|(id, _)| *id);
    let wanted = state.current().map(|adapter| adapter.id).filter(|id| Some(*id) != asked);
    if let (Part::Save, true, Some(id)) = (state.part, state.base.is_some(), wanted) {
        state.plan = Some((id, None));
        effects.push(Order::Plan(id));
    }
    effects
}

fn change(state: &mut State, msg: Msg) -> Vec<Order> {
    let current = state.current().map(|adapter| adapter.id);
    match msg {
        Msg::OpenPair(paths) => {
            state.paired = true;
            return change(state, Msg::Open(paths));
        }
        Msg::Open(paths) => {
            state.opening = true;
            state.problems.clear();
            state.notes.clear();
            return vec![Order::Open(paths)];
        }
        Msg::Rename(id, name) => {
            if let Some(at) = state.adapters.iter().position(|open| open.id == id).filter(|_| !name.trim().is_empty()) {
                state.adapters[at].name.clear();
                state.adapters[at].name = state.distinct(name.trim());
            }
        }
        Msg::Choose(index) => {
            state.chosen = index.min(state.adapters.len().saturating_sub(1));
            if state.part == Part::Module && state.looked().is_none() {
                state.part = Part::Overview;
            }
        }
        // A module is always looked at through its row.
        Msg::Show(Part::Module) if state.looked().is_none() => return state.look(0, None),
        Msg::Show(part) => state.part = part,
        Msg::Close(id) => return state.close(id),
        Msg::CloseBase => return state.close_base(),
        Msg::Look { row, region } => return state.look(row, region),
        Msg::Intruders => {
            let sought = state.focus.as_ref().map(|focus| Order::Intruders { adapter: focus.adapter, row: focus.row });
            return sought.map_or_else(Vec::new, |order| state.ask(order));
        }
        Msg::Compare(first, second) => {
            state.compared = Some(Compared { first, second, pairs: Vec::new() });
            return state.ask(Order::Compare { first, second });
        }
        Msg::Combine { parts, how, dtype } => {
            let named = parts.iter().filter_map(|&(id, weight)| Some((state.find(id)?.name.as_str(), weight)));
            let name = combined(&named.collect::<Vec<_>>());
            return state.ask(Order::Combine { parts, how, dtype, name });
        }
        Msg::Save(change) => {
            return current.map_or_else(Vec::new, |adapter| state.ask(Order::Save { adapter, change }));
        }
        Msg::Merge => {
            return current.map_or_else(Vec::new, |adapter| state.ask(Order::Merge(adapter)));
        }
        Msg::Cancel => return state.give_up(),
        Msg::Measure => {
            state.measure(state.chosen);
            return state.next();
        }
        Msg::Report(report) => return state.report(report),
        Msg::Gone(reason) => state.gone(&reason),
        Msg::Say(problem) => state.problems.push(problem),
        Msg::Dismiss => {
            state.problems.clear();
            state.notes.clear();
        }
    }
    vec![]
}
