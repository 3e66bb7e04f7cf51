//! What the page's scripts call: the studio and its workers. Their code is a part of the engine of its own, `split_studio.wasm`,
//! that `cargo xtask build` cuts off behind these functions and that is fetched when one is called. Knows nothing of what
//! they do.

// What `wasm_split` writes around a function: an import and an export by name.
#![allow(unsafe_code)]

use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_split_helpers::{SplitLoaderError, wasm_split};

use super::{adapters, ui, worker};

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

#[wasm_split(studio, fallible)]
fn page(root: web_sys::Element) -> Result<(), Failed> {
    ui::start(root);
    Ok(())
}

#[wasm_split(studio, fallible)]
fn experiments() -> Result<(), Failed> {
    worker::start().map_err(|_| Failed::Scope)
}

#[wasm_split(studio, fallible)]
fn adapters() -> Result<(), Failed> {
    adapters::worker::start().map_err(|_| Failed::Scope)
}

/// Starts the studio in `root`. Called once, by the page's script.
///
/// # Errors
/// If its part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn start_studio(root: web_sys::Element) -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    Ok(page(root).await?)
}

/// Experiments and sweeps at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the studio's part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn studio_worker() -> Result<(), JsValue> {
    Ok(experiments().await?)
}

/// Open adapters at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker, or if the studio's part of the engine cannot be fetched.
#[wasm_bindgen]
pub async fn adapter_worker() -> Result<(), JsValue> {
    Ok(adapters().await?)
}
