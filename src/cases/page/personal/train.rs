//! How students are trained, and how far that is.

use yew::prelude::*;

use crate::cases::personal::state::{Msg, STEPS, State, TEMPERATURE, Work};
use crate::cases::personal::wire::{Unlabelled, Way};
use crate::cases::personal::words::doing;
use crate::lang::{marked, said, tr};
use crate::view::ui::control::{Button, Choice, Number, Switch};

const WAYS: [(&str, &str); 4] = [
    (marked!("plain"), marked!("The own text, byte by byte.")),
    (
        marked!("distilled"),
        marked!(
            "The own text, and at every byte all that a teacher expects there: one that has read the public text too."
        ),
    ),
    (
        marked!("plain, all text"),
        marked!("The own and the public text: what could be had without a teacher, if the text may be kept."),
    ),
    (marked!("distilled, all text"), marked!("Both texts, with what the teacher expects.")),
];
const UNLABELLED: [Unlabelled; 3] = [Unlabelled::None, Unlabelled::Written, Unlabelled::Public];

pub fn train(state: &State, tell: &Callback<Msg>) -> Html {
    let chosen = UNLABELLED.iter().position(|&one| one == state.plan().unlabelled).unwrap_or(0);
    let options: Vec<AttrValue> = [tr!("nothing"), tr!("the teacher’s writing, 8 KB"), tr!("the public text")]
        .into_iter()
        .take(if state.has_public() { 3 } else { 2 })
        .map(AttrValue::from)
        .collect();
    let ways = WAYS.iter().enumerate().map(|(at, (label, why))| {
        html! { <Switch label={said(label)} why={said(why)} on={state.ways[at]} on_change={tell.reform(move |_: bool| Msg::Way(at))} /> }
    });
    let distils = Way::ALL.iter().zip(state.ways).any(|(way, on)| on && way.is_distilled());
    let missing = state.missing();
    let runs = state.trained().len() * state.ways.iter().filter(|&&on| on).count();
    html! {
        <section class="panel" aria-labelledby="personal-train">
            <header><h3 id="personal-train">{ tr!("Train, plainly and with a teacher") }</h3></header>
            <div class="row wrap controls-row" role="group" aria-label={tr!("Ways of training")}>{ for ways }</div>
            <div class="row wrap controls-row">
                if distils {
                    <Choice label={tr!("distilled reads, unlabelled,")} why={tr!("Beside the own text, for nothing but what the teacher expects there.")} {options} {chosen}
                        on_change={tell.reform(|at: usize| Msg::Unlabelled(UNLABELLED.get(at).copied().unwrap_or(Unlabelled::None)))} />
                    <Number label={tr!("temperature")} why={tr!("By which the teacher's and the student's logits are divided: above 1, less likely bytes count for more.")} value={state.temperature}
                        min={TEMPERATURE.0} max={TEMPERATURE.1} on_change={tell.reform(Msg::Temperature)} />
                    <Number label={tr!("mix λ")} why={tr!("The teacher's share of the loss; the text itself has the rest.")} value={state.mix} min={0.0} max={1.0} on_change={tell.reform(Msg::Mix)} />
                }
                <Number label={tr!("steps")} why={tr!("Of 8 passages of 64 bytes; the teacher takes twice as many.")} value={state.steps as f64} min={STEPS.0} max={STEPS.1} whole=true
                    on_change={tell.reform(|steps: f64| Msg::Steps(steps as usize))} />
            </div>
            <div class="row wrap">
                if let Some(work) = &state.work {
                    { Button::new(tr!("Stop"), tr!("Gives up what is being trained; finished runs stay.")).disabled(work.stopping).calls(tell.reform(|()| Msg::Stop)) }
                    { progress(state, work) }
                } else {
                    { Button::primary(tr!("Train"), tr!("Trains the chosen students one after the other, here.")).disabled(!state.ready() || missing.is_some()).calls(tell.reform(|()| Msg::Train)) }
                    <p class="note">{ missing.unwrap_or_else(|| tr!("{n} run, after the teacher’s." | "{n} runs, after the teacher’s." % runs)) }</p>
                }
            </div>
        </section>
    }
}

fn progress(state: &State, work: &Work) -> Html {
    let what = match (&work.doing, work.stopping) {
        (_, true) => tr!("Stopping after this step"),
        (None, _) => tr!("Beginning"),
        (Some(what), _) => doing(what, &state.students),
    };
    html! {
        <>
            <progress aria-label={what.clone()} max={work.of.to_string()} value={work.done.to_string()} />
            <p class="note" role="status">{ tr!("{what} · {} of {} runs finished", work.runs.0, work.runs.1, what) }</p>
        </>
    }
}
