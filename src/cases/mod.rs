//! Cases from practice, each run by the visitor: what was promised of these methods, with what was measured beside it. What a
//! case is made of is plain Rust under its name; only `page` touches the browser. Cases know neither lab nor studio.

pub mod languages;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod page;
pub mod personal;
pub mod sensors;
