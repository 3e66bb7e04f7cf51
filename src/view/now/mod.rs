//! The "Now" line: one true sentence about what is to be seen at this moment, with its numbers. Each sentence has
//! preconditions and is left unsaid where the numbers do not bear it out; the first that holds is said, and after it the
//! first notice that does. Knows only what was reported, and no markup.

mod floors;
mod gates;
mod history;
mod parts;
#[cfg(test)]
mod tests;
mod text;

pub use history::LaneHistory;
pub use parts::{Part, parts};

use super::format::{count, lane_name, list, percent, three};
use crate::lang::{said, tr};
use crate::{
    config::{Lane, Task},
    protocol::{Accuracy, Frame, Started},
    view::reading::Reading,
};

/// Steps for which something that happened is news, and comes before what merely is so.
const NEWS: usize = 200;
/// Accuracy must move by more than this before forgetting or learning is spoken of: 20 of 397 images.
const ACCURACY: f32 = 0.05;

/// All that the line is computed from.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    pub started: &'a Started,
    pub frame: &'a Frame,
    /// One per lane of `frame`.
    pub history: &'a [LaneHistory],
    /// Of a language model; empty elsewhere.
    pub text: &'a Reading,
}

/// The sentence of this moment, and which of them it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub claim: String,
    pub notice: String,
    /// The claim, and the notice behind it.
    pub kind: (usize, Option<usize>),
    /// Numbers that the claim may name, each with what it is.
    pub numbers: Vec<(String, String)>,
}

impl Line {
    /// All that it says.
    pub fn text(&self) -> String {
        format!("{} {}", self.claim, self.notice).trim_end().to_owned()
    }
}

type Say = fn(&State<'_>) -> Option<String>;

/// So many of the first sentences are said alone: there is nothing yet, or it just happened, or nothing will.
const ALONE: usize = 4;

/// The sentence of this moment.
pub fn line(state: &State<'_>) -> Line {
    // With whether all of a sentence's numbers are losses and floors: of others nothing would tell which of them is meant.
    let sentences: [(Say, bool); 14] = [
        (start, false),
        (just_diverged, false),
        (size_changed, false),
        (no_learning_rate, false),
        (finished, false),
        (floors::worse_than_nothing, true),
        (gates::at_zero, false),
        (warming_up, false),
        (text::gain, false),
        (floors::one_task, true),
        (floors::met, true),
        (gates::uniform, false),
        (diverged, false),
        (falling, false),
    ];
    // Of a language model's many gates some expert is always out of use: what lanes do with text comes first.
    let notices: [Say; 4] = [text::overfitting, text::forgetting, forgetting, gates::unused];
    let said = sentences.iter().enumerate().find_map(|(kind, (say, losses))| Some((say(state)?, kind, *losses)));
    let (claim, kind, losses) = said.unwrap_or_else(|| (standing(state), sentences.len(), false));
    // A notice follows the claim, and takes nothing from it.
    let notice = notices.iter().enumerate().find_map(|(which, say)| Some((say(state)?, which)));
    let (notice, which) = notice.filter(|_| kind >= ALONE).unzip();
    Line {
        claim: capital(claim),
        notice: notice.map(capital).unwrap_or_default(),
        kind: (kind, which),
        numbers: if losses { parts::numbers(state) } else { Vec::new() },
    }
}

/// Sentences begin with ASCII letters.
fn capital(sentence: String) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => std::iter::once(first.to_ascii_uppercase()).chain(letters).collect(),
        None => sentence,
    }
}

impl State<'_> {
    fn name(&self, lane: usize) -> String {
        let lanes: Vec<&Lane> = self.frame.lanes.iter().map(|lane| &lane.lane).collect();
        lane_name(&lanes, lane)
    }

    fn names(&self, lanes: &[usize]) -> String {
        list(&lanes.iter().map(|&lane| self.name(lane)).collect::<Vec<_>>())
    }

    /// Lanes that still train, with their history.
    fn sound(&self) -> impl Iterator<Item = (usize, &LaneHistory)> {
        let lanes = self.frame.lanes.iter().zip(self.history).enumerate();
        lanes.filter(|(_, (lane, _))| lane.diverged.is_none()).map(|(i, (_, history))| (i, history))
    }

    /// Mean recent loss of every lane that has one and has not diverged.
    fn recent(&self) -> Vec<(usize, f64)> {
        self.sound().filter_map(|(i, history)| Some((i, history.recent()?))).collect()
    }
}

