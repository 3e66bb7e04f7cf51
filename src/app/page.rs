//! The application itself: holds the state, carries out effects, and lays the views out.

mod browser;
pub mod desk;
mod embed;
mod lead;
mod notices;

use std::{cell::RefCell, rc::Rc};

use gloo::timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use yew::prelude::*;

use super::{
    address::{self, Part},
    state::{Effect, Msg, State, update},
};
use crate::config::Task;
use crate::host::client::{Arrival, Client};
use crate::host::download::give;
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::protocol::{Command, Started};
use crate::view::ui::redraw::Redraw;
use crate::view::{
    action::{Action, Receiver},
    run::Run,
    snap::Snap,
    table::{self, Table},
    ui::{
        accuracy::accuracies,
        digits::DigitsPad,
        explain::Explain,
        flow::Method,
        gates::Gates,
        header::{HeaderProps, Share, header, status, status_why},
        held::Held,
        lanes::{LanesProps, lanes},
        language::use_language,
        light::Light,
        loss::LossChart,
        map::Map,
        panel::Panel,
        passage::TextPanel,
        sensors::Missing,
        weight::Weight,
        writing::Writing,
    },
    words::{hues, lane_names},
};

/// Starts the lab in `#app`, its trainer in `worker`. Called once, by the page's script.
#[wasm_bindgen]
pub fn start_lab(worker: web_sys::Worker) {
    console_error_panic_hook::set_once();
    let root = web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("app"));
    if let Some(root) = root {
        yew::Renderer::<App>::with_root_and_props(root, AppProps { worker }).render();
    }
}

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
        let soon = matches!(msg, Msg::Engine(_));
        let effects = update(&mut self.core.borrow_mut().state, msg);
        self.carry_out(effects);
        match soon {
            true => self.redraw.soon(),
            false => self.redraw.now(),
        }
        desk::tell();
    }

    /// Hands files over to the trainer; `files` are pairs of a path and a file.
    fn bring(&self, files: &Array) {
        let pairs: Vec<Array> = files.iter().map(|pair| Array::from(&pair)).collect();
        let paths = pairs.iter().map(|pair| pair.get(0).as_string().unwrap_or_default()).collect();
        let beside: Array = pairs.iter().map(|pair| pair.get(1)).collect();
        self.send(&Command::Bring(Bring::Open(paths)), &beside);
    }

    fn send(&self, command: &Command, beside: &JsValue) {
        let sent = match &self.core.borrow().client {
            Some(client) => client.send_with(command, beside),
            None => Ok(()),
        };
        if let Err(error) = sent {
            let message = tr!("The trainer cannot be reached: {error}.", error);
            update(&mut self.core.borrow_mut().state, Msg::Worker(message));
        }
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(command) => self.send(&command, &JsValue::UNDEFINED),
                Effect::Address(query) => browser::set_query(&query),
                Effect::Give(files, Receiver::PageAround) => desk::hand_over(files),
                Effect::Give(files, Receiver::Visitor) => {
                    files.iter().for_each(|(name, bytes)| give(name, &Uint8Array::from(bytes.as_slice())));
                }
                Effect::Theme { dark } => browser::set_theme(dark),
                Effect::Share(query) => {
                    let link = browser::link(&query);
                    self.core.borrow_mut().state.share = Some((link.clone(), false));
                    let handle = self.clone();
                    wasm_bindgen_futures::spawn_local(async move {
                        let copied = browser::copy(&link).await;
                        handle.handle(Msg::Copied(copied));
                    });
                }
            }
        }
    }
}

#[derive(Properties, PartialEq)]
struct AppProps {
    worker: web_sys::Worker,
}

