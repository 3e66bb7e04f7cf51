//! Fifty languages, one base, as a visitor meets it: holds the state and the worker, and lays the views out. They emit messages
//! and know nothing of how they are carried out.

mod matrices;
mod merge;
mod mistaken;
mod ramp;
mod swap;
pub mod worker;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::cases::languages::measured::Measured;
use crate::cases::languages::state::{Msg, Phase, State, update};
use crate::cases::languages::wire::Report;
use crate::cases::languages::words::{sentence, sizes};
use crate::host::browser;
use crate::host::client::{Arrival, Client};
use crate::host::file::fetch;
use crate::host::shelf;
use crate::lang::tr;
use crate::view::format::three;
use crate::view::ui::redraw::Redraw;

/// State and worker, shared by all that calls back.
struct Core {
    /// `None` until what was measured is there; or why it is not.
    state: Option<Result<State, String>>,
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
        let orders = match &mut self.core.borrow_mut().state {
            Some(Ok(state)) => update(state, msg),
            _ => return,
        };
        for order in orders {
            let sent = self
                .core
                .borrow()
                .client
                .as_ref()
                .map_or_else(|| Err(tr!("it could not be started")), |c| c.send(&order));
            if let Err(error) = sent {
                self.handle(Msg::Gone(error));
            }
        }
        match soon {
            true => self.redraw.soon(),
            false => self.redraw.now(),
        }
    }

    /// Fetches what was measured, then starts the worker, which fetches the rest.
    async fn open(&self) {
        let read = async { Measured::read(&fetch("data/lm/languages.json").await?) };
        let read = read.await;
        let there = read.is_ok();
        self.core.borrow_mut().state = Some(read.map(State::new).map_err(|error| error.to_string()));
        if there {
            self.start();
        }
        self.redraw.now();
    }

    fn start(&self) {
        let handle = self.clone();
        let on_arrival = move |arrival| {
            handle.handle(match arrival {
                Arrival::Message(Report::Given, files) => {
                    shelf::put(Array::from(&files));
                    return browser::go_to("#adapters");
                }
                Arrival::Message(report, _) => Msg::Report(report),
                Arrival::Failure(reason) => Msg::Gone(reason),
            });
        };
        match browser::worker("languages").and_then(|worker| Client::start(worker, on_arrival)) {
            Ok(client) => self.core.borrow_mut().client = Some(client),
            Err(error) => self.handle(Msg::Gone(error)),
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct LanguagesProps {
    pub shown: bool,
    pub dark: bool,
}

#[component]
pub fn Languages(props: &LanguagesProps) -> Html {
    let trigger = use_force_update();
    let handle = use_memo((), |()| Handle {
        core: Rc::new(RefCell::new(Core { state: None, client: None })),
        redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
    });
    {
        // What could not be had is asked for again when the case is opened again.
        let handle = handle.clone();
        use_effect_with(props.shown, move |&shown| {
            let missing = match &handle.core.borrow().state {
                None | Some(Err(_)) => true,
                Some(Ok(state)) => matches!(state.phase, Phase::Stopped(_)),
            };
            if shown && missing {
                handle.core.borrow_mut().state = None;
                spawn_local(async move { handle.open().await });
            }
        });
    }
    let tell = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |msg: Msg| handle.handle(msg))
    });
    let core = handle.core.borrow();
    let state = match &core.state {
        None => return html! { <p class="loading" role="status">{ tr!("Loading what was measured…") }</p> },
        Some(Err(problem)) => return html! { <div class="notice" role="alert"><p>{ problem }</p></div> },
        Some(Ok(state)) => state,
    };
    let measured = &state.measured;
    html! {
        <>
            <p class="lead-line">{ sentence(measured) }</p>
            <dl class="sums">
                { for sizes(measured).into_iter().map(|(what, size)| html! { <div><dt class="note">{ what }</dt><dd>{ size }</dd></div> }) }
            </dl>
            if let Some(problem) = &state.problem {
                <div class="notice" role="alert">
                    <p>{ problem }</p>
                    <button type="button" class="quiet" onclick={tell.reform(|_: MouseEvent| Msg::Dismiss)}>{ tr!("Dismiss") }</button>
                </div>
            }
            { phase(&state.phase, &tell) }
            { swap::swap(state, props.dark, &tell) }
            <matrices::Matrices measured={measured.clone()} ready={state.ready()} dark={props.dark} tell={(*tell).clone()} />
            <mistaken::Mistaken measured={measured.clone()} />
            { merge::merge(state, &tell) }
        </>
    }
}

/// What the worker is at, and where it reads: a choice.
fn phase(phase: &Phase, tell: &Callback<Msg>) -> Html {
    let choose = |on: bool| tell.reform(move |_: MouseEvent| Msg::Backend(on));
    match phase {
        Phase::Preparing(what) => html! { <p class="phase" role="status">{ format!("{what}…") }</p> },
        Phase::Stopped(reason) => html! {
            <div class="notice" role="alert"><p>{ tr!("Nothing can be read here: {reason}. Opening this case again tries once more; what was measured is below.", reason) }</p></div>
        },
        Phase::Ready { webgpu, name, milliseconds } => html! {
            <div class="row phase wrap">
                <div class="choices" role="group" aria-label={tr!("Backend")}>
                    <button type="button" aria-pressed={webgpu.to_string()} onclick={choose(true)}>{ if *webgpu { tr!("WebGPU ({name})", name) } else { "WebGPU".into() } }</button>
                    <button type="button" aria-pressed={(!webgpu).to_string()} onclick={choose(false)}>{ "CPU" }</button>
                </div>
                <p class="note" role="status">
                    { tr!("Base and all adapters are there, made ready in {} s.", three(milliseconds / 1000.0)) }
                    if !webgpu && !name.is_empty() { { format!(" {}.", name.trim_end_matches('.')) } }
                </p>
            </div>
        },
    }
}
