//! The studio: experiments put to the test, sweeps and real adapters, in workers of their own. The lab knows only its
//! address; state, charts and files are plain Rust, and only `ui`, `worker` and `wire`'s two ends touch the browser.

pub mod adapters;
pub mod chart;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod entries;
pub mod export;
pub mod filter;
pub mod record;
pub mod state;
pub mod sweep;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod ui;
pub mod wire;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod worker;

#[cfg(test)]
mod tests;
