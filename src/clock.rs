//! Milliseconds that only go forward, in the browser and natively. For pacing, never for results.

#[cfg(target_arch = "wasm32")]
pub fn now() -> f64 {
    use wasm_bindgen::{JsCast, JsValue};
    // Windows and workers both have `performance`, under different global types.
    js_sys::Reflect::get(&js_sys::global(), &JsValue::from_str("performance"))
        .ok()
        .and_then(|p| p.dyn_into::<web_sys::Performance>().ok())
        .map_or_else(js_sys::Date::now, |p| p.now())
}

#[cfg(not(target_arch = "wasm32"))]
pub fn now() -> f64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
}
