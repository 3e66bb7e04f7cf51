//! The browser as every part of the page sees it. Thin; knows nothing of the parts.

use gloo::events::EventListener;
use web_sys::{MediaQueryList, Window};

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

/// Calls back when the system's theme changes, with whether it is dark.
pub fn on_theme(tell: impl Fn(bool) + 'static) -> Option<EventListener> {
    let media = media("(prefers-color-scheme: dark)")?;
    let target = media.clone();
    Some(EventListener::new(&target, "change", move |_| tell(media.matches())))
}
