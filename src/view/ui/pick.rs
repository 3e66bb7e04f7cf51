//! Files that a visitor chooses or drops, as pairs of a path and a file. Knows nothing of what is in them.

use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[wasm_bindgen(module = "/src/view/ui/pick.js")]
extern "C" {
    /// Of an input that holds files, which it then lets go.
    pub fn chosen(input: &JsValue) -> Array;
    /// Of an event in which something was dropped; a promise.
    #[wasm_bindgen(catch)]
    pub async fn dropped(event: &JsValue) -> Result<JsValue, JsValue>;
}

/// Presses an input of files, which is not shown: for the button in its place.
pub fn pressing(input: &NodeRef) -> Callback<()> {
    let input = input.clone();
    Callback::from(move |()| {
        if let Some(input) = input.cast::<HtmlInputElement>() {
            input.click();
        }
    })
}
