//! LoRA Playground: LoRA, MoLoRA, MoR1E and full fine-tuning trained side by side, with theory's prediction
//! beside every measurement. Layers, from plain data up, are listed in `docs/ARCHITECTURE.md`; a module imports
//! only from layers above it there.

#[cfg(all(target_arch = "wasm32", feature = "api"))]
pub mod api;
pub mod app;
pub mod args;
pub mod cases;
pub mod clock;
pub mod config;
pub mod decimal;
pub mod embed;
pub mod error;
pub mod exec;
pub mod experiments;
pub mod files;
pub mod fixed;
pub mod graph;
#[cfg(all(target_arch = "wasm32", feature = "app"))]
pub mod host;
pub mod inspect;
pub mod lab;
pub mod lang;
pub mod lesson;
pub mod method;
pub mod net;
pub mod op;
pub mod optim;
pub mod order;
pub mod peft;
pub mod protocol;
pub mod rng;
pub mod spectrum;
pub mod studio;
pub mod task;
pub mod tensor;
pub mod trainer;
pub mod view;
