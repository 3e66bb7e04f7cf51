//! The one popover in which everything explains itself: any element that carries `data-why` shows that sentence
//! while it is hovered, focused or tapped, and is described by it to assistive technology. Knows nothing of what is
//! explained.

use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, Element, HtmlElement, KeyboardEvent, Window};
use yew::prelude::*;

const ID: &str = "why";
const MARGIN: f64 = 8.0;
/// Words that explain themselves and are nothing else: a press on them asks for the explanation.
const WORDS: &str = ":is(span, p, b, th, td, output, figcaption, text, svg)[data-why]";

/// Listens on the whole document, so that an explanation costs its element one attribute and nothing else.
#[component]
pub fn Explain() -> Html {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with((), move |()| {
            let popover = node.cast::<HtmlElement>().and_then(Popover::new);
            let listeners = popover.map(listen);
            move || drop(listeners)
        });
    }
    html! { <div id={ID} class="why" role="tooltip" hidden=true ref={node} /> }
}

#[derive(Clone)]
struct Popover {
    window: Window,
    document: Document,
    node: HtmlElement,
}

fn listen(popover: Popover) -> Vec<EventListener> {
    let document = popover.document.clone();
    // Focus does not bubble and scrolling happens in inner boxes: capturing sees both.
    let on = |name: &'static str, act: fn(&Popover, &web_sys::Event)| {
        let popover = popover.clone();
        let options = EventListenerOptions::run_in_capture_phase();
        EventListener::new_with_options(&document, name, options, move |event| act(&popover, event))
    };
    vec![
        on("pointerover", |popover, event| match source(event) {
            Some(element) => popover.show(&element),
            None => popover.hide(),
        }),
        on("focus", |popover, event| {
            if let Some(element) = source(event) {
                let _ = element.set_attribute("aria-describedby", ID);
                // Focus by pointer comes with a press, which asks for the thing itself, not for words over it.
                if element.matches(":focus-visible").unwrap_or(false) {
                    popover.show(&element);
                }
            }
        }),
        on("blur", |popover, event| {
            if let Some(element) = source(event) {
                let _ = element.remove_attribute("aria-describedby");
            }
            popover.hide();
        }),
        on("scroll", |popover, _| popover.hide()),
        on("pointerdown", |popover, event| match source(event) {
            Some(element) if element.matches(WORDS).unwrap_or(false) => popover.show(&element),
            _ => popover.hide(),
        }),
        on("keydown", |popover, event| match event.dyn_ref::<KeyboardEvent>().map(KeyboardEvent::key).as_deref() {
            Some("Escape") => popover.hide(),
            // The event comes before focus moves.
            Some("Tab") => popover.let_words_be_focused(),
            _ => {}
        }),
    ]
}

/// The nearest element around the event's target that explains itself.
fn source(event: &web_sys::Event) -> Option<Element> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    target.closest("[data-why]").ok().flatten()
}

impl Popover {
    fn new(node: HtmlElement) -> Option<Self> {
        let window = web_sys::window()?;
        let document = window.document()?;
        Some(Self { window, document, node })
    }

    fn let_words_be_focused(&self) {
        let Ok(words) = self.document.query_selector_all(&format!("{WORDS}:not([tabindex])")) else { return };
        for element in (0..words.length()).filter_map(|at| words.get(at)?.dyn_into::<Element>().ok()) {
            let _ = element.set_attribute("tabindex", "0");
        }
    }

    fn hide(&self) {
        let _ = self.node.set_attribute("hidden", "");
    }

    fn show(&self, element: &Element) {
        let Some(why) = element.get_attribute("data-why").filter(|w| !w.is_empty()) else {
            return self.hide();
        };
        self.node.set_text_content(Some(&why));
        let _ = self.node.remove_attribute("hidden");
        let size = |value: Result<JsValue, JsValue>| value.ok().and_then(|v| v.as_f64()).unwrap_or(0.0);
        let (width, height) = (size(self.window.inner_width()), size(self.window.inner_height()));
        let at = element.get_bounding_client_rect();
        let (w, h) = (f64::from(self.node.offset_width()), f64::from(self.node.offset_height()));
        let x = at.left().min(width - w - MARGIN).max(MARGIN);
        let below = at.bottom() + MARGIN;
        let y = match below + h + MARGIN > height {
            true => (at.top() - h - MARGIN).max(MARGIN),
            false => below,
        };
        // The style object is allowed where the page's policy forbids style attributes.
        let style = self.node.style();
        let _ = style.set_property("left", &format!("{}px", x.round() as i32));
        let _ = style.set_property("top", &format!("{}px", y.round() as i32));
    }
}
