//! A page's end of the wire to its worker: messages out, messages in, as postcard bytes, with what cannot be bytes (files,
//! blobs) beside them where there is any. Knows nothing of what they mean.

use js_sys::{Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Worker};

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
                let data = event.dyn_ref::<MessageEvent>().map(MessageEvent::data);
                on_arrival(decode(data));
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
        self.post(&bytes(message)?)
    }

    /// Sends a message with what cannot be bytes beside it.
    ///
    /// # Errors
    /// In words, when it could not be sent.
    pub fn send_with(&self, message: &impl Serialize, beside: &JsValue) -> Result<(), String> {
        self.post(&Array::of2(&bytes(message)?, beside))
    }

    fn post(&self, value: &JsValue) -> Result<(), String> {
        self.worker.post_message(value).map_err(|error| text(&error))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn bytes(message: &impl Serialize) -> Result<JsValue, String> {
    let bytes = postcard::to_stdvec(message).map_err(|error| error.to_string())?;
    Ok(Uint8Array::from(bytes.as_slice()).into())
}

/// Bytes, or an array of them and what lies beside them.
fn decode<T: DeserializeOwned>(data: Option<JsValue>) -> Arrival<T> {
    let (bytes, beside) = match data.as_ref().and_then(|data| data.dyn_ref::<Array>()) {
        Some(parts) => (Some(parts.get(0)), parts.get(1)),
        None => (data, JsValue::UNDEFINED),
    };
    let Some(bytes) = bytes.and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok()) else {
        return Arrival::Failure("it sent something that is no message".into());
    };
    match postcard::from_bytes(&bytes.to_vec()) {
        Ok(message) => Arrival::Message(message, beside),
        Err(error) => Arrival::Failure(format!("a message could not be read: {error}")),
    }
}

fn text(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_else(|| format!("{value:?}"))
}
