//! A worker's end of the wire to its page. Knows nothing of what the messages mean.

use js_sys::Promise;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::packet::{pack, unpack};
use crate::lang;

/// A dedicated worker's scope.
#[derive(Clone)]
pub struct Scope(DedicatedWorkerGlobalScope);

impl Scope {
    /// This worker's own. From now on a panic sends the page what `crashed` makes of it.
    ///
    /// # Errors
    /// If this is no dedicated worker.
    pub fn own<M: Serialize + 'static>(crashed: fn(String) -> M) -> std::result::Result<Self, JsValue> {
        let scope = Self(js_sys::global().dyn_into()?);
        let dying = scope.clone();
        std::panic::set_hook(Box::new(move |info| {
            console_error_panic_hook::hook(info);
            dying.send(&crashed(info.to_string()));
        }));
        Ok(scope)
    }

    /// What stands in for a worker's scope: a port with its methods, as far as they are called here.
    pub fn stand_in(port: DedicatedWorkerGlobalScope) -> Self {
        Self(port)
    }

    /// Hears the page's messages, and what lies beside them, for as long as the worker lives; in words, what is none.
    pub fn listen<T: DeserializeOwned>(
        &self,
        mut on_message: impl FnMut(std::result::Result<(T, JsValue), String>) + 'static,
    ) {
        let listener =
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| match event.data().as_string() {
                // The page's language; see the client's end.
                Some(catalogue) => drop(lang::speak(&catalogue)),
                None => on_message(unpack(event.data())),
            });
        self.0.set_onmessage(Some(listener.as_ref().unchecked_ref()));
        listener.forget();
    }

    /// To the page.
    pub fn send(&self, message: &impl Serialize) {
        self.send_with(message, &JsValue::UNDEFINED);
    }

    /// To the page, with what cannot be bytes beside it.
    pub fn send_with(&self, message: &impl Serialize, beside: &JsValue) {
        let sent = pack(message, beside)
            .map_err(JsValue::from)
            .and_then(|(packet, buffers)| self.0.post_message_with_transfer(&packet, &buffers));
        if let Err(error) = sent {
            wasm_bindgen::throw_val(error);
        }
    }

    /// Resolves after that time.
    pub async fn sleep(&self, milliseconds: u32) {
        let timer = Promise::new(&mut |resolve, _| {
            let set = self.0.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds as i32);
            if set.is_err() {
                // Without timers, at least let the queue of promises go on.
                let _ = resolve.call0(&JsValue::UNDEFINED);
            }
        });
        // Resolves only, with nothing to tell.
        let _ = JsFuture::from(timer).await;
    }
}
