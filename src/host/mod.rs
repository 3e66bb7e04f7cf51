//! The transport between a page and its worker: postcard bytes both ways. Knows neither what is trained nor what is drawn.

#[cfg(all(target_arch = "wasm32", any(feature = "app", feature = "studio")))]
pub mod browser;
#[cfg(all(target_arch = "wasm32", any(feature = "app", feature = "studio")))]
pub mod client;
#[cfg(all(target_arch = "wasm32", any(feature = "app", feature = "studio")))]
mod packet;
#[cfg(all(target_arch = "wasm32", any(feature = "app", feature = "studio")))]
pub mod scope;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod worker;
