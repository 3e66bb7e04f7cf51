//! The studio's page: holds the state, its worker and the address, and lays its views out. The views emit `Ask`s
//! and know nothing of how they are carried out.

mod adapters;
mod browser;
mod chart;
mod claim;
mod claims;
mod details;
pub mod embed;
mod files;
mod sweep_form;
mod sweeps;

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::filter::Filter;
use super::record;
use super::state::{Effect, Msg, State, Told, update};
use crate::clock;
use crate::experiments::{Experiment, Prose, all};
use crate::host::client::{Arrival, Client};
use crate::host::file::fetch;
use crate::lang::{self, tr};
use crate::view::ui::explain::Explain;
use crate::view::ui::language::use_language;
use crate::view::ui::navigation::navigation;
use crate::view::ui::redraw::Redraw;
use adapters::Adapters;
use browser::Place;
use claims::claims;
use sweeps::Sweeps;

/// Name of the records in the browser's session store.
const KEPT: &str = "lora-playground-experiments";

/// Shows the studio in `root`.
pub fn start(root: web_sys::Element) {
    root.set_inner_html("");
    yew::Renderer::<Studio>::with_root(root).render();
}

/// What a person asks for in a view.
#[derive(Clone, Debug)]
pub enum Ask {
    Do(Msg),
    /// Show or hide the details of this experiment.
    Open(usize, bool),
    /// Show these claims only.
    Filter(Filter),
    /// Something that a view could not do, in words.
    Say(String),
}

/// State and worker, shared by all that calls back.
struct Core {
    state: State,
    /// Experiments whose details are shown.
    open: Vec<bool>,
    filter: Filter,
    place: Place,
    client: Option<Client>,
    /// The adapters' part has been asked for once, and is kept.
    adapters: bool,
}

#[derive(Clone)]
struct Handle {
    core: Rc<RefCell<Core>>,
    redraw: Redraw,
}

impl Handle {
    fn ask(&self, ask: Ask) {
        match ask {
            Ask::Do(msg) => return self.handle(msg),
            Ask::Open(index, open) => self.core.borrow_mut().open[index] = open,
            Ask::Filter(filter) => self.core.borrow_mut().filter = filter,
            Ask::Say(problem) => self.core.borrow_mut().state.problem = Some(problem),
        }
        self.redraw.now();
    }

    fn handle(&self, msg: Msg) {
        let soon = matches!(msg, Msg::Report(_));
        let effects = update(&mut self.core.borrow_mut().state, msg, clock::now());
        effects.into_iter().for_each(|effect| self.carry_out(effect));
        match soon {
            true => self.redraw.soon(),
            false => self.redraw.now(),
        }
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Send(order) => {
                let sent = match &self.core.borrow().client {
                    Some(client) => client.send(&order),
                    None => Err(tr!("it could not be started")),
                };
                if let Err(error) = sent {
                    self.core.borrow_mut().state.problem = Some(tr!("The worker cannot be reached: {error}.", error));
                }
            }
            Effect::Renew => self.renew(),
            Effect::Keep => {
                let core = self.core.borrow();
                browser::keep(KEPT, &record::write(&core.state.experiments, &core.state.records));
            }
        }
    }

    /// Ends the worker, if there is one, and starts another.
    fn renew(&self) {
        self.core.borrow_mut().client = None;
        let handle = self.clone();
        let on_arrival = move |arrival| {
            handle.handle(match arrival {
                Arrival::Message(report, _) => Msg::Report(report),
                Arrival::Failure(reason) => Msg::Gone(reason),
            });
        };
        match browser::worker("studio").and_then(|worker| Client::start(worker, on_arrival)) {
            Ok(client) => self.core.borrow_mut().client = Some(client),
            Err(error) => self.handle(Msg::Gone(error)),
        }
    }

    /// The address asks for a view, and perhaps one experiment.
    fn go(&self, place: Place) {
        if place == Place::Elsewhere {
            return;
        }
        if place != Place::Adapters && std::mem::take(&mut self.core.borrow_mut().state.stopped) {
            self.core.borrow_mut().state.problem = None;
            self.renew();
        }
        {
            let mut core = self.core.borrow_mut();
            if let Some(index) = named(&core.state.experiments, &place) {
                core.open[index] = true;
                core.filter = Filter::default();
            }
            core.adapters |= place == Place::Adapters;
            core.place = place;
            if matches!(core.place, Place::Experiments(_)) && !matches!(core.state.prose, Some(Ok(_))) {
                let handle = self.clone();
                spawn_local(async move {
                    let experiments = handle.core.borrow().state.experiments.clone();
                    let told = told(&experiments).await;
                    handle.handle(Msg::Prose(told.map_err(|error| error.to_string())));
                });
            }
        }
        self.redraw.now();
    }
}

/// What is said of the experiments, and what was measured of them before.
async fn told(experiments: &[Experiment]) -> crate::error::Result<Told> {
    let claims = match lang::code() {
        "en" => "data/claims.json".into(),
        code => format!("data/claims.{code}.json"),
    };
    let prose = Prose::read(&fetch(&claims).await?)?;
    let recorded = fetch("data/recorded.json").await?;
    Ok((Rc::new(prose), Rc::from(record::read(experiments, &recorded))))
}

