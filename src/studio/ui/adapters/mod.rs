//! The adapters' part of the studio: holds the state and the worker that holds the files, and lays the views out. They
//! emit messages and know nothing of how they are carried out.

mod axes;
mod combine;
mod compare;
pub mod figure;
mod map;
mod module;
mod open;
mod overview;
mod profile;
mod save;
mod spectrum;
mod table;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::browser;
use crate::host::client::{Arrival, Client};
use crate::host::download::{give, save};
use crate::host::shelf;
use crate::lang::tr;
use crate::studio::adapters::state::{Msg, Opened, Part, State, update};
use crate::studio::adapters::wire::{Order, Report};
use crate::view::ui::redraw::Redraw;
use open::{Opening, addressed, bar};

#[wasm_bindgen(module = "/src/studio/ui/adapters/places.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn place(name: &str, several: bool) -> Result<JsValue, JsValue>;
}

/// State and worker, shared by all that calls back.
struct Core {
    state: State,
    client: Option<Client>,
    /// Files on their way, or the place where a merge goes: what lies beside the next order of that kind.
    beside: JsValue,
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
        orders.into_iter().for_each(|order| self.send(&order));
        match soon {
            true => self.redraw.soon(),
            false => self.redraw.now(),
        }
    }

    fn send(&self, order: &Order) {
        let sent = {
            let mut core = self.core.borrow_mut();
            let beside = match order {
                Order::Open(_) | Order::Merge(_) => std::mem::replace(&mut core.beside, JsValue::UNDEFINED),
                _ => JsValue::UNDEFINED,
            };
            let client = core.client.as_ref();
            client.map_or_else(|| Err(tr!("it could not be started")), |client| client.send_with(order, &beside))
        };
        if let Err(error) = sent {
            self.handle(Msg::Gone(error));
        }
    }

    fn start(&self) {
        let handle = self.clone();
        let on_arrival = move |arrival| match arrival {
            Arrival::Message(report, beside) => {
                if let Report::Done { saved, .. } = &report {
                    download(saved, &beside);
                }
                handle.handle(Msg::Report(report));
            }
            Arrival::Failure(reason) => handle.handle(Msg::Gone(reason)),
        };
        match browser::worker("adapter").and_then(|worker| Client::start(worker, on_arrival)) {
            Ok(client) => self.core.borrow_mut().client = Some(client),
            Err(error) => self.handle(Msg::Gone(error)),
        }
    }

    /// `files` are pairs of a path and a file; `Msg::Open` or another that hands them over.
    fn open(&self, files: &Array, how: fn(Vec<String>) -> Msg) {
        let pairs: Vec<Array> = files.iter().map(|pair| Array::from(&pair)).collect();
        let paths: Vec<String> = pairs.iter().map(|pair| pair.get(0).as_string().unwrap_or_default()).collect();
        if paths.is_empty() {
            return;
        }
        self.core.borrow_mut().beside = pairs.iter().map(|pair| pair.get(1)).collect::<Array>().into();
        self.handle(how(paths));
    }

    /// Asks where the merged model goes, where the browser can write into a file.
    fn merge(&self) {
        let handle = self.clone();
        let files = self.core.borrow().state.base.as_ref().map_or(0, |base| base.files);
        spawn_local(async move {
            match place("model.safetensors", files > 1).await {
                Ok(place) if place.is_undefined() => {}
                Ok(place) => {
                    handle.core.borrow_mut().beside = place;
                    handle.handle(Msg::Merge);
                }
                Err(error) => handle.handle(Msg::Say(tr!(
                    "There is no place for the merged model: {error}.",
                    error = format!("{error:?}")
                ))),
            }
        });
    }
}

