//! The browser as the studio sees it: address, session store, theme, worker. Thin; knows nothing of experiments.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, Worker, WorkerOptions, WorkerType};

use crate::config::Config;
pub use crate::host::browser::on_theme;
use crate::host::browser::{query, window};

/// What the address asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// All, or one by name.
    Experiments(Option<String>),
    Sweeps,
    Adapters,
    /// The lab.
    Elsewhere,
}

pub fn place() -> Place {
    let hash = window().and_then(|w| w.location().hash().ok()).unwrap_or_default();
    match hash.trim_start_matches('#').split_once('/') {
        Some(("experiments", id)) => Place::Experiments(Some(id.to_owned())),
        _ if hash == "#experiments" => Place::Experiments(None),
        _ if hash == "#sweeps" => Place::Sweeps,
        _ if hash == "#adapters" => Place::Adapters,
        _ => Place::Elsewhere,
    }
}

/// The configuration that the lab runs: the address says it.
pub fn lab_config() -> Config {
    // A query that cannot be read is the lab's to tell; it then runs the defaults.
    Config::read_link(&query()).config
}

/// Takes keyboard and eyes to where the address leads: an experiment, or the view's heading.
pub fn arrive(place: &Place, known: bool) {
    let Some(window) = window() else { return };
    let focus = |id: &str| {
        let element = window.document().and_then(|d| d.get_element_by_id(id));
        let element = element.and_then(|e| e.dyn_into::<HtmlElement>().ok());
        // What cannot be focused is still scrolled to.
        element.inspect(|element| drop(element.focus()))
    };
    match place {
        Place::Experiments(Some(id)) if known => {
            if let Some(claim) = focus(&format!("claim-{id}")) {
                claim.scroll_into_view();
            }
        }
        _ => {
            focus("studio-title");
            window.scroll_to_with_x_and_y(0.0, 0.0);
        }
    }
}

pub fn on_hash(tell: impl Fn() + 'static) -> Option<EventListener> {
    let window = window()?;
    Some(EventListener::new(&window, "hashchange", move |_| tell()))
}

/// The browser asks before the page is left while `busy` says so.
pub fn on_leave(busy: impl Fn() -> bool + 'static) -> Option<EventListener> {
    let options = EventListenerOptions::enable_prevent_default();
    let ask = move |event: &web_sys::Event| {
        if busy() {
            event.prevent_default();
        }
    };
    let window = window()?;
    Some(EventListener::new_with_options(&window, "beforeunload", options, ask))
}

/// The theme of the style sheet.
pub fn dark() -> bool {
    let root = window().and_then(|w| w.document()).and_then(|d| d.document_element());
    root.and_then(|root| root.get_attribute("data-theme")).is_some_and(|theme| theme == "dark")
}

/// Leaves this page.
pub fn go_to(link: &str) {
    if let Some(window) = window() {
        // A link of our own is an address.
        let _ = window.location().set_href(link);
    }
}

/// A text that outlives a visit to the lab, if the browser keeps any.
pub fn kept(name: &str) -> Option<String> {
    window()?.session_storage().ok().flatten()?.get_item(name).ok().flatten()
}

pub fn keep(name: &str, text: &str) {
    if let Some(store) = window().and_then(|w| w.session_storage().ok().flatten()) {
        // Where nothing can be kept, the page still shows what it measured.
        let _ = store.set_item(name, text);
    }
}

/// A worker of ours, by the name of its entry; see worker.js.
///
/// # Errors
/// In words, where the browser refuses.
pub fn worker(entry: &str) -> Result<Worker, String> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    Worker::new_with_options(&format!("worker.js?{entry}"), &options)
        .map_err(|error| format!("the browser starts no worker ({error:?})"))
}