#[component]
fn App(props: &AppProps) -> Html {
    let trigger = use_force_update();
    let handle = use_memo((), |()| {
        let mut address = address::read(&browser::query());
        address.paused |= browser::prefers_reduced_motion();
        let dark = browser::prefers_dark();
        let (state, effects) = State::start(address, dark);
        let state_dark = state.dark;
        let handle = Handle {
            core: Rc::new(RefCell::new(Core { state, client: None })),
            redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
        };
        browser::set_theme(state_dark);
        let on_arrival = {
            let handle = handle.clone();
            move |arrival| {
                handle.handle(match arrival {
                    Arrival::Message(event, _) => Msg::Engine(event),
                    Arrival::Failure(reason) => Msg::Worker(tr!(
                        "The trainer has stopped: {reason}. Reloading the page starts it again.",
                        reason
                    )),
                });
            }
        };
        match Client::start(props.worker.clone(), on_arrival) {
            Ok(client) => handle.core.borrow_mut().client = Some(client),
            Err(error) => {
                update(
                    &mut handle.core.borrow_mut().state,
                    Msg::Worker(tr!("Training is not possible here: {error}.", error)),
                );
            }
        }
        handle.carry_out(effects);
        desk::place(&handle);
        handle
    });
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            let tell = |wrap: fn(bool) -> Msg| {
                let handle = handle.clone();
                move |value| handle.handle(wrap(value))
            };
            let listeners = (browser::on_visibility(tell(Msg::Visible)), browser::on_theme(tell(Msg::Dark)));
            move || drop(listeners)
        });
    }
    // Lanes and panels come in a task of their own, so that the first one stays short.
    let begun = use_state_eq(|| false);
    {
        let begun = begun.clone();
        use_effect_with((), move |()| {
            let soon = Timeout::new(0, move || begun.set(true));
            move || drop(soon)
        });
    }
    let dispatch = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |action: Action| handle.handle(Msg::Act(action)))
    });
    let bring = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |files: Array| handle.bring(&files))
    });
    let language = use_language();
    let core = handle.core.borrow();
    use_effect_with(hues(&core.state.shown().lanes), |hues| browser::set_hues(hues));
    // In another language everything is drawn anew; the run is no part of what is drawn.
    html! { <>{ html! { <key={language}>{ page(&core.state, *begun, &dispatch, &bring) }</> } }</> }
}

/// The whole page for a state; before it has `begun`, without what comes in a second task.
fn page(state: &State, begun: bool, dispatch: &Callback<Action>, bring: &Callback<Array>) -> Html {
    let shows = |part: Part| state.embed.as_ref().is_none_or(|parts| parts.contains(&part));
    let layout = match (&state.embed, &state.config.task) {
        (Some(parts), _) if parts.len() == 1 => "page embed one",
        (Some(_), _) => "page embed",
        (None, Task::Digits(_) | Task::Sensors(_)) => "page with-digits",
        (None, Task::Text(_)) => "page with-text",
        (None, _) => "page",
    };
    html! {
        <>
            if state.embed.is_none() {
                { header(&HeaderProps {
                    config: state.shown().clone(),
                    brought: state.brought.clone(),
                    running: state.run.running,
                    ready: state.run.started.is_some(),
                    failed: state.run.failed,
                    finished: state.run.finished(),
                    speed: state.speed,
                    status: status(&state.run).into(),
                    status_why: status_why(&state.run).into(),
                    dark: state.dark,
                    share: state.share.as_ref().map(|(link, copied)| Share { link: link.clone(), copied: *copied }),
                    panels: Part::ALL.map(|(name, _)| name.into()).to_vec(),
                    dispatch: dispatch.clone(),
                    bring: bring.clone(),
                }) }
            }
            <main class={layout}>
                if state.embed.is_some() {
                    // For who does not see the page: what these panels belong to.
                    <h1 class="unseen">{ "LoRA Playground" }</h1>
                }
                { notices::notices(state, dispatch) }
                if state.embed.is_none() {
                    { lead::lead(state) }
                } else {
                    { embed::bar(state, dispatch) }
                    { embed::absent(state) }
                }
                if begun && shows(Part::Lanes) {
                    { lanes(&LanesProps {
                        config: state.shown().clone(),
                        live: state.draft.is_none() && state.run.started.is_some(),
                        frames: match &state.draft {
                            None => state.run.lanes.iter().map(|l| l.frame.clone()).collect(),
                            Some(_) => vec![],
                        },
                        dispatch: dispatch.clone(),
                        tables: costs(&state.run),
                        step: state.run.step,
                    }) }
                }
                if begun {
                    { panels(state, dispatch, &shows) }
                }
            </main>
            if state.embed.is_some() {
                { embed::caption(state) }
            }
            <Explain />
            <Light />
        </>
    }
}

