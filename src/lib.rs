//! LoRA Playground: LoRA, MoLoRA, MoR1E and full fine-tuning trained side by side, with theory's prediction
//! beside every measurement. Layers, from plain data up, are listed in `docs/ARCHITECTURE.md`; a module imports
//! only from layers above it there.

pub mod adapter;
#[cfg(all(target_arch = "wasm32", feature = "api"))]
pub mod api;
pub mod app;
pub mod clock;
pub mod config;
pub mod decimal;
pub mod error;
pub mod exec;
pub mod experiments;
pub mod files;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod host;
pub mod inspect;
pub mod kernel;
pub mod lab;
pub mod model;
pub mod optim;
pub mod order;
pub mod peft;
pub mod protocol;
pub mod rng;
pub mod studio;
pub mod task;
pub mod tensor;
pub mod trainer;
pub mod view;