fn start(state: &State<'_>) -> Option<String> {
    // A lane without a spectrum does not adapt the layer that is watched, and what it does to others is not told.
    let zero = |values: &[f32]| !values.is_empty() && values.iter().all(|&value| value == 0.0);
    let untouched = state.frame.lanes.iter().all(|lane| zero(&lane.spectrum));
    if state.frame.step > 0 || !untouched {
        return None;
    }
    let how = match state.frame.running {
        true => tr!("Starting"),
        false => tr!("Paused at step 0"),
    };
    Some(tr!(
        "{how}: every change of the weight starts at zero, so all lanes still compute what the frozen network does.",
        how
    ))
}

fn just_diverged(state: &State<'_>) -> Option<String> {
    let last = state.frame.lanes.iter().filter_map(|l| l.diverged).max()?;
    let all = state.frame.lanes.iter().all(|l| l.diverged.is_some());
    (all || state.frame.step.saturating_sub(last) <= NEWS).then(|| diverged(state)).flatten()
}

fn diverged(state: &State<'_>) -> Option<String> {
    let lanes = state.frame.lanes.iter().enumerate();
    let mut gone: Vec<(usize, usize)> = lanes.filter_map(|(i, lane)| Some((lane.diverged?, i))).collect();
    gone.sort_unstable();
    let &(first, lane) = gone.first()?;
    let rate = three(state.frame.lanes[lane].lane.lr.unwrap_or(state.started.config.optimizer.lr));
    let its = if state.frame.lanes[lane].lane.lr.is_some() { tr!("its ") } else { String::new() };
    let step = count(first);
    Some(match (gone.len(), state.frame.lanes.len()) {
        (1, 1) => tr!(
            "{} diverged: since step {step} its loss is no longer a number (learning rate {rate}).",
            state.name(lane),
            step,
            rate
        ),
        (all, lanes) if all == lanes => tr!(
            "Every lane has diverged, the first at step {step}: no loss is a number any more ({its}learning rate {rate}).",
            step,
            its,
            rate
        ),
        (1, _) => tr!(
            "{} diverged: since step {step} its loss is no longer a number; the other lanes are unharmed.",
            state.name(lane),
            step
        ),
        _ => {
            let lanes: Vec<usize> = gone.iter().map(|&(_, lane)| lane).collect();
            tr!("{} have diverged, the first at step {step}; the other lanes are unharmed.", state.names(&lanes), step)
        }
    })
}

/// Share of the loss by which it must have moved to be said to have moved.
const MOVED: f64 = 0.05;

fn size_changed(state: &State<'_>) -> Option<String> {
    let latest = state.sound().filter_map(|(i, history)| Some((i, history.change.as_ref()?)));
    let (lane, change) = latest.max_by_key(|(_, change)| (change.step, change.frame))?;
    if state.frame.step.saturating_sub(change.step) > NEWS {
        return None;
    }
    let (before, after, chance) = change.effect()?;
    let rise = after - before;
    let same = rise.abs() <= MOVED * before;
    let (from, to) = (change.from, change.to);
    let what = tr!("{}'s {}", state.name(lane), said(change.what));
    let when = tr!("from {from} to {to} at step {}", count(change.step), from, to);
    let rose = rise > chance.max(MOVED * before);
    let (before, after) = (three(before), three(after));
    if to > from && same {
        Some(tr!(
            "{what} grew {when} and its loss did not jump, {before} before and {after} after: what is added starts with no effect.",
            what,
            when,
            before,
            after
        ))
    } else if to < from && same {
        Some(tr!(
            "{what} was cut {when} and its loss hardly moved: {before} before, {after} after.",
            what,
            when,
            before,
            after
        ))
    } else if to < from && rose {
        Some(tr!("{what} was cut {when}: its loss rose from {before} to {after}.", what, when, before, after))
    } else {
        None
    }
}

fn no_learning_rate(state: &State<'_>) -> Option<String> {
    let optimizer = &state.started.config.optimizer;
    let own = state.frame.lanes.iter().any(|lane| lane.lane.lr.is_some_and(|lr| lr > 0.0));
    (optimizer.lr == 0.0 && state.frame.lr == 0.0 && !own)
        .then(|| tr!("The learning rate is set to 0, so no lane changes."))
}

