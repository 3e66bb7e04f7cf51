//! What stands above the panels: the run's title, and the sentence of the moment. Knows nothing of what it is made from.

use yew::prelude::*;

use crate::app::state::State;
use crate::lang::{said, tr};
use crate::view::now::{Part, parts};
use crate::view::words::{lane_names, on_cpu, run_title};

/// What the run is, and what is to be seen in it now.
pub fn lead(state: &State) -> Html {
    let lanes = state.config.lanes.len();
    let fallback = state.run.started.as_ref().and_then(|s| s.fallback.clone());
    html! {
        <div class="lead">
            <p class="title">
                { run_title(&state.config.task, lanes) }
                <span class="note">{ tr!(" What is underlined with dots explains itself: point at it, tap it or go there by Tab.") }</span>
                if let Some(reason) = &fallback {
                    <b>{ " " }{ on_cpu(reason) }</b>
                }
            </p>
            if !state.run.now.claim.is_empty() {
                { now_line(state) }
            }
        </div>
    }
}

/// The claim in its lanes' colours, and the notice behind it.
pub fn now_line(state: &State) -> Html {
    let line = &state.run.now;
    let names = lane_names(&state.config.lanes);
    let explained = |sentence: &str, numbers: &[(String, String)]| -> Html {
        let parts = parts(sentence, &names, numbers).into_iter().map(|part| match part {
            Part::Plain(text) => html! { { text } },
            Part::Lane(lane, name) => {
                let why = format!("{}: {}", names[lane], said(state.config.lanes[lane].method.why));
                html! { <span class={format!("named lane-{lane}")} tabindex="0" data-why={why}>{ name }</span> }
            }
            Part::Number(number, why) => html! { <span tabindex="0" data-why={why}>{ number }</span> },
        });
        parts.collect()
    };
    html! {
        <p class="now">
            <span>{ tr!("Now: ") }</span><b>{ explained(&line.claim, &line.numbers) }</b>
            if !line.notice.is_empty() {
                { " " }{ explained(&line.notice, &[]) }
            }
        </p>
    }
}
