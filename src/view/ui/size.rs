//! The size of an element in CSS pixels, followed as it changes: charts are drawn in real pixels so that type keeps
//! its size.

use js_sys::Array;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, ResizeObserver, ResizeObserverEntry};
use yew::prelude::*;

/// Width and height of the node's content, or zeros before it is laid out.
#[hook]
pub fn use_size(node: &NodeRef) -> (f64, f64) {
    let size = use_state_eq(|| (0.0, 0.0));
    {
        let (size, node) = (size.clone(), node.clone());
        use_effect_with((), move |()| {
            let observing = node.cast::<Element>().and_then(|element| {
                let callback = Closure::<dyn FnMut(Array)>::new(move |entries: Array| {
                    if let Ok(entry) = entries.get(0).dyn_into::<ResizeObserverEntry>() {
                        let rect = entry.content_rect();
                        size.set((rect.width().round(), rect.height().round()));
                    }
                });
                let observer = ResizeObserver::new(callback.as_ref().unchecked_ref()).ok()?;
                observer.observe(&element);
                Some((observer, callback))
            });
            move || {
                if let Some((observer, _callback)) = observing {
                    observer.disconnect();
                }
            }
        });
    }
    *size
}
