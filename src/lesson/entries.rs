//! What the page's script calls for a lesson. Its code is a part of the engine of its own, `split_lesson.wasm`, that is fetched
//! when a lesson is opened. Knows nothing of what a lesson is.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

use super::ui;

#[wasm_split(lesson, fallible)]
fn column(root: web_sys::Element) -> Result<(), SplitLoaderError> {
    ui::start(root);
    Ok(())
}

/// Starts the lessons' column in `root`. Called once, by the page's script, when the lab is there.
///
/// # Errors
/// If its part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_lessons(root: web_sys::Element) -> Result<(), JsValue> {
    column(root).await.map_err(|error| js_sys::Error::new(&error.to_string()).into())
}
