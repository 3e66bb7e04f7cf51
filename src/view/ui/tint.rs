//! Backgrounds of text by a colour scale, with ink that can be read on them. Set through the style object, which the page's
//! policy allows where it forbids style attributes. Knows nothing of what the colours mean.

use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use crate::view::scale::Scale;

/// Tints the elements of class "tint" within the node, in their order; `None` leaves one as it is.
#[hook]
pub fn use_tints(node: &NodeRef, tints: Vec<Option<f32>>, scale: Scale, dark: bool) {
    let node = node.clone();
    use_effect_with((tints, scale, dark), move |(tints, scale, dark)| {
        let Some(all) = node.cast::<Element>().and_then(|node| node.query_selector_all(".tint").ok()) else { return };
        for (at, tint) in tints.iter().enumerate() {
            let Some(element) = all.item(at as u32).and_then(|node| node.dyn_into::<HtmlElement>().ok()) else {
                continue;
            };
            let colours = tint.map(|value| {
                let rgb = scale.colour(value, *dark);
                (format!("rgb({} {} {})", rgb[0], rgb[1], rgb[2]), Scale::ink_on(rgb))
            });
            let (ground, ink) = colours.as_ref().map_or(("", ""), |(ground, ink)| (ground, ink));
            let style = element.style();
            let _ = style.set_property("background-color", ground);
            let _ = style.set_property("color", ink);
        }
    });
}
