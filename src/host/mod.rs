//! The transport between page and worker. Knows neither what is trained nor what is drawn.

#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod client;
