//! The transport between page and worker: postcard bytes both ways. Knows neither what is trained nor what is drawn.

#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod client;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod worker;
