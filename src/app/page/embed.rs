//! What stands around panels in another page: the run's buttons, its sentence of the moment, and the way back to the whole
//! page. Knows nothing of the panels, nor of the page around.

use yew::prelude::*;

use super::browser;
use super::lead::now_line;
use crate::app::address::Part;
use crate::app::state::State;
use crate::config::Task;
use crate::lang::tr;
use crate::view::action::Action;
use crate::view::format::count;
use crate::view::ui::control::Button;
use crate::view::ui::header::{status, status_why};
use crate::view::words::run_title;

/// Above the panels.
pub fn bar(state: &State, dispatch: &Callback<Action>) -> Html {
    let (run, ready) = (&state.run, state.run.started.is_some());
    let main = match (run.running, run.finished()) {
        (_, Some(_)) => {
            Button::primary(tr!("Again"), tr!("Begin this run again at step 0.")).acts(dispatch, Action::Reset)
        }
        (true, None) => Button::primary(tr!("Pause"), tr!("Stop after the present step; everything stays as it is."))
            .disabled(!ready)
            .acts(dispatch, Action::Pause),
        (false, None) => Button::primary(tr!("Run"), tr!("Train on, all lanes together."))
            .disabled(!(ready || run.failed))
            .acts(dispatch, Action::Run),
    };
    html! {
        <div class="transport">
            { main }
            { Button::new(tr!("Step"), tr!("One training step, then pause.")).disabled(!ready).acts(dispatch, Action::Step) }
            { Button::new(tr!("Reset"), tr!("Begin again at step 0 with the same seed.")).disabled(!ready).acts(dispatch, Action::Reset) }
            <div class="lead" role="group" tabindex="0" aria-label={tr!("The run now")}>
                if !run.now.claim.is_empty() {
                    { now_line(state) }
                }
            </div>
        </div>
    }
}

/// Below the panels.
pub fn caption(state: &State) -> Html {
    html! {
        <footer class="row caption">
            <a href={browser::link(&state.link())} target="_blank" rel="noopener"
                data-why={tr!("Open this run as a page of its own, with every panel and every setting.")}>{ "LoRA Playground" }</a>
            <span class="note title">{ run_title(&state.config.task, state.config.lanes.len()) }</span>
            <span class="spring" />
            <span class="status" role="status" aria-live="off" tabindex="0" data-why={status_why(&state.run)}>{ short(state) }</span>
        </footer>
    }
}

/// The status without the GPU's name, for which there is no room.
fn short(state: &State) -> String {
    match &state.run.started {
        Some(started) if !state.run.lanes.is_empty() => {
            let device = if started.backend == "webgpu" { "WebGPU" } else { "CPU" };
            tr!("step {} · {device}", count(state.run.step), device)
        }
        _ => status(&state.run),
    }
}

/// Panels that were asked for and that this run has not, each in a sentence.
pub fn absent(state: &State) -> Html {
    let config = &state.config;
    let kind = match &config.task {
        Task::Digits(_) | Task::Sensors(_) => "digits",
        Task::Text(_) => "text",
        Task::Domains(_) | Task::Custom => "domains",
    };
    let lanes = || config.lanes.iter();
    let sentence = |part: &Part| match part {
        Part::Experts if !lanes().any(|lane| lane.is_gated()) => Some(tr!("no lane of this run has experts.")),
        Part::Experts if !config.lanes.get(state.watch.lane).is_some_and(|lane| lane.is_gated()) => {
            Some(tr!("the lane that is looked at has no experts."))
        }
        Part::Ranks
            if !lanes().any(|lane| {
                lane.method.extras.budget.is_some() || lane.method.extras.cut.is_some_and(|cut| cut.trained)
            }) =>
        {
            Some(tr!("the ranks of this run's lanes are fixed numbers."))
        }
        _ => part.task().filter(|task| *task != kind).map(|task| {
            tr!("only runs of the task \u{201c}{task}\u{201d} have it: put task={task} into the address.", task)
        }),
    };
    let said = state.embed.iter().flatten().filter_map(|part| {
        let why = sentence(part)?;
        Some(html! { <p class="panel absent">{ tr!("The panel \u{201c}{}\u{201d} is not here: {why}", part.name(), why) }</p> })
    });
    html! { <>{ for said }</> }
}
