//! The list of claims, and above it what concerns all of them: where they are measured, run all, how far it is, the score
//! and its files.

use std::rc::Rc;

use yew::prelude::*;

use super::claim::claim;
use super::{Ask, backends, files};
use crate::experiments::{Prose, Verdict};
use crate::lang::{said, tr};
use crate::method::find;
use crate::studio::export::{claims_csv, claims_json, measured};
use crate::studio::filter::{Filter, VERDICTS, choices, shown};
use crate::studio::state::{Msg, State};
use crate::view::ui::control::Choice;

pub fn claims(state: &State, open: &[bool], filter: Filter, ask: &Callback<Ask>) -> Html {
    html! {
        <>
            <div class="intro">
                <h2 id="studio-title" tabindex="-1">{ tr!("Claims about low-rank adaptation, put to the test") }</h2>
                <p>{ tr!("Each claim has a prediction with a tolerance, fixed before it was first measured, and what was recorded of it: on \
                     the CPU, three seeds. Run it here trains what it needs in this browser, and puts its numbers beside them. A claim \
                     holds if every number is within its tolerance on every seed, does not hold if one is outside on all three, and \
                     stays open where seeds disagree. What does not hold is a finding about these small networks, not about a paper's \
                     large ones.") }</p>
            </div>
            { match &state.prose {
                Some(Ok(prose)) => told(state, prose, open, filter, ask),
                Some(Err(error)) => html! { <p class="notice" role="alert">{ tr!("The claims cannot be read: {error}. Opening this view again tries once more.", error) }</p> },
                None => html! { <p role="status">{ tr!("Reading the claims …") }</p> },
            } }
        </>
    }
}

fn told(state: &State, prose: &Rc<Prose>, open: &[bool], filter: Filter, ask: &Callback<Ask>) -> Html {
    let places = shown(state, filter);
    let none = places.is_empty();
    let all = places.into_iter().map(|index| claim(state, index, &prose[&state.experiments[index]], open[index], ask));
    html! {
        <>
            { controls(state, prose, ask) }
            { filters(state, filter, ask) }
            <ol class="claims">{ for all }</ol>
            if none {
                <p role="status">{ tr!("No claim about this method has this verdict.") }</p>
            }
            { others(prose) }
        </>
    }
}

fn controls(state: &State, prose: &Rc<Prose>, ask: &Callback<Ask>) -> Html {
    let count = state.experiments.len();
    let run_all = ask.reform(move |_: MouseEvent| Ask::Do(Msg::Measure((0..count).collect())));
    let cancel = ask.reform(|_: MouseEvent| Ask::Do(Msg::Cancel));
    let (experiments, records) = (state.experiments.clone(), state.records.clone());
    let any = records.iter().any(Option::is_some);
    let csv = {
        let (experiments, records) = (experiments.clone(), records.clone());
        move || claims_csv(&measured(&experiments, &records))
    };
    let prose = prose.clone();
    let json = move || claims_json(&measured(&experiments, &records), &prose);
    html! {
        <div class="controls">
            { backends(state.gpu.as_ref(), state.webgpu(), ask) }
            if state.busy() {
                <button type="button" class="primary" onclick={cancel}>{ tr!("Cancel") }</button>
            } else {
                <button type="button" class="primary" disabled={state.gpu.is_none()} onclick={run_all}
                    data-why={tr!("Measure every claim, one after the other; what is done stays if you cancel.")}>{ tr!("Run all") }</button>
            }
            <p class="score" role="status">{ score(state) }</p>
            <span class="spring" />
            if any {
                <span class="saves"><span class="note">{ tr!("Save") }</span>
                    { files::text_button("CSV", &tr!("all measurements"), "experiments.csv".into(), "text/csv", csv) }
                    { files::text_button("JSON", &tr!("all measurements"), "experiments.json".into(), "application/json", json) }
                </span>
            }
        </div>
    }
}

