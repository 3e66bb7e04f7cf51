//! Language models on text: each token is predicted from those before it. The model is frozen; passages are cut from
//! texts, or given. Knows no adapters.

pub mod config;
pub mod fit;
pub mod languages;
mod model;
pub mod own;
mod passages;
mod small;
mod tokenizer;

pub use config::ModelConfig;
pub use model::Model;
pub use own::Own;
pub use passages::{Passages, Texts, drawn, given, on_passages, on_texts};
pub use small::{small, small_model};
pub use tokenizer::Tokenizer;
