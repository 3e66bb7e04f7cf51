//! Whether an element is in view: what costs something to measure is measured only for those who look.

use js_sys::Array;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, IntersectionObserver, IntersectionObserverEntry};
use yew::prelude::*;

/// Tells `shown` whenever the node comes into view or leaves it, and when it is taken away.
#[hook]
pub fn use_shown(node: &NodeRef, shown: Callback<bool>) {
    let node = node.clone();
    use_effect_with((), move |()| {
        let observing = node.cast::<Element>().and_then(|element| {
            let shown = shown.clone();
            let callback = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
                // Several crossings may be told at once; the last is how things are.
                if let Ok(entry) =
                    entries.get(entries.length().saturating_sub(1)).dyn_into::<IntersectionObserverEntry>()
                {
                    shown.emit(entry.is_intersecting());
                }
            });
            let observer = IntersectionObserver::new(callback.as_ref().unchecked_ref()).ok()?;
            observer.observe(&element);
            Some((observer, callback))
        });
        move || {
            if let Some((observer, _callback)) = observing {
                observer.disconnect();
                shown.emit(false);
            }
        }
    });
}
