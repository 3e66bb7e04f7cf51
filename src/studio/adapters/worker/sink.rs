//! Where the worker writes: memory that becomes a Blob, or a file that the visitor chose; and its way back to the event
//! loop. Knows nothing of what is written.

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;

use crate::error::{Error, Result};
use crate::files::Sink;
use crate::files::blob::message;
use crate::lang::tr;

#[wasm_bindgen(module = "/src/studio/adapters/worker/sink.js")]
extern "C" {
    pub type Out;
    #[wasm_bindgen(method, catch)]
    async fn write(this: &Out, bytes: Uint8Array) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn close(this: &Out) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub async fn abort(this: &Out) -> std::result::Result<JsValue, JsValue>;
    pub fn pieces() -> Out;
    #[wasm_bindgen(catch)]
    pub async fn into(handle: &JsValue, name: &str) -> std::result::Result<JsValue, JsValue>;
    pub async fn turn();
}

impl Sink for Out {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Out::write(self, Uint8Array::from(bytes)).await.map(drop).map_err(|error| unwritten(&error))
    }
}

pub fn unwritten(error: &JsValue) -> Error {
    Error::File { file: tr!("the file"), problem: tr!("cannot be written: {}", message(error)) }
}
