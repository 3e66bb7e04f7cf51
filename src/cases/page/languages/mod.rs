//! Fifty languages, one base, as a visitor meets it: fetches what was measured and lays its views out.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use crate::cases::languages::measured::Measured;
use crate::host::file::fetch;

#[derive(Properties, PartialEq)]
pub struct LanguagesProps {
    pub shown: bool,
    pub dark: bool,
}

#[component]
pub fn Languages(props: &LanguagesProps) -> Html {
    let measured = use_state(|| None::<Result<Rc<Measured>, String>>);
    {
        let measured = measured.clone();
        // Asked for again where it could not be had.
        let missing = !matches!(&*measured, Some(Ok(_)));
        use_effect_with(props.shown && missing, move |&wanted| {
            if wanted {
                spawn_local(async move {
                    let read = async { Measured::read(&fetch("data/lm/languages.json").await?) };
                    measured.set(Some(read.await.map(Rc::new).map_err(|error| error.to_string())));
                });
            }
        });
    }
    match &*measured {
        None => html! { <p class="loading" role="status">{ "Loading what was measured…" }</p> },
        Some(Err(problem)) => html! { <div class="notice" role="alert"><p>{ problem }</p></div> },
        Some(Ok(measured)) => html! { <p class="lead-line">{ sentence(measured) }</p> },
    }
}

/// What was measured of all pairs, in words.
fn sentence(measured: &Measured) -> String {
    let (worse, of) = measured.worse_than_none();
    format!(
        "Each language is read best with its own adapter, for {} of {}; another language's adapter is worse than none in {worse} of {of} \
         pairs ({:.0} %).",
        measured.own_best(),
        measured.codes.len(),
        100.0 * worse as f64 / of as f64,
    )
}
