//! A page's end of the wire to its worker: messages out, messages in. Knows nothing of what they mean.

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Worker};

use super::packet::{pack, unpack};

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
                    Err(error) => Arrival::Failure(format!("a message could not be read: {error}")),
                });
            })
        };
        let on_error = Closure::new(move |event: web_sys::Event| {
            let message = js_sys::Reflect::get(&event, &"message".into()).unwrap_or(JsValue::NULL);
            let message = message.as_string().unwrap_or_else(|| "it could not be loaded".into());
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
        Ok(Self { worker, _listeners: [on_message, on_error] })
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

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn text(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_else(|| format!("{value:?}"))
}
