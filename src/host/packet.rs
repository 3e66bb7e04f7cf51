//! One message between a page and its worker: postcard bytes, with what cannot be bytes (files, blobs) beside them where
//! there is any. Knows nothing of what it says.

use js_sys::{Array, Uint8Array};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};

/// The message as a value that can be posted, and its bytes' buffers, which may be handed over.
///
/// # Errors
/// In words, when it cannot be written.
pub fn pack(message: &impl Serialize, beside: &JsValue) -> Result<(JsValue, Array), String> {
    let bytes = postcard::to_stdvec(message).map_err(|error| error.to_string())?;
    let bytes = Uint8Array::from(bytes.as_slice());
    let buffers = Array::of1(&bytes.buffer());
    let packet = if beside.is_undefined() { bytes.into() } else { Array::of2(&bytes, beside).into() };
    Ok((packet, buffers))
}

/// The message and what lies beside it: undefined, mostly.
///
/// # Errors
/// In words, when it is none.
pub fn unpack<T: DeserializeOwned>(data: JsValue) -> Result<(T, JsValue), String> {
    let (bytes, beside) = match data.dyn_ref::<Array>() {
        Some(parts) => (parts.get(0), parts.get(1)),
        None => (data, JsValue::UNDEFINED),
    };
    let bytes = bytes.dyn_into::<Uint8Array>().map_err(|_| "it is no message".to_owned())?;
    postcard::from_bytes(&bytes.to_vec()).map(|message| (message, beside)).map_err(|error| error.to_string())
}