/// The lanes' table: what each costs, once there is a run.
fn costs(run: &Run) -> Callback<(), Vec<Table>> {
    let (started, lanes, gates) = (run.started.clone(), run.lanes.clone(), run.gates.clone());
    Callback::from(move |()| {
        let table = |started: &Snap<Started>| table::costs(&lane_names(&started.config.lanes), started, &lanes, &gates);
        started.iter().map(table).collect()
    })
}

/// Everything that needs a run to be set up.
fn panels(state: &State, dispatch: &Callback<Action>, shows: &dyn Fn(Part) -> bool) -> Html {
    let run = &state.run;
    let Some(started) = &run.started else {
        return html! { <div class="loading" role="status">{ notices::loading(state) }</div> };
    };
    let names = lane_names(&started.config.lanes);
    let cross_entropy = !matches!(started.config.task, Task::Domains(_));
    let unit: AttrValue = match (&started.config.task, &started.text) {
        (Task::Digits(_) | Task::Sensors(_), _) => tr!("cross-entropy").into(),
        (Task::Text(_), text) => text.clone().unwrap_or_default().unit().into(),
        _ => tr!("share of target energy").into(),
    };
    let sensors = match &started.config.task {
        Task::Sensors(task) => Some(task.form.tokens()),
        _ => None,
    };
    let digits = sensors.is_some() || matches!(started.config.task, Task::Digits(_));
    let tables = {
        let (names, lanes, domains, unit) = (names.clone(), run.lanes.clone(), started.domains.clone(), unit.clone());
        Callback::from(move |()| {
            let mut tables: Vec<Table> = vec![table::losses(&names, &lanes, &unit)];
            if cross_entropy && digits {
                let latest: Vec<_> = lanes.iter().map(|l| l.accuracy.last().cloned()).collect();
                tables.push(table::accuracies(&names, &domains, &latest));
            }
            tables
        })
    };
    html! {
        <>
            if shows(Part::Loss) {
                <Panel id="loss" title={tr!("Loss")} {tables} step={run.step}>
                    <LossChart edits={run.edits.clone()} begun={state.begun.lanes.clone()} started={started.clone()} lanes={run.lanes.clone()} names={names.clone()} step={run.step} unit={unit.clone()}
                        held={run.text.held.clone()} history={run.text.history.clone()} />
                    if digits {
                        { accuracies(&run.lanes, &names, &started.domains, run.step) }
                    }
                </Panel>
            }
            <div class="side">
            if shows(Part::Gates) {
                <Gates lanes={run.lanes.len()} started={started.clone()} gates={run.gates.clone()} names={names.clone()} chosen={state.gate}
                    step={run.step} dark={state.dark} dispatch={dispatch.clone()} />
            }
            if run.weight.is_some() && shows(Part::Method) {
                <Method flow={run.flow.clone()} names={names.clone()} watch={state.watch} off={run.off()} step={run.step} dark={state.dark}
                    dispatch={dispatch.clone()} />
            }
            </div>
            { text(state, dispatch, &names, shows) }
            if let Some(weight) = run.weight.clone().filter(|_| shows(Part::Weight)) {
                <Weight started={started.clone()} {weight} names={names.clone()} watch={state.watch}
                    tokens={run.gates.first().map(|g| g.frame.token_domains.len())}
                    step={run.step} dark={state.dark} dispatch={dispatch.clone()} />
            }
            { experts(state, &names, shows) }
            { ranks(state, dispatch, &names, &unit, shows) }
            if digits && shows(Part::Digits) {
                <DigitsPad answers={run.drawing.clone()} names={names.clone()} sensors={sensors.is_some()} step={run.step} dark={state.dark} dispatch={dispatch.clone()} />
            }
            if let Some(sequence) = sensors.filter(|_| shows(Part::Gates)) {
                <Missing started={started.clone()} gates={run.gates.clone()} {names} {sequence} lanes={run.lanes.len()} step={run.step} />
            }
        </>
    }
}

