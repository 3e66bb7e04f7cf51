//! A page's end of the wire to its worker: messages out, messages in. Knows nothing of what they mean.

use gloo::events::EventListener;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Worker};

use super::packet::{pack, unpack};
use crate::lang::{self, tr};

/// What arrives from the worker.
pub enum Arrival<T> {
    /// A message, and what lies beside it: undefined, mostly.
    Message(T, JsValue),
    /// What is wrong with the worker, to follow "has stopped:".
    Failure(String),
}

/// The worker; it ends when this is dropped.
pub struct Client {
    worker: Worker,
    _listeners: [Closure<dyn FnMut(web_sys::Event)>; 2],
    _language: Option<EventListener>,
}

impl Client {
    /// Talks to `worker`, and hands it the engine.
    ///
    /// # Errors
    /// In words, when the browser refuses to pass on the engine.
    pub fn start<T: DeserializeOwned>(
        worker: Worker,
        on_arrival: impl Fn(Arrival<T>) + Clone + 'static,
    ) -> Result<Self, String> {
        let on_message = {
            let on_arrival = on_arrival.clone();
            Closure::new(move |event: web_sys::Event| {
                let data = event.dyn_ref::<MessageEvent>().map_or(JsValue::UNDEFINED, MessageEvent::data);
                on_arrival(match unpack(data) {
                    Ok((message, beside)) => Arrival::Message(message, beside),
                    Err(error) => Arrival::Failure(tr!("a message could not be read: {error}", error)),
                });
            })
        };
        let on_error = Closure::new(move |event: web_sys::Event| {
            let message = js_sys::Reflect::get(&event, &"message".into()).unwrap_or(JsValue::NULL);
            let message = message.as_string().unwrap_or_else(|| tr!("it could not be loaded"));
            on_arrival(Arrival::Failure(message));
        });
        let listen = |name: &str, listener: &Closure<dyn FnMut(web_sys::Event)>| {
            worker
                .add_event_listener_with_callback(name, listener.as_ref().unchecked_ref())
                .map_err(|error| text(&error))
        };
        listen("message", &on_message)?;
        listen("error", &on_error)?;
        // See the worker's script: it runs the very engine that the page has compiled already.
        worker.post_message(&wasm_bindgen::module()).map_err(|error| text(&error))?;
        tell_language(&worker);
        let document = web_sys::window().and_then(|window| window.document());
        let language = document.map(|document| {
            let worker = worker.clone();
            EventListener::new(&document, lang::CHANGED, move |_| tell_language(&worker))
        });
        Ok(Self { worker, _listeners: [on_message, on_error], _language: language })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// In words, when it could not be sent.
    pub fn send(&self, message: &impl Serialize) -> Result<(), String> {
        self.send_with(message, &JsValue::UNDEFINED)
    }

    /// Sends a message with what cannot be bytes beside it.
    ///
    /// # Errors
    /// In words, when it could not be sent.
    pub fn send_with(&self, message: &impl Serialize, beside: &JsValue) -> Result<(), String> {
        let (packet, buffers) = pack(message, beside)?;
        self.worker.post_message_with_transfer(&packet, &buffers).map_err(|error| text(&error))
    }
}

/// Has a worker speak the page's language: a message that is text is a catalogue.
fn tell_language(worker: &Worker) {
    // A worker that cannot be reached is reported with the first command.
    let _ = worker.post_message(&JsValue::from(&*lang::spoken()));
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn text(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_else(|| format!("{value:?}"))
}