/// Texts and blobs to the visitor's disk, by name.
fn download(names: &[String], beside: &JsValue) {
    let contents = beside.dyn_ref::<Array>().cloned().unwrap_or_default();
    for (name, content) in names.iter().zip(contents.iter()) {
        match content.as_string() {
            Some(text) => save(name, "application/json", &text),
            None => give(name, &content),
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct AdaptersProps {
    pub shown: bool,
    pub dark: bool,
}

/// The state and its worker, for as long as the component is there.
#[hook]
fn use_handle() -> Rc<Handle> {
    let trigger = use_force_update();
    use_memo((), |()| {
        let core = Core { state: State::default(), client: None, beside: JsValue::UNDEFINED };
        let handle = Handle {
            core: Rc::new(RefCell::new(core)),
            redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
        };
        handle.start();
        handle
    })
}

/// Kept while another part of the studio is shown: what is open stays open.
#[component]
pub fn Adapters(props: &AdaptersProps) -> Html {
    let handle = use_handle();
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            let core = handle.core.clone();
            let leave = browser::on_leave(move || core.borrow().state.busy());
            move || drop(leave)
        });
    }
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            spawn_local(async move {
                match addressed().await {
                    Ok(files) if files.is_undefined() => {}
                    Ok(files) => handle.open(&Array::from(&files), Msg::Open),
                    Err(error) => handle.handle(Msg::Say(tr!(
                        "The adapter of the address could not be read: {error}.",
                        error = format!("{error:?}")
                    ))),
                }
            });
        });
    }
    {
        // A worker that could not be had is asked for again.
        let handle = handle.clone();
        use_effect_with(props.shown, move |&shown| {
            if shown && handle.core.borrow().state.stopped {
                handle.core.borrow_mut().state = State::default();
                handle.start();
                handle.redraw.now();
            }
            // Another part of the page has two to be compared.
            if let (true, Some(files)) = (shown, shelf::take()) {
                handle.open(&files, Msg::OpenPair);
            }
        });
    }
    let tell = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |msg: Msg| handle.handle(msg))
    });
    let open = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |files: Array| handle.open(&files, Msg::Open))
    });
    let merge = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |()| handle.merge())
    });
    let core = handle.core.borrow();
    let state = &core.state;
    let part = match (state.current(), state.part) {
        (None, _) => Html::default(),
        (Some(adapter), Part::Overview) => {
            html! { <overview::OverviewPart key={listing(adapter)} adapter={adapter.clone()} has_base={state.base.is_some()} dark={props.dark} tell={(*tell).clone()} /> }
        }
        (Some(_), Part::Module) => match state.looked() {
            Some((adapter, focus, _)) => html! {
                <module::ModulePart adapter={adapter.clone()} focus={focus.clone()} seeking={state.seeking()} has_base={state.base.is_some()} dark={props.dark} tell={(*tell).clone()} />
            },
            None => Html::default(),
        },
        (Some(_), Part::Compare) => {
            html! { <compare::ComparePart state={state.clone()} dark={props.dark} tell={(*tell).clone()} /> }
        }
        (Some(_), Part::Combine) => {
            html! { <combine::CombinePart state={state.clone()} tell={(*tell).clone()} /> }
        }
        (Some(adapter), Part::Save) => {
            let work = state.work.as_ref().filter(|work| matches!(work.order, Order::Save { .. } | Order::Merge(_)));
            let planned = state.plan.as_ref().filter(|(id, _)| *id == adapter.id).and_then(|(_, plan)| plan.clone());
            html! { <save::SavePart key={listing(adapter)} adapter={adapter.clone()} base={state.base.clone()} plan={planned} busy={work.is_some()} tell={(*tell).clone()} merge={(*merge).clone()} /> }
        }
    };
    html! {
        <Opening hidden={!props.shown} empty={state.adapters.is_empty()} stopped={state.stopped} open={(*open).clone()} tell={(*tell).clone()}>
            <div class="intro">
                <h2 id={props.shown.then_some("studio-title")} tabindex="-1">{ tr!("Adapters") }</h2>
                if state.adapters.is_empty() {
                    <p>{ tr!("What a trained LoRA did to its model: which modules it changed most, whether its rank is used, how two of them \
                         differ. Files are read here, by your browser, piece by piece; nothing is uploaded.") }</p>
                }
            </div>
            { for state.problems.iter().map(|problem| html! { <div class="notice" role="alert"><p>{ problem }</p></div> }) }
            { for state.notes.iter().map(|note| html! { <div class="notice quiet-note" role="status"><p>{ note }</p></div> }) }
            if !state.problems.is_empty() || !state.notes.is_empty() {
                <p><button type="button" class="quiet" onclick={tell.reform(|_: MouseEvent| Msg::Dismiss)}>{ tr!("Dismiss") }</button></p>
            }
            { bar(state, &tell) }
            { part }
        </Opening>
    }
}

/// Another for a list of other modules: a base may say more of an adapter that is open.
fn listing(adapter: &Opened) -> String {
    format!("{} {}", adapter.id, adapter.rows.len())
}