/// What a language model reads and writes, and its layers.
fn text(state: &State, dispatch: &Callback<Action>, names: &[String], shows: &dyn Fn(Part) -> bool) -> Html {
    let (Some(started), Some(look)) = (&state.run.started, &state.look) else { return html! {} };
    let (text, names) = (&state.run.text, names.to_vec());
    html! {
        <>
            if shows(Part::Text) {
                <TextPanel started={started.clone()} passage={text.passage.clone()} look={look.clone()} names={names.clone()}
                    step={state.run.step} dark={state.dark} dispatch={dispatch.clone()} />
            }
            if shows(Part::Held) {
                if let Some(held) = &text.held {
                    <Held held={held.clone()} lanes={started.config.lanes.clone()} names={names.clone()} step={state.run.step} dark={state.dark} />
                } else {
                    <section id="held" class="panel">
                        <header><h2>{ tr!("Held-out text") }</h2></header>
                        <p class="note">{ tr!("It is being read, with the base first, then with lane by lane.") }</p>
                    </section>
                }
            }
            if shows(Part::Map) {
                <Map started={started.clone()} map={text.map.clone()} names={names.clone()} watch={state.watch} step={state.run.step}
                    dark={state.dark} dispatch={dispatch.clone()} />
            }
            if shows(Part::Writing) {
                <Writing writing={text.writing.clone()} prompt={state.prompt.clone()} {names}
                    step={state.run.step} dispatch={dispatch.clone()} />
            }
        </>
    }
}

/// The watched mixture's experts.
fn experts(state: &State, names: &[String], shows: &dyn Fn(Part) -> bool) -> Html {
    let of_mixture = state.run.weight.clone().filter(|weight| weight.experts.is_some());
    let weight = of_mixture.filter(|_| shows(Part::Experts));
    let name = |lane: usize| names.get(lane).cloned().unwrap_or_default();
    html! {
        if let Some(weight) = weight {
            <crate::view::ui::experts::Experts name={name(weight.watch.lane)} {weight} step={state.run.step} dark={state.dark} />
        }
    }
}

/// What budgets leave in use, and what lanes lose when cut where one of them is trained for it.
fn ranks(
    state: &State,
    dispatch: &Callback<Action>,
    names: &[String],
    unit: &AttrValue,
    shows: &dyn Fn(Part) -> bool,
) -> Html {
    use crate::view::ui::{budget::Budgets, cuts::Cuts};
    let Some(started) = state.run.started.as_ref().filter(|_| shows(Part::Ranks)) else { return html! {} };
    let lanes = &started.config.lanes;
    let any_budget = lanes.iter().any(|lane| lane.method.extras.budget.is_some());
    let any_cut = lanes.iter().any(|lane| lane.method.extras.cut.is_some_and(|cut| cut.trained));
    let (names, ranks, step) = (names.to_vec(), &state.run.ranks, state.run.step);
    html! {
        if any_budget || any_cut {
            <div class="ranks">
                if any_budget {
                    <Budgets started={started.clone()} budgets={ranks.budgets.clone()} names={names.clone()} {step} dark={state.dark} />
                }
                if any_cut {
                    <Cuts started={started.clone()} cuts={ranks.cuts.clone()} {names} {step} {unit} dispatch={dispatch.clone()} />
                }
            </div>
        }
    }
}
