//! Lessons: a column of text beside the live lab. A lesson is data (`www/lessons`, docs/LESSONS.md); here it is read, its
//! questions are held against the run's own numbers, and the column is drawn. The lab knows nothing of it.

pub mod course;
pub mod data;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod entries;
pub mod measure;
pub mod progress;
pub mod script;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod ui;
pub mod words;
