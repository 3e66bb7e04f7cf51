//! The page: composes views, worker and URL into one application. State and its transitions are plain Rust; only
//! `page` touches the browser.

pub mod address;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod page;
pub mod state;
