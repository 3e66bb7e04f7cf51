//! What an element acts on lights up wherever it is shown, while that element is pointed at or has the keyboard: any element
//! that carries `data-lights`, a CSS selector. By rules of the page's style sheet, since panels are drawn anew many times a
//! second, and a rule finds what is new. Knows nothing of what lights up.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::events::{EventListener, EventListenerOptions};
use js_sys::Reflect;
use wasm_bindgen::JsCast;
use web_sys::{CssStyleSheet, Document, Element, Event};
use yew::prelude::*;

/// Listens on the whole document, so that a light costs its element one attribute and nothing else.
#[component]
pub fn Light() -> Html {
    use_effect_with((), |()| {
        let listeners = web_sys::window().and_then(|window| window.document()).map(|document| listen(&document));
        move || drop(listeners)
    });
    html! {}
}

fn listen(document: &Document) -> Vec<EventListener> {
    let lit = Rc::new(RefCell::new(Lit::default()));
    let on = |name: &'static str| {
        let (document, lit) = (document.clone(), lit.clone());
        // Focus does not bubble: capturing sees it too.
        let options = EventListenerOptions::run_in_capture_phase();
        EventListener::new_with_options(&document.clone(), name, options, move |event| {
            let selector = if event.type_() == "blur" { None } else { lights(event) };
            lit.borrow_mut().show(&document, selector);
        })
    };
    vec![on("pointerover"), on("focus"), on("blur")]
}

/// What the nearest element around the event's target lights up.
fn lights(event: &Event) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("[data-lights]").ok().flatten()?.get_attribute("data-lights")
}

/// What is lit now.
#[derive(Default)]
struct Lit {
    selector: Option<String>,
    /// Rules that were added for it, the sheet's last.
    rules: u32,
}

impl Lit {
    fn show(&mut self, document: &Document, selector: Option<String>) {
        if selector == self.selector {
            return;
        }
        let link = document.query_selector("link[href$='style.css']").ok().flatten();
        let Some(sheet) = link.as_ref().and_then(sheet) else { return };
        let count = || sheet.css_rules().map_or(0, |rules| rules.length());
        for _ in 0..std::mem::take(&mut self.rules) {
            let _ = sheet.delete_rule(count().saturating_sub(1));
        }
        if let Some(selector) = &selector {
            let all = format!("#app :is({selector})");
            for rule in [
                // A gate's width is its value, and a curve's colour its lane's.
                format!("{all}:is(rect, .base, .own, .gate) {{ stroke: var(--ink); }}"),
                format!("{all}:is(rect, .base, .own) {{ stroke-width: 2px; }}"),
                format!("{all}.curve {{ stroke-width: 3.5px; }}"),
                format!("{all}:not(rect, path) {{ outline: 2px solid var(--ink); outline-offset: 1px; }}"),
            ] {
                self.rules += u32::from(sheet.insert_rule_with_index(&rule, count()).is_ok());
            }
        }
        self.selector = selector;
    }
}

/// The style sheet that a link has loaded.
pub fn sheet(link: &Element) -> Option<CssStyleSheet> {
    Reflect::get(link, &"sheet".into()).ok()?.dyn_into().ok()
}