fn named(experiments: &[Experiment], place: &Place) -> Option<usize> {
    match place {
        Place::Experiments(Some(id)) => experiments.iter().position(|e| e.id == id),
        _ => None,
    }
}

#[component]
fn Studio() -> Html {
    let trigger = use_force_update();
    let handle = use_memo((), |()| {
        let experiments: Rc<[Experiment]> = Rc::from(all());
        let records = browser::kept(KEPT).map(|text| record::read(&experiments, text.as_bytes())).unwrap_or_default();
        let open = vec![false; experiments.len()];
        let state = State::new(experiments, records);
        let core = Core {
            state,
            open,
            filter: Filter::default(),
            place: Place::Experiments(None),
            client: None,
            adapters: false,
        };
        let handle = Handle {
            core: Rc::new(RefCell::new(core)),
            redraw: Redraw::new(Callback::from(move |()| trigger.force_update())),
        };
        handle.renew();
        handle
    });
    {
        let handle = handle.clone();
        use_effect_with((), move |()| {
            handle.go(browser::place());
            let listener = {
                let handle = handle.clone();
                browser::on_hash(move || handle.go(browser::place()))
            };
            let leave = {
                let core = handle.core.clone();
                browser::on_leave(move || core.borrow().state.busy())
            };
            // Cells hold colours of the theme they were drawn in.
            let theme = browser::on_theme(move |_| handle.redraw.now());
            let listeners = [listener, leave, theme];
            move || drop(listeners)
        });
    }
    let ask = use_memo((), |()| {
        let handle = handle.clone();
        Callback::from(move |ask: Ask| handle.ask(ask))
    });
    let language = use_language();
    {
        let handle = handle.clone();
        // What was said of the experiments was said in another language.
        use_effect_with(language, move |&changes| {
            if changes > 0 {
                handle.core.borrow_mut().state.prose = None;
                handle.go(browser::place());
            }
        });
    }
    let core = handle.core.borrow();
    {
        let id = named(&core.state.experiments, &core.place);
        // There once its words are.
        let there = id.is_some() && matches!(core.state.prose, Some(Ok(_)));
        use_effect_with((core.place.clone(), there), |(place, there)| browser::arrive(place, *there));
    }
    let (sweeps, adapters) = (core.place == Place::Sweeps, core.place == Place::Adapters);
    let here = match core.place {
        Place::Sweeps => "#sweeps",
        Place::Adapters => "#adapters",
        Place::Experiments(_) | Place::Elsewhere => "#experiments",
    };
    html! {
        <>
            <header class="bar studio-bar">
                <h1>{ "LoRA Playground" }</h1>
                { navigation(here) }
                <span class="spring" />
                <p class="note">{ if adapters { tr!("The lab is paused while you are here.") } else { tr!("The lab is paused while you are here: what is measured gets the whole machine.") } }</p>
            </header>
            <main class="studio" key={language}>
                if let Some(problem) = core.state.problem.as_ref().filter(|_| !adapters) {
                    <div class="notice" role="alert">
                        <p>{ problem }</p>
                        <button type="button" class="quiet" onclick={ask.reform(|_| Ask::Do(Msg::Dismiss))}>{ tr!("Dismiss") }</button>
                    </div>
                }
                if adapters {
                } else if sweeps {
                    <Sweeps base={browser::lab_config()} swept={core.state.swept.clone()} running={core.state.running.clone().filter(|_| core.state.sweeping())}
                        busy={core.state.busy()} stopped={core.state.stopped} gpu={core.state.gpu.clone()} webgpu={core.state.webgpu()} dark={browser::dark()} ask={(*ask).clone()} />
                } else {
                    { claims(&core.state, &core.open, core.filter, &ask) }
                }
                if core.adapters {
                    <Adapters shown={adapters} dark={browser::dark()} />
                }
            </main>
            <Explain />
        </>
    }
}

/// Where measurements are made: a choice, and what there is to choose from.
fn backends(gpu: Option<&Result<String, String>>, webgpu: bool, ask: &Callback<Ask>) -> Html {
    let choose = |on: bool| ask.reform(move |_: MouseEvent| Ask::Do(Msg::Backend(on)));
    let (name, why) = match gpu {
        None => ("WebGPU".into(), tr!("The worker is being started.")),
        Some(Ok(name)) => (tr!("WebGPU ({name})", name), tr!("Train on the GPU: {name}.", name)),
        Some(Err(reason)) => (tr!("WebGPU: none here"), tr!("WebGPU cannot be used here: {reason}", reason)),
    };
    let there = matches!(gpu, Some(Ok(_)));
    html! {
        <div class="choices" role="group" aria-label={tr!("Backend")}>
            <button type="button" aria-pressed={webgpu.to_string()} disabled={!there} data-why={why} onclick={choose(true)}>{ name }</button>
            <button type="button" aria-pressed={(gpu.is_some() && !webgpu).to_string()} disabled={gpu.is_none()}
                data-why={tr!("Train on the processor.")} onclick={choose(false)}>{ "CPU" }</button>
            if let Some(Err(reason)) = gpu {
                <span class="note">{ tr!("Measured on the CPU, because WebGPU cannot be used here: {reason}", reason) }</span>
            }
        </div>
    }
}
