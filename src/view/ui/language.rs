//! The page's language as its components see it: the switch, and what is drawn anew when it has been used. The page's script
//! (language.js) fetches catalogues and keeps the visitor's choice.

use gloo::events::EventListener;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use yew::prelude::*;

use crate::lang::{self, CHANGED, LANGUAGES};

/// From now on the page speaks the language of this catalogue; English, of an empty text. Called by the page's script.
///
/// # Errors
/// When it is no catalogue; the language then stays as it is.
#[wasm_bindgen]
pub fn speak(json: &str) -> Result<(), JsValue> {
    lang::speak(json).map_err(|error| js_sys::Error::new(&error.to_string()))?;
    if let (Some(document), Ok(event)) = (document(), web_sys::Event::new(CHANGED)) {
        let _ = document.dispatch_event(&event);
    }
    Ok(())
}

fn document() -> Option<web_sys::Document> {
    web_sys::window()?.document()
}

/// Calls back when the page speaks another language.
pub fn on_language(tell: impl Fn() + 'static) -> Option<EventListener> {
    let document = document()?;
    Some(EventListener::new(&document, CHANGED, move |_| tell()))
}

/// How often the language has changed: as a key around what a part of the page shows, it has all of it said anew.
#[hook]
pub fn use_language() -> u32 {
    let changes = use_state_eq(|| 0u32);
    let count = use_mut_ref(|| 0u32);
    {
        let changes = changes.clone();
        use_effect_with((), move |()| {
            let listener = on_language(move || {
                *count.borrow_mut() += 1;
                changes.set(*count.borrow());
            });
            move || drop(listener)
        });
    }
    *changes
}

/// Buttons for the languages that are not spoken now, each in its own words.
pub fn languages() -> Html {
    let present = lang::tag();
    let others = LANGUAGES.iter().filter(|(_, tag, _)| *tag != present);
    let button = |(code, tag, name): &(&'static str, &'static str, &'static str)| {
        html! { <button type="button" class="quiet" lang={*tag} data-language={*code}>{ name }</button> }
    };
    others.map(button).collect()
}
