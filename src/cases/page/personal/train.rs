//! How students are trained, and how far that is.

use yew::prelude::*;

use crate::cases::personal::state::{Msg, STEPS, State, TEMPERATURE, Work};
use crate::cases::personal::wire::{Unlabelled, Way};
use crate::cases::personal::words::doing;
use crate::view::ui::control::{Button, Choice, Number, Switch};

const WAYS: [(&str, &str); 4] = [
    ("plain", "The own text, byte by byte."),
    (
        "distilled",
        "The own text, and at every byte all that a teacher expects there: one that has read the public text too.",
    ),
    ("plain, all text", "The own and the public text: what could be had without a teacher, if the text may be kept."),
    ("distilled, all text", "Both texts, with what the teacher expects."),
];
const UNLABELLED: [Unlabelled; 3] = [Unlabelled::None, Unlabelled::Written, Unlabelled::Public];

pub fn train(state: &State, tell: &Callback<Msg>) -> Html {
    let chosen = UNLABELLED.iter().position(|&one| one == state.plan().unlabelled).unwrap_or(0);
    let options: Vec<AttrValue> = ["nothing", "the teacher’s writing, 8 KB", "the public text"]
        .into_iter()
        .take(if state.has_public() { 3 } else { 2 })
        .map(AttrValue::from)
        .collect();
    let ways = WAYS.iter().enumerate().map(|(at, (label, why))| {
        html! { <Switch label={*label} why={*why} on={state.ways[at]} on_change={tell.reform(move |_: bool| Msg::Way(at))} /> }
    });
    let distils = Way::ALL.iter().zip(state.ways).any(|(way, on)| on && way.is_distilled());
    let missing = state.missing();
    let runs = state.trained().len() * state.ways.iter().filter(|&&on| on).count();
    html! {
        <section class="panel" aria-labelledby="personal-train">
            <header><h3 id="personal-train">{ "Train, plainly and with a teacher" }</h3></header>
            <div class="row wrap controls-row" role="group" aria-label="Ways of training">{ for ways }</div>
            <div class="row wrap controls-row">
                if distils {
                    <Choice label="distilled reads, unlabelled," why="Beside the own text, for nothing but what the teacher expects there." {options} {chosen}
                        on_change={tell.reform(|at: usize| Msg::Unlabelled(UNLABELLED.get(at).copied().unwrap_or(Unlabelled::None)))} />
                    <Number label="temperature" why="By which the teacher's and the student's logits are divided: above 1, less likely bytes count for more." value={state.temperature}
                        min={TEMPERATURE.0} max={TEMPERATURE.1} on_change={tell.reform(Msg::Temperature)} />
                    <Number label="mix λ" why="The teacher's share of the loss; the text itself has the rest." value={state.mix} min={0.0} max={1.0} on_change={tell.reform(Msg::Mix)} />
                }
                <Number label="steps" why="Of 8 passages of 64 bytes; the teacher takes twice as many." value={state.steps as f64} min={STEPS.0} max={STEPS.1} whole=true
                    on_change={tell.reform(|steps: f64| Msg::Steps(steps as usize))} />
            </div>
            <div class="row wrap">
                if let Some(work) = &state.work {
                    { Button::new("Stop", "Gives up what is being trained; finished runs stay.").disabled(work.stopping).calls(tell.reform(|()| Msg::Stop)) }
                    { progress(state, work) }
                } else {
                    { Button::primary("Train", "Trains the chosen students one after the other, here.").disabled(!state.ready() || missing.is_some()).calls(tell.reform(|()| Msg::Train)) }
                    <p class="note">{ missing.unwrap_or_else(|| format!("{runs} {}, after the teacher’s.", if runs == 1 { "run" } else { "runs" })) }</p>
                }
            </div>
        </section>
    }
}

fn progress(state: &State, work: &Work) -> Html {
    let what = match (&work.doing, work.stopping) {
        (_, true) => "Stopping after this step".into(),
        (None, _) => "Beginning".into(),
        (Some(what), _) => doing(what, &state.students),
    };
    html! {
        <>
            <progress aria-label={what.clone()} max={work.of.to_string()} value={work.done.to_string()} />
            <p class="note" role="status">{ format!("{what} · {} of {} runs finished", work.runs.0, work.runs.1) }</p>
        </>
    }
}
