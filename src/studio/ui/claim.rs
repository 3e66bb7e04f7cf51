//! One claim in the list: its sentence, a small figure, what was predicted beside what was recorded and measured here, its
//! verdict, and Run.

use yew::prelude::*;

use super::Ask;
use super::details::{chart, details, lab_link, value};
use crate::experiments::report::Outcome;
use crate::experiments::{Expected, Experiment, SEEDS, Verdict, Where, Words};
use crate::lang::{said, tr};
use crate::order::sorted;
use crate::studio::record::Record;
use crate::studio::state::{Msg, Running, State};
use crate::view::format::count;

/// Numbers shown in the list; the details have all.
const ROWS: usize = 3;

pub fn claim(state: &State, index: usize, words: &Words, open: bool, ask: &Callback<Ask>) -> Html {
    let experiment = &state.experiments[index];
    let running = state.running.as_ref().filter(|_| state.measuring() == Some(index));
    let of = |record: &Record| record.outcome(experiment);
    let (here, before) = (state.record(index), state.recorded(index));
    let (measured, recorded) = (here.as_ref().map(of), before.map(of));
    // What was measured here is told first.
    let outcome = measured.as_ref().or(recorded.as_ref());
    let (id, Words { title, claim, source, .. }) = (experiment.id, words);
    let run = ask.reform(move |_: MouseEvent| Ask::Do(Msg::Measure(vec![index])));
    let cancel = ask.reform(|_: MouseEvent| Ask::Do(Msg::Cancel));
    let toggle = ask.reform(move |_: MouseEvent| Ask::Open(index, !open));
    let standing = match (running, outcome) {
        (Some(_), _) => html! { <span class="verdict">{ tr!("measuring") }</span> },
        (None, _) if state.queued(index) => html! { <span class="verdict">{ tr!("waiting") }</span> },
        (None, Some(outcome)) => verdict(outcome.verdict()),
        (None, None) => html! { <span class="verdict">{ tr!("not measured") }</span> },
    };
    let figure = experiment.figure.as_ref().zip(outcome).filter(|_| !open);
    let controls = format!("details-{id}");
    html! {
        <li class="claim" id={format!("claim-{id}")} tabindex="-1">
            <div class="what">
                <h3>{ claim }</h3>
                <p class="note"><a href={format!("#experiments/{id}")} data-why={tr!("A link to this claim.")}>{ title }</a>{ format!(" · {source}") }</p>
                if let Some(running) = running {
                    { progress(running) }
                } else if let Some(record) = &here {
                    <p class="note">{ provenance(record, &tr!("Measured here")) }</p>
                } else if let Some(record) = before {
                    <p class="note">{ provenance(record, &tr!("Recorded")) }</p>
                }
            </div>
            if let Some((figure, outcome)) = figure {
                <div class="small-figure">{ chart((experiment, words), figure, outcome) }</div>
            }
            { compare((experiment, words), measured.as_ref(), recorded.as_ref()) }
            <div class="acts">
                { standing }
                if let (Some(measured), Some(recorded)) = (&measured, &recorded) {
                    if running.is_none() && measured.verdict() != recorded.verdict() {
                        <span class="note">{ tr!("recorded: {}", recorded.verdict()) }</span>
                    }
                }
                if running.is_some() {
                    <button type="button" onclick={cancel} aria-label={tr!("Cancel measuring {title}", title)}>{ tr!("Cancel") }</button>
                } else {
                    <button type="button" onclick={run} disabled={state.queued(index) || state.gpu.is_none()} aria-label={tr!("Run it here: {title}", title)}>
                        { tr!("Run it here") }
                    </button>
                }
                if let Some(setup) = experiment.setups.first() {
                    { lab_link(setup, tr!("Open in the lab"), Some(tr!("Open in the lab: {title}", title)), ask) }
                }
                <button type="button" class="quiet" onclick={toggle} aria-expanded={open.to_string()} aria-controls={open.then(|| controls.clone())}
                    aria-label={tr!("Details of {title}", title)}>{ if open { tr!("Details ▴") } else { tr!("Details ▾") } }</button>
            </div>
            if open {
                <div class="details" id={controls}>{ details(experiment, words, outcome, ask) }</div>
            }
        </li>
    }
}

