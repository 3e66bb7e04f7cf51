//! The browser as the application sees it: address, theme, clipboard, visibility. Thin; knows nothing of runs.

use gloo::events::EventListener;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlElement, Window};

use crate::host::browser::{media, window};
pub use crate::host::browser::{on_theme, query};

/// What of the page's own keys stays in its address when the run's part of it changes.
const KEPT: [&str; 7] = ["embed", "paused", "lang", "theme", "host", "height", "join"];

fn matches(query: &str) -> bool {
    media(query).is_some_and(|media| media.matches())
}

pub fn prefers_dark() -> bool {
    matches("(prefers-color-scheme: dark)")
}

pub fn prefers_reduced_motion() -> bool {
    matches("(prefers-reduced-motion: reduce)")
}

/// A link to this page with another query.
pub fn link(query: &str) -> String {
    let location = window().map(|w| w.location());
    let part = |get: fn(&web_sys::Location) -> Result<String, wasm_bindgen::JsValue>| {
        location.as_ref().and_then(|l| get(l).ok()).unwrap_or_default()
    };
    let base = format!("{}{}", part(web_sys::Location::origin), part(web_sys::Location::pathname));
    match query {
        "" => base,
        query => format!("{base}?{query}"),
    }
}

/// Makes the address describe the run, keeping the page's own keys, without a new entry in the history.
pub fn set_query(query: &str) {
    let old = self::query();
    let kept = old
        .trim_start_matches('?')
        .split('&')
        .filter(|pair| pair.split('=').next().is_some_and(|key| KEPT.contains(&key)));
    let pairs: Vec<&str> = Some(query).into_iter().filter(|q| !q.is_empty()).chain(kept).collect();
    // A lesson stands beside its run.
    let hash = window().and_then(|w| w.location().hash().ok()).filter(|hash| hash.starts_with("#lesson"));
    let address = link(&pairs.join("&")) + &hash.unwrap_or_default();
    if let Some(history) = window().and_then(|w| w.history().ok()) {
        // Refused in some embeddings; the run does not depend on it.
        let _ = history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address));
    }
}

/// The style sheet's theme.
pub fn set_theme(dark: bool) {
    let root = window().and_then(|w| w.document()).and_then(|d| d.document_element());
    if let Some(root) = root {
        let _ = root.set_attribute("data-theme", if dark { "dark" } else { "light" });
    }
}

/// The style sheet's hue of each lane.
pub fn set_hues(hues: &[usize]) {
    let root = window().and_then(|w| w.document()).and_then(|d| d.document_element());
    if let Some(root) = root.and_then(|root| root.dyn_into::<HtmlElement>().ok()) {
        for (lane, hue) in hues.iter().enumerate() {
            let _ = root.style().set_property(&format!("--lane-{lane}"), &format!("var(--hue-{hue})"));
        }
    }
}

/// Puts text in the clipboard; false if the browser does not allow it.
pub async fn copy(text: &str) -> bool {
    let Some(window) = window().filter(Window::is_secure_context) else {
        return false;
    };
    JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}

/// Calls back when the tab is shown or hidden, or the page in it: see boot.js.
pub fn on_visibility(tell: impl Fn(bool) + 'static) -> Option<EventListener> {
    let document = window()?.document()?;
    let target = document.clone();
    Some(EventListener::new(&target, "visibilitychange", move |_| {
        let hidden = document.get_element_by_id("app").is_some_and(|app| app.has_attribute("hidden"));
        tell(!(hidden || document.hidden()));
    }))
}
