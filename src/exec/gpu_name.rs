//! The GPU's name in a browser. wgpu passes on the adapter's description, which browsers leave empty by default;
//! vendor and architecture ("nvidia ada-lovelace") are always given, so they are asked for here.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// The name of the adapter that the browser prefers for speed.
pub async fn gpu_name() -> Option<String> {
    ask().await.ok().filter(|name| !name.is_empty())
}

async fn ask() -> Result<String, JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    let gpu = Reflect::get(&navigator, &"gpu".into())?;
    let request: Function = Reflect::get(&gpu, &"requestAdapter".into())?.dyn_into()?;
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into())?;
    let promise: Promise = request.call1(&gpu, &options)?.dyn_into()?;
    let info = Reflect::get(&JsFuture::from(promise).await?, &"info".into())?;
    let part = |key: &str| Reflect::get(&info, &key.into()).ok().and_then(|v| v.as_string()).unwrap_or_default();
    let description = part("description");
    Ok(if description.is_empty() {
        format!("{} {}", part("vendor"), part("architecture")).trim().to_owned()
    } else {
        description
    })
}
