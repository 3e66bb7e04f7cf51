//! The browser as every part of the page sees it. Thin; knows nothing of the parts.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, MediaQueryList, Window, Worker, WorkerOptions, WorkerType};

pub fn window() -> Option<Window> {
    web_sys::window()
}

pub fn media(query: &str) -> Option<MediaQueryList> {
    window()?.match_media(query).ok().flatten()
}

/// The page's query, with its "?".
pub fn query() -> String {
    window().and_then(|w| w.location().search().ok()).unwrap_or_default()
}

/// What follows the page's address, with its "#".
pub fn hash() -> String {
    window().and_then(|w| w.location().hash().ok()).unwrap_or_default()
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

/// Takes the keyboard to the element of that name. What cannot be focused is found all the same.
pub fn focus(id: &str) -> Option<HtmlElement> {
    let element = window()?.document()?.get_element_by_id(id)?.dyn_into::<HtmlElement>().ok()?;
    drop(element.focus());
    Some(element)
}

/// Takes keyboard and eyes to the heading of a view that has just been opened.
pub fn arrive(heading: &str) {
    focus(heading);
    if let Some(window) = window() {
        window.scroll_to_with_x_and_y(0.0, 0.0);
    }
}

/// Leaves this page, or goes to another part of it.
pub fn go_to(link: &str) {
    if let Some(window) = window() {
        // A link of our own is an address.
        let _ = window.location().set_href(link);
    }
}

/// The theme of the style sheet.
pub fn dark() -> bool {
    let root = window().and_then(|w| w.document()).and_then(|d| d.document_element());
    root.and_then(|root| root.get_attribute("data-theme")).is_some_and(|theme| theme == "dark")
}

/// Calls back when the system's theme changes, with whether it is dark.
pub fn on_theme(tell: impl Fn(bool) + 'static) -> Option<EventListener> {
    let media = media("(prefers-color-scheme: dark)")?;
    let target = media.clone();
    Some(EventListener::new(&target, "change", move |_| tell(media.matches())))
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
