//! Where a pointer is within the element it is about. Yew listens at the page's root, so an event's own
//! `current_target` is the root, whoever handles it.

use wasm_bindgen::JsCast;
use web_sys::{Element, MouseEvent};

/// The nearest element around the event's target that `selector` names.
pub fn owner(event: &web_sys::Event, selector: &str) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(selector).ok().flatten()
}

/// Place in that element's box, in CSS pixels from its top left, and the box's width and height.
pub fn place(event: &MouseEvent, selector: &str) -> Option<((f64, f64), (f64, f64))> {
    let rect = owner(event, selector)?.get_bounding_client_rect();
    let at = (f64::from(event.client_x()) - rect.left(), f64::from(event.client_y()) - rect.top());
    (rect.width() > 0.0 && rect.height() > 0.0).then_some((at, (rect.width(), rect.height())))
}
