//! Panels as pictures on the visitor's disk: which panel is asked for, and what is said below its picture. Knows nothing of how
//! a picture is drawn.

use gloo::events::EventListener;
use wasm_bindgen_futures::spawn_local;

use super::{Handle, browser, embed::short};
use crate::app::state::State;
use crate::host::browser::window;
use crate::host::download::save_picture;
use crate::lang::tr;
use crate::view::ui::pointer::owner;
use crate::view::words::run_title;

/// From now on a click on what has `data-picture` saves the panel that it is in.
pub fn on_ask(handle: &Handle) -> Option<EventListener> {
    let document = window()?.document()?;
    let handle = handle.clone();
    Some(EventListener::new(&document, "click", move |event| {
        let asked = owner(event, "[data-picture]");
        let Some((form, panel)) = asked.and_then(|asked| {
            let menu = asked.closest("details").ok()??;
            // What it is for is done.
            let _ = menu.remove_attribute("open");
            Some((asked.get_attribute("data-picture")?, asked.closest("section").ok()??))
        }) else {
            return;
        };
        let (name, lines, link) = caption(&handle.core.borrow().state, &panel.id());
        let handle = handle.clone();
        spawn_local(async move {
            if let Err(error) = save_picture(&panel, &form, &name, lines, &link).await {
                let error = format!("{error:?}");
                handle.say(tr!("{name}.{form} could not be made: {error}.", name, form, error));
            }
        });
    }))
}

/// The picture's name, what it is of, and the address of that.
fn caption(state: &State, panel: &str) -> (String, Vec<String>, String) {
    let title = run_title(&state.config.task, state.config.lanes.len());
    let now = state.run.now.text();
    let sentence = if now.is_empty() { String::new() } else { tr!("Now: ") + &now };
    let lines = vec![format!("LoRA Playground · {} · {title}", short(state)), sentence];
    (format!("{panel}-{}", state.run.step), lines, browser::link(&state.link()))
}
