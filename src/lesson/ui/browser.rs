//! The browser as the lessons see it: address, store. Thin; knows nothing of lessons' contents.

use gloo::events::EventListener;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::host::browser::{media, window};

/// Name of the progress in the browser's store.
const KEPT: &str = "lora-playground-lessons";

/// What the address asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    List,
    /// A lesson by name, and a step of it, counted from 0.
    Step(String, usize),
    /// Something else than a lesson.
    Elsewhere,
}

pub fn place() -> Place {
    let hash = window().and_then(|w| w.location().hash().ok()).unwrap_or_default();
    let Some(rest) = hash.strip_prefix("#lesson") else { return Place::Elsewhere };
    let mut parts = rest.split('/').skip(1).filter(|part| !part.is_empty());
    match parts.next() {
        None => Place::List,
        Some(id) => {
            let step = parts.next().and_then(|step| step.parse::<usize>().ok()).unwrap_or(1);
            Place::Step(id.to_owned(), step.saturating_sub(1))
        }
    }
}

pub fn address(id: &str, step: usize) -> String {
    format!("#lesson/{id}/{}", step + 1)
}

pub fn kept() -> Option<String> {
    window()?.local_storage().ok()??.get_item(KEPT).ok()?
}

/// A browser may forbid stores; lessons do without.
pub fn keep(text: &str) {
    if let Some(store) = window().and_then(|w| w.local_storage().ok().flatten()) {
        let _ = store.set_item(KEPT, text);
    }
}

pub fn on_hash(tell: impl Fn() + 'static) -> Option<EventListener> {
    Some(EventListener::new(&window()?.into(), "hashchange", move |_| tell()))
}

/// Takes the keyboard to the step's heading, and the eyes where the words are not beside the lab, as on a phone.
pub fn arrive() {
    let heading = window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("lesson-title"));
    if let Some(heading) = heading.and_then(|e| e.dyn_into::<HtmlElement>().ok()) {
        let _ = heading.focus();
        if media("(max-width: 759px)").is_some_and(|narrow| narrow.matches()) {
            heading.scroll_into_view();
        }
    }
}

/// Takes the eyes to a panel that is out of sight beside the words. On a phone it stands below them.
pub fn look_at(panel: &str) {
    let Some(window) = window() else { return };
    let Some(document) = window.document() else { return };
    let place = |id: &str| document.get_element_by_id(id).map(|e| e.get_bounding_client_rect());
    let (Some(own), Some(column)) = (place(panel), place("lesson")) else { return };
    let height = window.inner_height().ok().and_then(|h| h.as_f64()).unwrap_or(0.0);
    let out_of_sight = own.top() < 0.0 || own.bottom() > height && own.top() > height * 0.3;
    if column.right() <= own.left() && out_of_sight {
        let top = window.scroll_y().unwrap_or(0.0) + own.top() - 16.0;
        window.scroll_to_with_x_and_y(0.0, top);
    }
}
