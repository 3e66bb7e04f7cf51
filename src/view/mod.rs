//! Functions from snapshots of a run to numbers, words, Html and pixels. All but `ui` is plain Rust and tested
//! natively; nothing here knows the trainer or how its events arrive.

pub mod action;
pub mod axis;
pub mod edit;
pub mod flow;
pub mod format;
pub mod history;
pub mod ink;
pub mod lane_view;
pub mod marks;
pub mod now;
pub mod passage;
pub mod ranks;
pub mod reading;
pub mod run;
pub mod scale;
pub mod sensors;
pub mod snap;
pub mod snippet;
pub mod table;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod ui;
pub mod words;
