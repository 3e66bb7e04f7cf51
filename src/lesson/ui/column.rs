//! The column as Html: the list of lessons, or a step. Emits `Ask`s and knows nothing of how they are carried out.

use std::collections::BTreeMap;

use wasm_bindgen::JsCast;
use web_sys::Element;
use yew::prelude::*;

use super::browser::{Place, address};
use super::prose::{Shown, prose, word};
use super::question::Question;
use super::{Ask, Core};
use crate::lang::{self, tr};
use crate::lesson::course::{Course, Phase};
use crate::lesson::data::{Catalogue, Index, Step, Text};
use crate::lesson::words::filled;

pub fn column(core: &Core, ask: &Callback<Ask>) -> Html {
    if core.place == Place::Elsewhere {
        return html! {};
    }
    let body = match (&core.problem, &core.catalogue, &core.index) {
        // No catalogue may be there to say it in another language.
        (Some(problem), ..) => html! {
            <>
                <p role="alert">{ problem }</p>
                <p><a href="#lesson">{ tr!("Lessons") }</a>{ " · " }<a href="#lab">{ tr!("Lab") }</a></p>
            </>
        },
        (None, Some(catalogue), Some(index)) => match (&core.place, &core.course, &core.texts) {
            (Place::List, ..) => list(core, catalogue, index),
            (Place::Step(id, _), _, _) if !index.lessons.contains(id) => html! {
                <>
                    <p role="alert">{ word(catalogue, "unknown", &[("id", id.clone())]) }</p>
                    <p><a href="#lesson">{ word(catalogue, "all", &[]) }</a></p>
                </>
            },
            (Place::Step(..), Some(course), Some(texts)) => {
                let text = texts.steps.get(&course.step().id).cloned().unwrap_or_default();
                step(course, &text, catalogue, index, ask)
            }
            _ => html! {},
        },
        _ => html! {},
    };
    html! {
        <div class="lesson" lang={lang::tag()}>
            { bar(core) }
            { body }
        </div>
    }
}

/// The way out, the list, and the other languages.
fn bar(core: &Core) -> Html {
    let Some(catalogue) = &core.catalogue else { return html! {} };
    html! {
        <header class="row">
            if core.place == Place::List {
                <span class="note">{ word(catalogue, "lessons", &[]) }</span>
            } else {
                <a href="#lesson">{ word(catalogue, "all", &[]) }</a>
            }
            <span class="spring" />
            <a href="#lab">{ word(catalogue, "leave", &[]) }</a>
        </header>
    }
}

fn list(core: &Core, catalogue: &Catalogue, index: &Index) -> Html {
    let item = |id: &String| {
        let title = catalogue.lessons.get(id);
        let progress = core.progress.of(id).map(|(done, steps)| match done >= steps {
            true => word(catalogue, "done", &[]),
            false => word(catalogue, "so-far", &[("done", done.to_string()), ("steps", steps.to_string())]),
        });
        html! {
            <li>
                <a href={format!("#lesson/{id}")}>{ title.map_or(id.as_str(), |title| &title.title) }</a>
                if let Some(progress) = progress {
                    <span class="note">{ " · " }{ progress }</span>
                }
                <span class="about">{ title.map(|title| title.about.clone()) }</span>
            </li>
        }
    };
    html! {
        <>
            <h2 id="lesson-title" tabindex="-1">{ word(catalogue, "lessons", &[]) }</h2>
            <p>{ prose(&word(catalogue, "intro", &[])) }</p>
            <ol class="lessons">{ for index.lessons.iter().map(item) }</ol>
        </>
    }
}

