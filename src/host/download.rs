//! Files on their way to the visitor's disk. Knows nothing of what they hold.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/host/download.js")]
extern "C" {
    /// A text as a file of this name and kind.
    pub fn save(name: &str, kind: &str, text: &str);
    /// Bytes, or a `Blob`.
    pub fn give(name: &str, content: &JsValue);
    /// An SVG document as a picture of `scale` times its size.
    #[wasm_bindgen(js_name = savePng, catch)]
    pub async fn save_png(name: &str, svg: &str, scale: f64) -> Result<(), JsValue>;
}