/// The verdict, told by word and by shape.
pub fn verdict(verdict: Verdict) -> Html {
    let (class, mark) = match verdict {
        Verdict::Holds => ("verdict holds", "●"),
        Verdict::DoesNotHold => ("verdict fails", "✕"),
        Verdict::Open => ("verdict", "○"),
    };
    html! { <span {class}><span aria-hidden="true">{ mark }{ " " }</span>{ said(&verdict.to_string()) }</span> }
}

fn progress(running: &Running) -> Html {
    let steps = match running.progress.expected {
        0 => String::new(),
        expected => tr!(" · {} of {} steps", count(running.progress.done), count(expected)),
    };
    let seed = SEEDS.get(running.part).copied().unwrap_or_default();
    html! {
        <div class="under-way">
            <progress max="1" value={running.share().to_string()} aria-label={tr!("Measuring")} />
            <span class="note">{ tr!("seed {seed} of {}{steps}", running.parts, seed, steps) }</span>
        </div>
    }
}

/// Where and how long.
pub fn provenance(record: &Record, how: &str) -> String {
    let place = match &record.place {
        Where::Nowhere => tr!("on the CPU (nothing is trained)"),
        Where::Cpu => tr!("on the CPU"),
        Where::WebGpu(name) => tr!("on WebGPU ({name})", name),
    };
    tr!(
        "{how} {place}, {seeds} seeds, in {seconds} s",
        how,
        place,
        seeds = record.seeds.len(),
        seconds = format!("{:.1}", record.seconds)
    )
}

/// The claimed numbers, those that fail first where there are too many; measured here beside recorded.
fn compare((experiment, words): (&Experiment, &Words), here: Option<&Outcome>, before: Option<&Outcome>) -> Html {
    let Words { title, names, .. } = words;
    let claimed: Vec<usize> =
        (0..experiment.quantities.len()).filter(|&i| experiment.quantities[i].expected != Expected::Shown).collect();
    let mut rows = claimed.clone();
    if let Some(outcome) = here.or(before).filter(|_| rows.len() > ROWS) {
        let holds = |&i: &usize| outcome.measured[i].verdict == Verdict::Holds;
        rows = sorted(rows, |a, b| holds(a).cmp(&holds(b)));
    }
    let more = rows.len().saturating_sub(ROWS);
    let lines = rows.iter().take(ROWS).map(|&i| {
        let quantity = &experiment.quantities[i];
        let found = |outcome: Option<&Outcome>| outcome.map_or_else(|| "–".to_owned(), |outcome| value(outcome, i));
        html! {
            <tr>
                <th scope="row">{ names.of(&quantity.name) }</th>
                <td>{ quantity.expected.to_string() }</td>
                <td class="found">{ found(before) }</td>
                if here.is_some() {
                    <td class="found">{ found(here) }</td>
                }
            </tr>
        }
    });
    html! {
        <table class={classes!("compare", here.map(|_| "both"))} aria-label={tr!("{title}: predicted and measured", title)}>
            <thead><tr>
                <th scope="col">{ tr!("quantity") }</th>
                <th scope="col">{ tr!("predicted") }</th>
                <th scope="col">{ tr!("recorded") }</th>
                if here.is_some() {
                    <th scope="col">{ tr!("here") }</th>
                }
            </tr></thead>
            <tbody>
                { for lines }
                if more > 0 {
                    <tr class="more"><th scope="row" colspan={if here.is_some() { "4" } else { "3" }}>{ tr!("and {more} more, in the details", more) }</th></tr>
                }
            </tbody>
        </table>
    }
}
