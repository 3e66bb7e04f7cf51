//! A step's question: what is foretold, then what the run says of it. Emits `Ask`s.

use std::collections::BTreeMap;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::Ask;
use super::prose::{Shown, prose, word};
use crate::lesson::course::Phase;
use crate::lesson::data::{Catalogue, Text};
use crate::lesson::words::filled;

#[derive(Properties, PartialEq)]
pub struct QuestionProps {
    pub course: Shown,
    pub text: Text,
    pub numbers: BTreeMap<String, String>,
    pub catalogue: Catalogue,
    pub ask: Callback<Ask>,
}

#[component]
pub fn Question(props: &QuestionProps) -> Html {
    let QuestionProps { course: Shown(course), text, numbers, catalogue, ask } = props;
    let input = use_node_ref();
    let refused = use_state_eq(|| false);
    let Some(own) = &course.step().ask else { return html! {} };
    let say = |key: &str| word(catalogue, key, &[]);
    let waits = matches!(course.phase, Phase::There);
    let is_number = own.choices.is_empty();
    let choices = text.choices.iter().enumerate().map(|(index, choice)| {
        let guess = Some(index as f64);
        let is_own = matches!(&course.phase, Phase::Going { guess: own, .. } | Phase::Told { guess: own, .. } if *own == guess);
        let onclick = ask.reform(move |_: MouseEvent| Ask::Answer(guess));
        html! {
            <button type="button" disabled={!waits} aria-pressed={is_own.to_string()} {onclick}>{ filled(choice, numbers) }</button>
        }
    });
    let submit = {
        let (ask, input, refused) = (ask.clone(), input.clone(), refused.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let text = input.cast::<HtmlInputElement>().map(|input| input.value()).unwrap_or_default();
            // As people write numbers: with a comma for the point, or commas between thousands where there are no decimals.
            let plain = text.trim().replace('−', "-");
            let read = plain.parse::<f64>().or_else(|_| plain.replace(',', ".").parse());
            let read = read.or_else(|_| plain.replace([',', ' '], "").parse::<f64>());
            match read {
                Ok(value) if value.is_finite() => ask.emit(Ask::Answer(Some(value))),
                _ => refused.set(true),
            }
        })
    };
    html! {
        <section class="question" aria-label={say("question")}>
            <p><b>{ prose(&filled(&text.question, numbers)) }</b></p>
            if is_number {
                <form class="row" onsubmit={submit}>
                    <input ref={input} type="text" inputmode="decimal" autocomplete="off" disabled={!waits} aria-label={say("answer")} />
                    <button type="submit" class="primary" disabled={!waits}>{ say("predict") }</button>
                </form>
                if *refused && waits {
                    <p role="alert" class="note">{ say("refused") }</p>
                }
            } else {
                <div class="options" role="group" aria-label={say("answer")}>{ for choices }</div>
            }
            if waits {
                <button type="button" class="quiet" onclick={ask.reform(|_: MouseEvent| Ask::Answer(None))}>{ say("show") }</button>
            }
            <div class="told" aria-live="polite">
                if matches!(course.phase, Phase::Going { .. }) {
                    <p class="note">{ say("going") }</p>
                }
                if let Phase::Told { guess, measured } = course.phase {
                    { told(props, guess, measured) }
                }
            </div>
        </section>
    }
}

/// What the run says, whether the guess was close, and why.
fn told(props: &QuestionProps, guess: Option<f64>, measured: f64) -> Html {
    let QuestionProps { course: Shown(course), text, numbers, catalogue, .. } = props;
    let Some(own) = &course.step().ask else { return html! {} };
    let number = own.measure.text(measured);
    let close = guess.map(|guess| own.is_close(guess, measured));
    let choice = text.choices.get(own.choice(measured)).filter(|_| !own.choices.is_empty());
    let guessed = match (guess, own.choices.is_empty()) {
        (Some(guess), true) => own.measure.text(guess),
        (Some(guess), false) => text.choices.get(guess as usize).cloned().unwrap_or_default(),
        (None, _) => String::new(),
    };
    let key = match close {
        Some(true) if choice.is_some() => "right",
        Some(true) => "close",
        Some(false) => "far",
        None => "shown",
    };
    let mut all = course.texts_of(&course.told);
    all.insert("measured".into(), number.clone());
    let guessed = filled(&guessed, numbers);
    let words = [("measured", number), ("guess", guessed.clone()), ("choice", guessed)];
    html! {
        <>
            <p class={classes!("outcome", key)}><b>{ word(catalogue, key, &words) }</b>
                if let Some(choice) = choice.filter(|_| close != Some(true)) {
                    { " " }{ word(catalogue, "which", &[("choice", filled(choice, numbers))]) }
                }
            </p>
            <p>{ prose(&filled(&text.why, &all)) }</p>
        </>
    }
}
