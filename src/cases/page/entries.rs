//! What the page's scripts call for the cases. Their code is a part of the engine of its own, `split_cases.wasm`, that is
//! fetched when one is opened. Knows nothing of what a case is.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

/// Why a part of the engine does not run.
#[derive(Debug, Error)]
enum Failed {
    #[error("its part of the engine could not be fetched")]
    Fetch(#[from] SplitLoaderError),
    #[error("it is no dedicated worker")]
    Scope,
}

impl From<Failed> for JsValue {
    fn from(failed: Failed) -> Self {
        js_sys::Error::new(&failed.to_string()).into()
    }
}

#[wasm_split(cases, fallible)]
fn page(root: web_sys::Element) -> Result<(), Failed> {
    super::start(root);
    Ok(())
}

#[wasm_split(cases, fallible)]
fn languages() -> Result<(), Failed> {
    super::languages::worker::start().map_err(|_| Failed::Scope)
}

#[wasm_split(cases, fallible)]
fn personal() -> Result<(), Failed> {
    super::personal::worker::start().map_err(|_| Failed::Scope)
}

/// Starts the cases in `root`. Called once, by the page's script.
///
/// # Errors
/// If their part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_cases(root: web_sys::Element) -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    Ok(page(root).await?)
}

/// Reads and adds languages' adapters at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the cases' part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn languages_worker() -> Result<(), JsValue> {
    Ok(languages().await?)
}

/// Trains personal models at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the cases' part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn personal_worker() -> Result<(), JsValue> {
    Ok(personal().await?)
}
