//! What stands above the panels in a box of its own, and in their place before the first step. Knows nothing of panels.

use yew::prelude::*;

use super::super::state::State;
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::view::{
    action::Action,
    format::{count, percent, three},
    ui::control::Button,
};

/// Problems, the question before a restart, and what is being done before training begins.
pub fn notices(state: &State, dispatch: &Callback<Action>) -> Html {
    let problems = state.problems.iter().enumerate().map(|(index, message)| {
        html! {
            <div class="notice" role="alert">
                <p>{ message }</p>
                { Button::quiet(tr!("Dismiss"), tr!("Put this message away.")).acts(dispatch, Action::Dismiss(index)) }
            </div>
        }
    });
    html! {
        <>
            { for problems }
            if let Some(reason) = &state.no_gpu {
                <div class="notice" role="alert">
                    <p>{ tr!("This link asks for WebGPU, a browser's way to the GPU, which cannot be used here: {reason}. Run trains on your processor instead: slower, otherwise the same.", reason) }</p>
                    { Button::primary(tr!("Continue on the CPU"), tr!("Begin this run without WebGPU.")).acts(dispatch, Action::WithoutGpu) }
                </div>
            }
            if let Some(share) = state.run.own_read {
                <div class="notice quiet-note">
                    <p>{ tr!("Reading your own model: {}", percent(share.into())) }</p>
                    <progress max="1" value={share.to_string()} aria-label={tr!("Reading your own model")} />
                    { Button::quiet(tr!("Cancel"), tr!("Leave it unread; what ran goes on.")).named(tr!("Cancel reading")).acts(dispatch, Action::Bring(Bring::Leave)) }
                </div>
            }
            if state.draft.is_some() {
                <div class="notice ask" role="status">
                    <p>{ tr!("Restart at step 0 with this change? The {} steps done so far would be lost.", count(state.run.step)) }</p>
                    { Button::primary(tr!("Restart"), tr!("Begin again at step 0 with the change.")).acts(dispatch, Action::Restart) }
                    { Button::quiet(tr!("Keep running"), tr!("Drop the change and go on as before.")).acts(dispatch, Action::KeepRunning) }
                </div>
            }
        </>
    }
}

/// What is being done before the first step.
pub fn loading(state: &State) -> Html {
    if state.run.failed {
        return html! { <p>{ tr!("This run has not begun: see above.") }</p> };
    }
    let stage = state.run.stage.clone().unwrap_or_else(|| tr!("Starting the engine"));
    html! {
        <>
            <p>{ stage }{ " …" }</p>
            if let Some(p) = state.run.pretraining {
                <p class="note">{ tr!("step {} of {} · loss {} · accuracy {}", count(p.step), count(p.total),
                    three(f64::from(p.loss)), percent(f64::from(p.accuracy))) }
                    if let Some(left) = p.left {
                        { tr!(" · about {} s left", left.ceil()) }
                    }
                </p>
                <progress max={p.total.to_string()} value={p.step.to_string()} aria-label={tr!("Pretraining")} />
            }
        </>
    }
}
