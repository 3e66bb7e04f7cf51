//! Files that lie beside the page, for pages and workers alike. Knows nothing of what is in them.

use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::error::{Error, Result};
use crate::lang::tr;

/// Bytes of a file, its address relative to the page, or to the worker's script.
///
/// # Errors
/// `Error::File` naming the file, and what to do.
pub async fn fetch(file: &str) -> Result<Vec<u8>> {
    bytes(file).await.map_err(|error| Error::File {
        file: file.into(),
        problem: match error.as_string() {
            Some(answer) => tr!("the site has no such file ({answer}); reload the page", answer),
            None => tr!("the site cannot be reached; try again when there is a connection"),
        },
    })
}

async fn bytes(file: &str) -> std::result::Result<Vec<u8>, JsValue> {
    let global = js_sys::global();
    let fetch: Function = Reflect::get(&global, &"fetch".into())?.dyn_into()?;
    let response: Promise = fetch.call1(&global, &file.into())?.dyn_into()?;
    let response = JsFuture::from(response).await?;
    if Reflect::get(&response, &"ok".into())? != JsValue::TRUE {
        let status = Reflect::get(&response, &"status".into())?.as_f64().unwrap_or(0.0) as u16;
        return Err(tr!("status {status}", status).into());
    }
    let buffer: Function = Reflect::get(&response, &"arrayBuffer".into())?.dyn_into()?;
    let buffer: Promise = buffer.call0(&response)?.dyn_into()?;
    Ok(Uint8Array::new(&JsFuture::from(buffer).await?).to_vec())
}