/// Which claims are shown: by how they stand, and by method.
fn filters(state: &State, filter: Filter, ask: &Callback<Ask>) -> Html {
    let with = |verdict: Option<Verdict>| ask.reform(move |_: MouseEvent| Ask::Filter(Filter { verdict, ..filter }));
    let choice = |verdict: Option<Verdict>, name: String| {
        let count = shown(state, Filter { verdict, ..filter }).len();
        let pressed = (verdict == filter.verdict).to_string();
        html! { <button type="button" aria-pressed={pressed} onclick={with(verdict)}>{ format!("{name} {count}") }</button> }
    };
    let methods = choices(&state.experiments);
    let titles = methods.iter().map(|&name| find(name).map_or(name, |method| method.title).into());
    let options: Vec<AttrValue> = std::iter::once(tr!("any").into()).chain(titles).collect();
    let chosen = methods.iter().position(|&name| filter.method == Some(name)).map_or(0, |at| at + 1);
    let on_change = ask.reform(move |index: usize| {
        let method = index.checked_sub(1).and_then(|at| methods.get(at)).copied();
        Ask::Filter(Filter { method, ..filter })
    });
    html! {
        <div class="filters">
            <div class="choices" role="group" aria-label={tr!("Verdict")}>
                { choice(None, tr!("all")) }
                { for VERDICTS.map(|verdict| choice(Some(verdict), said(&verdict.to_string()))) }
            </div>
            <Choice label={tr!("method")} why={tr!("Claims of which some set-up trains a lane by this method.")} {options} {chosen} {on_change} />
        </div>
    }
}

/// What runs and how the claims stand; steps are left to the bars, since this is read out.
fn score(state: &State) -> String {
    let verdicts: Vec<Verdict> = state
        .experiments
        .iter()
        .zip(&state.records)
        .filter_map(|(experiment, record)| Some(record.as_ref()?.outcome(experiment).verdict()))
        .collect();
    let count = |verdict| verdicts.iter().filter(|&&v| v == verdict).count();
    let stand = match verdicts.is_empty() {
        true => tr!("none measured here yet"),
        false => {
            let hold = tr!("{n} holds" | "{n} hold" % count(Verdict::Holds));
            let fail = tr!("{n} does not" | "{n} do not" % count(Verdict::DoesNotHold));
            let open = count(Verdict::Open);
            tr!("of {all} measured here {hold}, {fail}, {open} open", all = verdicts.len(), hold, fail, open)
        }
    };
    match (state.gpu.is_none(), state.measuring()) {
        _ if state.stopped => stand,
        (true, _) => tr!("Starting the worker … {stand}", stand),
        (false, Some(index)) => {
            let waiting = match state.waiting() {
                0 => String::new(),
                more => tr!(", {more} waiting", more),
            };
            tr!("Measuring “{}”{waiting} · {stand}", state.title(index), waiting, stand)
        }
        (false, None) if state.sweeping() => tr!("A sweep is running · {stand}", stand),
        (false, None) => stand,
    }
}

/// Without Markdown's marks: these texts are also the report's.
fn plain(text: &str) -> String {
    text.replace(['`', '*'], "")
}

/// What is not measured, and why.
fn others(prose: &Prose) -> Html {
    let no = prose
        .not_reproducible
        .iter()
        .map(|[claim, reason]| html! { <li><b>{ plain(claim) }</b><span>{ plain(reason) }</span></li> });
    let waiting = prose.waiting.iter().map(|[claim, source, missing]| {
        html! { <li><b>{ plain(claim) }</b><span>{ plain(&tr!("{source}. Missing: {missing}", source, missing)) }</span></li> }
    });
    html! {
        <>
            if !prose.not_reproducible.is_empty() {
                <section class="others" aria-labelledby="not-here">
                    <h2 id="not-here">{ tr!("What cannot be reproduced here") }</h2>
                    <ul>{ for no }</ul>
                </section>
            }
            if !prose.waiting.is_empty() {
                <section class="others" aria-labelledby="not-yet">
                    <h2 id="not-yet">{ tr!("What has no experiment yet") }</h2>
                    <ul>{ for waiting }</ul>
                </section>
            }
        </>
    }
}
