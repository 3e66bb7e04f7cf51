//! Trained adapters as Hugging Face PEFT and kohya's scripts store them: what is in them, compared, combined, edited,
//! saved, merged into their base. Factors are f32 as stored; all that is computed from them is f64. Knows nothing of
//! where bytes come from and how results are drawn.

pub mod adapter;
pub mod change;
pub mod combine;
pub mod compare;
pub mod config;
pub mod described;
pub mod draft;
pub mod edit;
pub mod experts;
pub mod find;
pub mod intruders;
pub mod keys;
pub mod loaded;
pub mod merge;
pub mod module;
pub mod names;
pub mod origin;
pub mod overview;
pub mod pattern;
pub mod plain;
pub mod plan;
pub mod proof;
pub mod said;
pub mod saved;
pub mod settings;
pub mod view;
pub mod weight;

pub use adapter::Adapter;
pub use config::AdapterConfig;
pub use loaded::{Loaded, Target};
pub use module::{Module, Whole};
