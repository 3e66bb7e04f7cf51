//! Measurements and pictures as downloads.

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use super::Ask;
use crate::host::download::{save, save_png};
use crate::lang::tr;

/// Pixels of a picture per unit of its drawing.
const SCALE: f64 = 2.0;

/// A button that saves a text made when it is pressed.
pub fn text_button(
    label: &'static str,
    of: &str,
    name: String,
    kind: &'static str,
    text: impl Fn() -> String + 'static,
) -> Html {
    let onclick = {
        let name = name.clone();
        Callback::from(move |_: MouseEvent| save(&name, kind, &text()))
    };
    html! {
        <button type="button" class="quiet" aria-label={tr!("Save {of} as {label}", of, label)} data-why={tr!("Save {name}.", name)} {onclick}>{ label }</button>
    }
}

/// Two buttons that save a picture, as it was drawn or in pixels.
pub fn picture_buttons(of: &str, name: &str, ask: &Callback<Ask>, svg: impl Fn() -> String + Clone + 'static) -> Html {
    let png = format!("{name}.png");
    let onclick = {
        let (svg, png, ask) = (svg.clone(), png.clone(), ask.clone());
        Callback::from(move |_: MouseEvent| {
            let (text, png, ask) = (svg(), png.clone(), ask.clone());
            spawn_local(async move {
                if let Err(error) = save_png(&png, &text, SCALE).await {
                    ask.emit(Ask::Say(tr!(
                        "{png} could not be made: {error}. The SVG holds the same picture.",
                        png,
                        error = format!("{error:?}")
                    )));
                }
            });
        })
    };
    html! {
        <>
            { text_button("SVG", of, format!("{name}.svg"), "image/svg+xml", svg) }
            <button type="button" class="quiet" aria-label={tr!("Save {of} as PNG", of)} data-why={tr!("Save {png}.", png)} {onclick}>{ "PNG" }</button>
        </>
    }
}
