//! A personal model under a budget, as a visitor meets it: holds the state and the worker, and lays the views out. They emit messages
//! and know nothing of how they are carried out.

mod chart;
mod runs;
mod students;
mod text;
mod train;
pub mod worker;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use yew::prelude::*;

use crate::cases::personal::state::{Msg, Phase, State, update};
use crate::cases::personal::wire::Report;
use crate::host::browser;
use crate::host::client::{Arrival, Client};
use crate::host::download::give;
use crate::lang::tr;
use crate::view::format::three;
use crate::view::ui::redraw::Redraw;

/// State and worker, shared by all that calls back.
struct Core {
    state: State,
    client: Option<Client>,
}

#[derive(Clone)]
struct Handle {
    core: Rc<RefCell<Core>>,
    redraw: Redraw,
}

impl Handle {
    fn handle(&self, msg: Msg) {
        let soon = matches!(msg, Msg::Report(_));
        let orders = update(&mut self.core.borrow_mut().state, msg);
        for order in orders {
            let client = self.core.borrow();
            let sent = client.client.as_ref().map_or_else(|| Err(tr!("it could not be started")), |c| c.send(&order));
            drop(client);
            if let Err(error) = sent {
                self.handle(Msg::Gone(error));
            }
        }
        match soon {
            true => self.redraw.soon(),
            false => self.redraw.now(),
        }
    }

    fn start(&self) {
        self.core.borrow_mut().state.phase = Phase::Preparing(tr!("The worker is being started"));
        let handle = self.clone();
        let on_arrival = move |arrival| {
            handle.handle(match arrival {
                Arrival::Message(Report::Given, files) => {
                    for pair in Array::from(&files).iter().map(|pair| Array::from(&pair)) {
                        give(&pair.get(0).as_string().unwrap_or_default(), &pair.get(1));
                    }
                    return;
                }
                Arrival::Message(report, _) => Msg::Report(report),
                Arrival::Failure(reason) => Msg::Gone(reason),
            });
        };
        match browser::worker("personal").and_then(|worker| Client::start(worker, on_arrival)) {
            Ok(client) => self.core.borrow_mut().client = Some(client),
            Err(error) => self.handle(Msg::Gone(error)),
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct PersonalProps {
    pub shown: bool,
}

#[component]
pub fn Personal(props: &PersonalProps) -> Html {
    let trigger = use_force_update();
    let handle = use_memo((), |()| Handle {
        core: Rc::new(RefCell::new(Core { state: State::default(), client: None })),
        redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
    });
    {
        // What could not be had is asked for again when the case is opened again.
        let handle = handle.clone();
        use_effect_with(props.shown, move |&shown| {
            let missing = {
                let core = handle.core.borrow();
                core.client.is_none() || matches!(core.state.phase, Phase::Stopped(_))
            };
            if shown && missing {
                handle.start();
                handle.redraw.now();
            }
        });
    }
    let tell = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |msg: Msg| handle.handle(msg))
    });
    let core = handle.core.borrow();
    let state = &core.state;
    html! {
        <>
            <p class="said">
                { tr!("Write-ups promise a model of one’s own in 200 KB, trained on one’s own device, with a teacher to help where the text is short. Bring a text, \
                   or take a prepared one; see which adapters fit, train them here, and take away a file whose size and loss are measured.") }
            </p>
            if let Some(problem) = &state.problem {
                <div class="notice" role="alert">
                    <p>{ problem }</p>
                    <button type="button" class="quiet" onclick={tell.reform(|_: MouseEvent| Msg::Dismiss)}>{ tr!("Dismiss") }</button>
                </div>
            }
            { phase(&state.phase, state.work.is_some(), &tell) }
            <div class="halves personal-halves">
                { text::text(state, &tell) }
                { students::students(state, &tell) }
                { train::train(state, &tell) }
            </div>
            { runs::runs(state, &tell) }
        </>
    }
}

/// What the worker is at, and where it trains: a choice while nothing is trained.
fn phase(phase: &Phase, busy: bool, tell: &Callback<Msg>) -> Html {
    let choose = |on: bool| tell.reform(move |_: MouseEvent| Msg::Backend(on));
    match phase {
        Phase::Preparing(what) => html! { <p class="phase" role="status">{ format!("{what}…") }</p> },
        Phase::Stopped(reason) => html! {
            <div class="notice" role="alert"><p>{ tr!("Nothing can be trained here: {reason}. Opening this case again tries once more.", reason) }</p></div>
        },
        Phase::Ready { webgpu, name, milliseconds } => html! {
            <div class="row phase wrap">
                <div class="choices" role="group" aria-label={tr!("Backend")}>
                    <button type="button" disabled={busy} aria-pressed={webgpu.to_string()} onclick={choose(true)}>{ if *webgpu { tr!("WebGPU ({name})", name) } else { "WebGPU".into() } }</button>
                    <button type="button" disabled={busy} aria-pressed={(!webgpu).to_string()} onclick={choose(false)}>{ "CPU" }</button>
                </div>
                <p class="note" role="status">
                    { tr!("Base and texts are there, and every student’s file was written once to measure it, in {} s.", three(milliseconds / 1000.0)) }
                    if !webgpu && !name.is_empty() { { format!(" {}.", name.trim_end_matches('.')) } }
                </p>
            </div>
        },
    }
}
