//! What every worker does with its scope: sends messages to its page, as postcard bytes, and reads files beside it.

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::DedicatedWorkerGlobalScope;

use crate::error::{Error, Result};

/// Text of a file, its address relative to the worker's script.
///
/// # Errors
/// `Error::Data` naming the file.
pub async fn fetch(scope: &DedicatedWorkerGlobalScope, file: &str) -> Result<String> {
    text(scope, file).await.map_err(|error| Error::Data {
        what: file.into(),
        expected: "the file beside the page".into(),
        got: error.as_string().unwrap_or_else(|| format!("{error:?}")),
    })
}

async fn text(scope: &DedicatedWorkerGlobalScope, file: &str) -> std::result::Result<String, JsValue> {
    let fetch: Function = Reflect::get(scope, &"fetch".into())?.dyn_into()?;
    let response: Promise = fetch.call1(scope, &file.into())?.dyn_into()?;
    let response = JsFuture::from(response).await?;
    if Reflect::get(&response, &"ok".into())? != JsValue::TRUE {
        let status = Reflect::get(&response, &"status".into())?.as_f64().unwrap_or(0.0);
        return Err(format!("status {status}").into());
    }
    let text: Function = Reflect::get(&response, &"text".into())?.dyn_into()?;
    let text: Promise = text.call0(&response)?.dyn_into()?;
    JsFuture::from(text).await?.as_string().ok_or_else(|| "no text".into())
}

/// To the page.
pub fn send(scope: &DedicatedWorkerGlobalScope, message: &impl Serialize) {
    let sent = postcard::to_stdvec(message).map_err(|error| JsValue::from(error.to_string())).and_then(|bytes| {
        let bytes = Uint8Array::from(bytes.as_slice());
        scope.post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer()))
    });
    if let Err(error) = sent {
        wasm_bindgen::throw_val(error);
    }
}
