//! Real adapters in the studio: opened from files that stay on the visitor's disk, measured, looked into, compared and
//! saved, in a worker of their own. State, table, map and words are plain Rust; only `worker` touches the browser.

pub mod combining;
pub mod grid;
pub mod msg;
pub mod profile;
pub mod region;
pub mod sorting;
pub mod state;
pub mod table;
pub mod wire;
pub mod words;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
pub mod worker;

#[cfg(test)]
mod combining_tests;
#[cfg(test)]
mod tests;