fn finished(state: &State<'_>) -> Option<String> {
    let total = state.started.config.schedule.total;
    if state.frame.step < total || state.frame.lr != 0.0 {
        return None;
    }
    let end = tr!("Finished (step {}, learning rate 0)", count(total));
    let first = floors::worse_than_nothing(state).or_else(|| floors::one_task(state));
    if let Some(sentence) = first.or_else(|| floors::met(state)) {
        return Some(format!("{end}: {sentence}"));
    }
    if let Some(results) = text::results(state) {
        return Some(format!("{end}: {results}."));
    }
    let results: Vec<String> = match &state.started.config.task {
        Task::Digits(_) | Task::Sensors(_) => state
            .sound()
            .filter_map(|(i, history)| {
                let accuracy = history.latest.as_ref()?;
                let new = three(f64::from(new_domains(accuracy)?));
                let old = three(f64::from(accuracy.old));
                Some(tr!("{} {new} (upright {old})", state.name(i), new, old))
            })
            .collect(),
        _ => state.recent().into_iter().map(|(i, loss)| format!("{} {}", state.name(i), three(loss))).collect(),
    };
    if results.is_empty() {
        return None;
    }
    let measure = match &state.started.config.task {
        Task::Digits(_) => tr!("mean accuracy on the new domains"),
        Task::Sensors(_) => tr!("mean accuracy over what may be missing"),
        _ => tr!("mean loss of the last steps"),
    };
    Some(format!("{end}: {measure} {}.", list(&results)))
}

fn warming_up(state: &State<'_>) -> Option<String> {
    let config = &state.started.config;
    let (lr, peak) = (f64::from(state.frame.lr), config.optimizer.lr);
    (state.frame.step < config.schedule.warmup && lr < peak).then(|| {
        if state.frame.lanes.iter().any(|lane| lane.lane.lr.is_some()) {
            let percent = percent(lr / peak);
            return tr!(
                "Warming up: learning rates are at {percent} of each lane's own, and reach it at step {}.",
                count(config.schedule.warmup),
                percent
            );
        }
        tr!(
            "Warming up: the learning rate is {} and reaches {} at step {}.",
            three(lr),
            three(peak),
            count(config.schedule.warmup)
        )
    })
}

/// Mean accuracy over the domains that are trained on.
fn new_domains(accuracy: &Accuracy) -> Option<f32> {
    let n = accuracy.domains.len();
    (n > 0).then(|| accuracy.domains.iter().sum::<f32>() / n as f32)
}

fn forgetting(state: &State<'_>) -> Option<String> {
    if !matches!(state.started.config.task, Task::Digits(_)) {
        return None;
    }
    let forgets = |history: &LaneHistory| {
        let (first, latest) = (history.first.clone()?, history.latest.clone()?);
        let (learned_from, learned_to) = (new_domains(&first)?, new_domains(&latest)?);
        let forgot = first.old - latest.old > ACCURACY && learned_to - learned_from > ACCURACY;
        forgot.then_some((first.old, latest.old, learned_from, learned_to))
    };
    let lanes: Vec<_> = state.sound().filter_map(|(i, history)| Some((i, forgets(history)?))).collect();
    let &(lane, (from, to, new_from, new_to)) =
        lanes.iter().max_by(|(_, a), (_, b)| (a.0 - a.1).total_cmp(&(b.0 - b.1)))?;
    let number = |value: f32| three(f64::from(value));
    let others = match lanes.len() {
        1 => String::new(),
        n if n == state.frame.lanes.len() => tr!("; the other lanes forget too"),
        _ => tr!("; it is not the only lane to forget"),
    };
    Some(tr!(
        "{} forgets: its accuracy on upright digits fell from {} to {} while on the new domains it rose from {} to {}{others}.",
        state.name(lane),
        number(from),
        number(to),
        number(new_from),
        number(new_to),
        others
    ))
}

fn falling(state: &State<'_>) -> Option<String> {
    let (lane, earlier, recent) = state
        .sound()
        .filter_map(|(i, history)| Some((i, history.earlier()?, history.recent()?)))
        .filter(|(_, earlier, recent)| *recent < 0.95 * earlier)
        .min_by(|a, b| (a.2 / a.1).total_cmp(&(b.2 / b.1)))?;
    Some(tr!(
        "{}'s loss falls fastest: on average {} over the last {n} steps, {} over the {n} before.",
        state.name(lane),
        three(recent),
        three(earlier),
        n = history::WINDOW
    ))
}

/// What can always be said.
fn standing(state: &State<'_>) -> String {
    let step = count(state.frame.step);
    let recent = state.recent();
    let lowest = recent.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let highest = recent.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    match (lowest, highest) {
        (Some(&(low, a)), Some(&(high, b))) if low != high && b > 1.01 * a => tr!(
            "Step {step}: the lowest loss is {}'s, {}, the highest {}'s, {}.",
            state.name(low),
            three(a),
            state.name(high),
            three(b),
            step
        ),
        (Some(&(_, a)), Some(&(_, b))) if recent.len() > 1 => tr!(
            "Step {step}: the losses of all lanes lie within 1 % of each other, from {} to {}.",
            three(a),
            three(b),
            step
        ),
        (Some(&(lane, loss)), _) => {
            tr!("Step {step}: {}'s loss is {}.", state.name(lane), three(loss), step)
        }
        _ => tr!("Step {step}: no loss has been measured yet.", step),
    }
}
