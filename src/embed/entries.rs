//! What the page's script calls where the page stands in another's. Its code is a part of the engine of its own,
//! `split_embed.wasm`, that only embedded pages fetch. Knows nothing of messages.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

mod wire;

use js_sys::Function;
use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

#[wasm_split(embed, fallible)]
fn talk(send: Function) -> Result<Function, SplitLoaderError> {
    Ok(wire::start(send))
}

/// Begins the talk with the page around: `send` is called with what it is told, and the function that is given back with what
/// it asks for, both JSON. Called once, by the page's script, when the lab is there.
///
/// # Errors
/// If its part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_embed(send: Function) -> Result<Function, JsValue> {
    talk(send).await.map_err(|error| js_sys::Error::new(&error.to_string()).into())
}
