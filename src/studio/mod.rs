//! The studio: what the lab's page does not need at once and is loaded when somebody asks for it, as a build of its own.
//! Experiments put to the test and sweeps, run in a worker of their own. The lab knows only its address; state, charts
//! and files are plain Rust, and only `ui`, `worker` and `wire`'s two ends touch the browser.

pub mod adapters;
pub mod chart;
pub mod export;
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
