//! All that is known of one claim: set-up with its links, prediction, likely reason, every number seed by seed, and the
//! figure with its files.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::browser::go_to;
use super::chart::{Chart, Draw};
use super::{Ask, files};
use crate::config::Config;
use crate::experiments::report::{Outcome, number};
use crate::experiments::{Expected, Experiment, Figure, Look, SEEDS, Verdict, Words, svg};
use crate::host::file::fetch;
use crate::lang::{said, tr};
use crate::view::edit::LANES;

pub fn details(experiment: &Experiment, words: &Words, outcome: Option<&Outcome>, ask: &Callback<Ask>) -> Html {
    let setups = experiment.setups.iter().enumerate().map(|(index, setup)| {
        let link = lab_link(setup, tr!("Open set-up {} in the lab", index + 1), None, ask);
        html! { <li>{ link }{ left_out(setup.lanes.len()) }{ " " }<code>{ format!("?{}", setup.to_query()) }</code></li> }
    });
    let fails = outcome.is_some_and(|o| complete(o) && o.verdict() != Verdict::Holds);
    html! {
        <>
            <div class="words">
                <dl>
                    <dt>{ tr!("Set-up") }</dt>
                    <dd>
                        { &words.method }
                        if !experiment.setups.is_empty() {
                            <ul>{ for setups }</ul>
                        }
                    </dd>
                    <dt>{ tr!("Prediction") }</dt>
                    <dd>{ &words.prediction }</dd>
                    if fails {
                        <dt>{ tr!("Likely reason") }</dt>
                        <dd>{ &words.otherwise }</dd>
                    }
                    if !words.remark.is_empty() {
                        <dt>{ tr!("How to read it") }</dt>
                        <dd>{ &words.remark }</dd>
                    }
                </dl>
            </div>
            if let (Some(figure), Some(outcome)) = (&experiment.figure, outcome) {
                { picture((experiment, words), figure, outcome, ask) }
            }
            { quantities((experiment, words), outcome) }
        </>
    }
}

/// A link to the lab with this set-up. It leaves this page only where the other one can be had.
pub fn lab_link(setup: &Config, text: String, name: Option<String>, ask: &Callback<Ask>) -> Html {
    let href = format!("?{}", setup.to_query());
    let (link, ask) = (href.clone(), ask.clone());
    let onclick = Callback::from(move |event: MouseEvent| {
        if event.ctrl_key() || event.meta_key() || event.shift_key() {
            return;
        }
        event.prevent_default();
        let (link, ask) = (link.clone(), ask.clone());
        spawn_local(async move {
            match fetch(&link).await {
                Ok(_) => go_to(&link),
                Err(error) => ask.emit(Ask::Say(tr!("The lab cannot be opened with this set-up: {error}.", error))),
            }
        });
    });
    html! { <a {href} {onclick} aria-label={name}>{ text }</a> }
}

/// What the lab has no room for, of a set-up of so many lanes.
fn left_out(lanes: usize) -> String {
    match lanes > LANES {
        true => tr!(" (its first {LANES} of {lanes} lanes)", lanes, LANES),
        false => String::new(),
    }
}

/// Whether every seed is done; before that nothing is judged.
fn complete(outcome: &Outcome) -> bool {
    outcome.measured.iter().all(|measured| measured.values.len() == SEEDS.len())
}

fn picture(
    (experiment, words): (&Experiment, &Words),
    figure: &Figure,
    outcome: &Outcome,
    ask: &Callback<Ask>,
) -> Html {
    let (id, title) = (experiment.id, &words.title);
    let parts = (words.clone(), figure.clone(), experiment.quantities.clone(), outcome.measured.clone());
    let draw = move || svg(parts.0.of_figure(), &parts.1, &parts.2, &parts.3, Look::File);
    html! {
        <figure>
            { chart((experiment, words), figure, outcome) }
            <figcaption>
                { tr!("Means over seeds; bars are the standard deviation. ") }
                <span class="saves"><span class="note">{ tr!("Save") }</span>
                    { files::picture_buttons(&tr!("the figure of {title}", title), id, ask, draw) }
                </span>
            </figcaption>
        </figure>
    }
}

/// The figure, as wide as its place.
pub fn chart((experiment, words): (&Experiment, &Words), figure: &Figure, outcome: &Outcome) -> Html {
    let parts = (words.clone(), figure.clone(), experiment.quantities.clone(), outcome.measured.clone());
    let draw = Draw(Rc::new(move |width| svg(parts.0.of_figure(), &parts.1, &parts.2, &parts.3, Look::Page(width))));
    let Words { title, names, .. } = words;
    let y = if figure.y.is_empty() { tr!("values") } else { names.of(figure.y) };
    html! { <Chart label={tr!("{title}: {y} over {}; the table has the numbers.", names.of(figure.x), title, y)} {draw} /> }
}

/// Every number, those with a claim on them first.
fn quantities((experiment, words): (&Experiment, &Words), outcome: Option<&Outcome>) -> Html {
    let Words { title, names, .. } = words;
    let (shown, mut rows): (Vec<usize>, Vec<usize>) =
        (0..experiment.quantities.len()).partition(|&i| experiment.quantities[i].expected == Expected::Shown);
    rows.extend(shown);
    let lines = rows.into_iter().map(|i| {
        let quantity = &experiment.quantities[i];
        let each = SEEDS.iter().enumerate().map(|(seed, _)| {
            let text = outcome.and_then(|o| o.measured[i].values.get(seed)).map_or_else(|| "–".to_owned(), |&v| number(v));
            html! { <td>{ text }</td> }
        });
        let (found, judged) = match outcome {
            None => ("–".to_owned(), String::new()),
            Some(outcome) if quantity.expected == Expected::Shown || !complete(outcome) => {
                (value(outcome, i), String::new())
            }
            Some(outcome) => (value(outcome, i), said(&outcome.measured[i].verdict.to_string())),
        };
        html! {
            <tr><th scope="row">{ names.of(&quantity.name) }</th><td>{ quantity.expected.to_string() }</td><td>{ found }</td>{ for each }<td>{ judged }</td></tr>
        }
    });
    html! {
        <div class="tables" tabindex="0" role="group" aria-label={tr!("{title}: all numbers", title)}>
            <table>
                <thead><tr>
                    <th scope="col">{ tr!("quantity") }</th><th scope="col">{ tr!("predicted") }</th><th scope="col">{ tr!("measured") }</th>
                    { for SEEDS.iter().map(|seed| html! { <th scope="col">{ tr!("seed {seed}", seed) }</th> }) }
                    <th scope="col">{ tr!("verdict") }</th>
                </tr></thead>
                <tbody>{ for lines }</tbody>
            </table>
        </div>
    }
}

/// Mean and spread.
pub fn value(outcome: &Outcome, index: usize) -> String {
    let measured = &outcome.measured[index];
    match measured.values.len() {
        0 | 1 => number(measured.mean),
        _ => format!("{} ± {}", number(measured.mean), number(measured.spread)),
    }
}
