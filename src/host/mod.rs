//! The trainer's place in a browser: a dedicated worker, spoken to in postcard bytes.

#[cfg(target_arch = "wasm32")]
pub mod worker;