fn step(course: &Course, text: &Text, catalogue: &Catalogue, index: &Index, ask: &Callback<Ask>) -> Html {
    let (own, numbers) = (course.step(), course.texts_of(&course.numbers));
    let steps = course.lesson.steps.len();
    let title = catalogue.lessons.get(&course.id).map_or("", |title| &title.title);
    let place = index.lessons.iter().position(|id| *id == course.id).unwrap_or(0);
    let next = index.lessons.get(place + 1);
    let progress = word(catalogue, "step", &[("step", (course.at + 1).to_string()), ("steps", steps.to_string())]);
    html! {
        <>
            <h2 id="lesson-title" tabindex="-1">{ format!("{} · {title}", place + 1) }</h2>
            <div class="row">
                <span class="note">{ progress }</span>
                <span class="steps" aria-hidden="true">
                    { for (0..steps).map(|at| html! { <i class={(at == course.at).then_some("here")} /> }) }
                </span>
                if matches!(course.phase, Phase::Coming { .. }) {
                    <span class="note">{ word(catalogue, "coming", &[]) }</span>
                }
            </div>
            <p class="says">{ prose(&filled(&text.text, &numbers)) }</p>
            if let Some(formula) = &own.formula {
                { formula_of(&filled(formula, &catalogue.words), ask) }
            }
            { table(own, text, catalogue) }
            if own.ask.is_some() {
                <Question key={format!("{} {}", course.id, course.at)} course={Shown(course.clone())} text={text.clone()}
                    {numbers} catalogue={catalogue.clone()} ask={ask.clone()} />
            }
            <nav class="row" aria-label={word(catalogue, "steps", &[])}>
                if course.at > 0 {
                    <a class="button" href={address(&course.id, course.at - 1)}>{ word(catalogue, "previous", &[]) }</a>
                }
                if course.at + 1 < steps {
                    <a class="button primary" href={address(&course.id, course.at + 1)}>{ word(catalogue, "next", &[]) }</a>
                } else if let Some(next) = next {
                    <a class="button primary" href={format!("#lesson/{next}")}>{ word(catalogue, "next-lesson", &[]) }</a>
                } else {
                    <a class="button primary" href="#lesson">{ word(catalogue, "all", &[]) }</a>
                }
                <span class="spring" />
                <button type="button" class="quiet" onclick={ask.reform(|_: MouseEvent| Ask::Restore)}>{ word(catalogue, "restore", &[]) }</button>
            </nav>
        </>
    }
}

/// A formula, whose symbols light up what they stand for while they are pointed at or have the keyboard.
fn formula_of(formula: &str, ask: &Callback<Ask>) -> Html {
    let symbol = |event: Event| {
        let target = event.target().and_then(|t| t.dyn_into::<Element>().ok());
        let symbol = target.and_then(|t| t.closest("[data-at]").ok().flatten());
        Ask::Symbol(symbol.and_then(|symbol| symbol.get_attribute("data-at")))
    };
    let over = ask.reform(move |event: PointerEvent| symbol(event.into()));
    let focus = ask.reform(move |event: FocusEvent| symbol(event.into()));
    html! {
        <div class="formula" onpointerover={over} onpointerleave={ask.reform(|_: PointerEvent| Ask::Symbol(None))}
            onfocusin={focus} onfocusout={ask.reform(|_: FocusEvent| Ask::Symbol(None))}>
            { Html::from_html_unchecked(formula.to_owned().into()) }
        </div>
    }
}

/// What is claimed, and beside it what was recorded.
fn table(step: &Step, text: &Text, catalogue: &Catalogue) -> Html {
    if step.table.is_empty() {
        return html! {};
    }
    let row = |row: &crate::lesson::data::Row| {
        let own = row.numbers.iter().map(|(name, number)| (name.clone(), number.measure.text(number.value)));
        let numbers: BTreeMap<String, String> = own.chain(row.quotes.clone()).collect();
        let [claim, found] = text.rows.get(&row.id).cloned().unwrap_or_default();
        html! {
            <tr>
                <th scope="row"><a href={format!("#experiments/{}", row.experiment)}>{ filled(&claim, &numbers) }</a></th>
                <td>{ prose(&filled(&found, &numbers)) }</td>
            </tr>
        }
    };
    html! {
        <table class="beside">
            <thead><tr>
                <th scope="col">{ word(catalogue, "claimed", &[]) }</th>
                <th scope="col">{ word(catalogue, "measured", &[]) }</th>
            </tr></thead>
            <tbody>{ for step.table.iter().map(row) }</tbody>
        </table>
    }
}
