//! Sentences about a language model's held-out text: overfitting, forgetting, and what has been gained.

use super::State;
use crate::lang::tr;
use crate::protocol::text::{HeldFrame, HeldScore};
use crate::view::{
    format::{count, list, three},
    reading::short_name,
};

/// Bits per byte by which held-out text must have risen above its lowest before overfitting is spoken of …
const RISEN: f64 = 0.03;
/// … over so many scores in a row.
const RISES: usize = 3;
/// Bits per byte that an old language must cost more before forgetting is spoken of: scores are of few passages.
const FORGOTTEN: f32 = 0.2;
/// Differences below this are ties.
const TIE: f64 = 0.05;

/// A lane whose held-out text costs more and more while its training loss still falls.
pub fn overfitting(state: &State<'_>) -> Option<String> {
    let held = state.text.held.as_deref()?;
    state.sound().find_map(|(lane, history)| {
        let scores = state.text.history.get(lane)?;
        let last = scores.last()?;
        // Only what was measured on the same bytes can be compared.
        let same = scores.iter().filter(|score| score.bytes == last.bytes);
        let course: Vec<(usize, f64)> = same.filter_map(|score| Some((score.step, held.new_mean(score)?))).collect();
        let &(at, lowest) = course.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let &(_, now) = course.last()?;
        let tail = course.get(course.len().checked_sub(RISES + 1)?..)?;
        let rises = tail.windows(2).all(|pair| pair[1].1 > pair[0].1);
        let (before, recent) = (history.earlier()?, history.recent()?);
        (rises && now - lowest > RISEN && recent < before).then(|| {
            tr!(
                "{} overfits: its training loss still falls, from {} to {} {}, while held-out text rose from {} at step {} to {}.",
                state.name(lane),
                three(before),
                three(recent),
                held.text.unit(),
                three(lowest),
                count(at),
                three(now))
        })
    })
}

/// Means over the new languages that the base can read at all: before, and as the score has it.
fn gained(held: &HeldFrame, base: &HeldScore, score: &HeldScore) -> Option<(f64, f64)> {
    let fair = |&index: &usize| held.languages[index].is_trained() && !held.is_unread(index);
    let indices: Vec<usize> = (0..held.languages.len()).filter(fair).collect();
    let mean = |score: &HeldScore| {
        let bits: Vec<f32> = indices.iter().map(|&index| score.bits.get(index).copied()).collect::<Option<_>>()?;
        (!bits.is_empty()).then(|| bits.iter().map(|&bits| f64::from(bits)).sum::<f64>() / bits.len() as f64)
    };
    Some((mean(base)?, mean(score)?))
}

/// What `gained` is a mean over.
fn new(held: &HeldFrame) -> String {
    match held.unread() {
        Some(_) => tr!("the new languages that the base can read at all"),
        None => tr!("the new languages"),
    }
}

/// All held-out scores, the base's, and those of lanes that still train.
type Scores<'a> = (&'a HeldFrame, &'a HeldScore, Vec<(usize, &'a HeldScore)>);

fn scores<'a>(state: &State<'a>) -> Option<Scores<'a>> {
    let held = state.text.held.as_deref()?;
    let own = state.sound().filter_map(|(lane, _)| Some((lane, held.lanes.get(lane)?.as_ref()?)));
    Some((held, held.base.as_ref()?, own.collect()))
}

/// The old language that costs a lane most more than it costs the base.
pub fn forgetting(state: &State<'_>) -> Option<String> {
    let (held, base, scores) = scores(state)?;
    let forgets = |(lane, score): (usize, &HeldScore)| {
        let old = held.languages.iter().enumerate().filter(|(_, language)| language.old && !language.is_trained());
        let costs = old.filter_map(|(index, _)| Some((index, *base.bits.get(index)?, *score.bits.get(index)?)));
        let (language, before, now) = costs.max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1)))?;
        (now - before > FORGOTTEN).then_some((lane, language, before, now))
    };
    let all: Vec<_> = scores.into_iter().filter_map(forgets).collect();
    let &(lane, language, before, now) = all.iter().max_by(|a, b| (a.3 - a.2).total_cmp(&(b.3 - b.2)))?;
    let learned = held.lanes.get(lane)?.as_ref().and_then(|score| gained(held, base, score));
    let learned = learned
        .map_or(String::new(), |(from, to)| tr!(", while {} went from {} to {}", new(held), three(from), three(to)));
    let others = match all.len() {
        1 => String::new(),
        n if n == state.frame.lanes.len() => tr!("; the other lanes forget too"),
        _ => tr!("; it is not the only lane to forget"),
    };
    Some(tr!(
        "{} forgets: {} costs {} {} now, {} before{learned}{others}.",
        state.name(lane),
        short_name(&held.languages[language].name),
        three(f64::from(now)),
        held.text.unit(),
        three(f64::from(before)),
        learned,
        others
    ))
}

/// The lane that gained most on held-out text, or that there is none.
pub fn gain(state: &State<'_>) -> Option<String> {
    let (held, base, scores) = scores(state)?;
    let mut all: Vec<(usize, f64, f64)> = scores
        .into_iter()
        .filter_map(|(lane, score)| gained(held, base, score).map(|(from, to)| (lane, from, to)))
        .collect();
    all.sort_by(|a, b| a.2.total_cmp(&b.2));
    let &(lane, from, to) = all.first().filter(|(_, from, to)| from - to > TIE)?;
    let close = all.get(1).is_some_and(|next| next.2 - to < TIE);
    let next = if close { tr!("; the next is so close that one run does not tell them apart") } else { String::new() };
    Some(tr!(
        "Held-out text in {} costs {} {} with {}, {} with the base{next}.",
        new(held),
        three(to),
        held.text.unit(),
        state.name(lane),
        three(from),
        next
    ))
}

/// How the lanes ended, for the last sentence.
pub fn results(state: &State<'_>) -> Option<String> {
    let (held, base, scores) = scores(state)?;
    let told = |(lane, score): (usize, &HeldScore)| {
        // A score of an earlier step is not how it ended.
        if score.step != state.frame.step {
            return None;
        }
        Some(format!("{} {}", state.name(lane), three(gained(held, base, score)?.1)))
    };
    let all: Vec<String> = scores.into_iter().filter_map(told).collect();
    let (from, _) = gained(held, base, base)?;
    (!all.is_empty())
        .then(|| tr!("held-out {} in {} {}; the base's were {}", held.text.unit(), new(held), list(&all), three(from)))
}
