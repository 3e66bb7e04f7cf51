//! The page's end of the wire to the worker that holds the files: an order or report, as postcard bytes, with what
//! cannot be bytes beside it. Knows nothing of what they mean.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{MessageEvent, Worker};

use crate::studio::adapters::wire::{Order, Report};

/// What arrives.
pub enum Arrival {
    Report(Report, JsValue),
    /// What is wrong with the worker.
    Failure(String),
}

/// The worker; it ends when this is dropped.
pub struct Line {
    worker: Worker,
    _listeners: [Closure<dyn FnMut(web_sys::Event)>; 2],
}

impl Line {
    /// Talks to `worker`, and hands it the engine.
    ///
    /// # Errors
    /// In words, when the browser refuses.
    pub fn open(worker: Worker, on_arrival: impl Fn(Arrival) + Clone + 'static) -> Result<Self, String> {
        let on_message = {
            let on_arrival = on_arrival.clone();
            Closure::new(move |event: web_sys::Event| {
                let data = event.dyn_ref::<MessageEvent>().map(MessageEvent::data);
                on_arrival(decode(data.as_ref()));
            })
        };
        let on_error = Closure::new(move |event: web_sys::Event| {
            let message = js_sys::Reflect::get(&event, &"message".into()).unwrap_or(JsValue::NULL);
            on_arrival(Arrival::Failure(message.as_string().unwrap_or_else(|| "it could not be loaded".into())));
        });
        let listen = |name: &str, listener: &Closure<dyn FnMut(web_sys::Event)>| {
            worker.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref()).map_err(|e| text(&e))
        };
        listen("message", &on_message)?;
        listen("error", &on_error)?;
        worker.post_message(&wasm_bindgen::module()).map_err(|error| text(&error))?;
        Ok(Self { worker, _listeners: [on_message, on_error] })
    }

    /// # Errors
    /// In words, when it could not be sent.
    pub fn send(&self, order: &Order, beside: &JsValue) -> Result<(), String> {
        let bytes = postcard::to_stdvec(order).map_err(|error| error.to_string())?;
        let parts = Array::of2(&Uint8Array::from(bytes.as_slice()), beside);
        self.worker.post_message(&parts).map_err(|error| text(&error))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

fn decode(data: Option<&JsValue>) -> Arrival {
    let parts = data.and_then(|data| data.dyn_ref::<Array>().cloned()).unwrap_or_default();
    let bytes = parts.get(0).dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()).unwrap_or_default();
    match postcard::from_bytes(&bytes) {
        Ok(report) => Arrival::Report(report, parts.get(1)),
        Err(error) => Arrival::Failure(format!("a message could not be read: {error}")),
    }
}

fn text(value: &JsValue) -> String {
    value.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_else(|| format!("{value:?}"))
}
