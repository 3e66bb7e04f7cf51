//! One claim in the list: its sentence, what was predicted beside what was measured, its verdict, and Run.

use yew::prelude::*;

use super::Ask;
use super::details::{details, value};
use crate::experiments::report::Outcome;
use crate::experiments::{Expected, Experiment, SEEDS, Verdict, Words};
use crate::order::sorted;
use crate::studio::record::Record;
use crate::studio::state::{Msg, Running, State};
use crate::view::format::count;

/// Numbers shown in the list; the details have all.
const ROWS: usize = 3;

pub fn claim(state: &State, index: usize, words: &Words, open: bool, ask: &Callback<Ask>) -> Html {
    let experiment = &state.experiments[index];
    let running = state.running.as_ref().filter(|_| state.measuring() == Some(index));
    let record = state.record(index);
    let outcome = record.as_ref().map(|record| record.outcome(experiment));
    let (id, Words { title, claim, source, .. }) = (experiment.id, words);
    let run = ask.reform(move |_: MouseEvent| Ask::Do(Msg::Measure(vec![index])));
    let cancel = ask.reform(|_: MouseEvent| Ask::Do(Msg::Cancel));
    let toggle = ask.reform(move |_: MouseEvent| Ask::Open(index, !open));
    let standing = match (running, &outcome) {
        (Some(_), _) => html! { <span class="verdict">{ "measuring" }</span> },
        (None, Some(outcome)) => verdict(outcome.verdict()),
        (None, None) if state.queued(index) => html! { <span class="verdict">{ "waiting" }</span> },
        (None, None) => html! { <span class="verdict">{ "not measured" }</span> },
    };
    let controls = format!("details-{id}");
    html! {
        <li class="claim" id={format!("claim-{id}")} tabindex="-1">
            <div class="what">
                <h3>{ claim }</h3>
                <p class="note"><a href={format!("#experiments/{id}")} data-why="A link to this claim.">{ title }</a>{ format!(" · {source}") }</p>
                if let Some(running) = running {
                    { progress(running) }
                } else if let Some(record) = &record {
                    <p class="note">{ provenance(record) }</p>
                }
            </div>
            { compare((experiment, title), outcome.as_ref()) }
            <div class="acts">
                { standing }
                if running.is_some() {
                    <button type="button" onclick={cancel} aria-label={format!("Cancel measuring {title}")}>{ "Cancel" }</button>
                } else {
                    <button type="button" onclick={run} disabled={state.queued(index) || state.gpu.is_none()} aria-label={format!("Run {title}")}>
                        { "Run" }
                    </button>
                }
                <button type="button" class="quiet" onclick={toggle} aria-expanded={open.to_string()} aria-controls={open.then(|| controls.clone())}
                    aria-label={format!("Details of {title}")}>{ if open { "Details ▴" } else { "Details ▾" } }</button>
            </div>
            if open {
                <div class="details" id={controls}>{ details(experiment, words, outcome.as_ref(), ask) }</div>
            }
        </li>
    }
}

/// The verdict, told by word and by shape.
fn verdict(verdict: Verdict) -> Html {
    let (class, mark) = match verdict {
        Verdict::Holds => ("verdict holds", "●"),
        Verdict::DoesNotHold => ("verdict fails", "✕"),
        Verdict::Open => ("verdict", "○"),
    };
    html! { <span {class}><span aria-hidden="true">{ mark }{ " " }</span>{ verdict.to_string() }</span> }
}

fn progress(running: &Running) -> Html {
    let steps = match running.progress.expected {
        0 => String::new(),
        expected => format!(" · {} of {} steps", count(running.progress.done), count(expected)),
    };
    let seed = SEEDS.get(running.part).copied().unwrap_or_default();
    html! {
        <div class="under-way">
            <progress max="1" value={running.share().to_string()} aria-label="Measuring" />
            <span class="note">{ format!("seed {seed} of {}{steps}", running.parts) }</span>
        </div>
    }
}

/// Where and how long.
fn provenance(record: &Record) -> String {
    use crate::experiments::Where;
    let place = match &record.place {
        Where::Nowhere => "Nothing is trained; computed on the CPU".to_owned(),
        Where::Cpu => "Measured on the CPU".to_owned(),
        Where::WebGpu(name) => format!("Measured on WebGPU ({name})"),
    };
    format!("{place} in {:.1} s", record.seconds)
}

/// The claimed numbers, those that fail first where there are too many.
fn compare((experiment, title): (&Experiment, &str), outcome: Option<&Outcome>) -> Html {
    let claimed: Vec<usize> =
        (0..experiment.quantities.len()).filter(|&i| experiment.quantities[i].expected != Expected::Shown).collect();
    let mut rows = claimed.clone();
    if let Some(outcome) = outcome.filter(|_| rows.len() > ROWS) {
        let holds = |&i: &usize| outcome.measured[i].verdict == Verdict::Holds;
        rows = sorted(rows, |a, b| holds(a).cmp(&holds(b)));
    }
    let more = rows.len().saturating_sub(ROWS);
    let lines = rows.iter().take(ROWS).map(|&i| {
        let quantity = &experiment.quantities[i];
        let found = outcome.map_or_else(|| "–".to_owned(), |outcome| value(outcome, i));
        html! { <tr><th scope="row">{ &quantity.name }</th><td>{ quantity.expected.to_string() }</td><td class="found">{ found }</td></tr> }
    });
    html! {
        <table class="compare" aria-label={format!("{title}: predicted and measured")}>
            <thead><tr><th scope="col" aria-label="quantity" /><th scope="col">{ "predicted" }</th><th scope="col">{ "measured" }</th></tr></thead>
            <tbody>
                { for lines }
                if more > 0 {
                    <tr class="more"><th scope="row" colspan="3">{ format!("and {more} more, in the details") }</th></tr>
                }
            </tbody>
        </table>
    }
}
