//! The page's end of the wire to the trainer's worker: commands out, events in, as postcard bytes. Knows nothing of
//! what they mean.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Worker};

use crate::protocol::{Command, Event};

/// What arrives from the worker.
pub enum Arrival {
    Event(Event),
    /// The worker failed or said something that is not an event.
    Failure(String),
}

/// The worker; it ends when this is dropped.
pub struct Client {
    worker: Worker,
    _listeners: [Closure<dyn FnMut(web_sys::Event)>; 2],
}

impl Client {
    /// Talks to `worker`, which runs `worker.js`. Commands may be sent at once: they wait until it is ready.
    ///
    /// # Errors
    /// In words, when the browser refuses to pass on the engine.
    pub fn start(worker: Worker, on_arrival: impl Fn(Arrival) + Clone + 'static) -> Result<Self, String> {
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
            on_arrival(Arrival::Failure(format!(
                "The trainer has stopped: {message}. Reloading the page starts it again."
            )));
        });
        let listen = |name: &str, listener: &Closure<dyn FnMut(web_sys::Event)>| {
            worker
                .add_event_listener_with_callback(name, listener.as_ref().unchecked_ref())
                .map_err(|error| text(&error))
        };
        listen("message", &on_message)?;
        listen("error", &on_error)?;
        // See worker.js: it runs the very engine that the page has compiled already.
        worker.post_message(&wasm_bindgen::module()).map_err(|error| text(&error))?;
        Ok(Self { worker, _listeners: [on_message, on_error] })
    }

    /// Sends a command.
    ///
    /// # Errors
    /// In words, when it could not be sent.
    pub fn send(&self, command: &Command) -> Result<(), String> {
        let bytes = postcard::to_stdvec(command).map_err(|error| error.to_string())?;
        self.worker.post_message(&Uint8Array::from(bytes.as_slice())).map_err(|error| text(&error))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn decode(data: Option<JsValue>) -> Arrival {
    let bytes = data.and_then(|data| data.dyn_into::<Uint8Array>().ok());
    let Some(bytes) = bytes else {
        return Arrival::Failure("The trainer sent something that is not an event.".into());
    };
    match postcard::from_bytes(&bytes.to_vec()) {
        Ok(event) => Arrival::Event(event),
        Err(error) => Arrival::Failure(format!("An event from the trainer could not be read: {error}.")),
    }
}

fn text(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_else(|| format!("{value:?}"))
}
