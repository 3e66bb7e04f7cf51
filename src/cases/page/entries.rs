//! What the page's scripts call for the cases. Their code is a part of the engine of its own, `split_cases.wasm`, that is
//! fetched when one is opened. Knows nothing of what a case is.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

#[wasm_split(cases, fallible)]
fn page(root: web_sys::Element) -> Result<(), SplitLoaderError> {
    super::start(root);
    Ok(())
}

/// Starts the cases in `root`. Called once, by the page's script.
///
/// # Errors
/// If their part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_cases(root: web_sys::Element) -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    page(root).await.map_err(|error| js_sys::Error::new(&error.to_string()).into())
}
