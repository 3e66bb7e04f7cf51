//! The methods by which a frozen linear layer is adapted, a file each: what a method is, what it holds, what it computes,
//! and what is known of it. Everybody else asks its description, never which method it is. Knows neither tasks nor views.
//!
//! A method sits at a `Place` and records what it adds there, an `Adapted`: passes before and after the layer's own, and
//! where its factors are. To the layer, low-rank methods are one thing, a gated product `hg B` with `hg = s g ∘ (x Aᵀ)`;
//! `factors` holds what they share.

mod adalora;
pub mod cost;
pub mod count;
pub mod description;
mod dora;
mod dylora;
mod factors;
mod full;
mod gates;
mod lane;
mod list;
mod lora;
pub mod match_size;
pub mod modifier;
mod molora;
mod mor1e;
mod mora;
mod prototype;
pub mod resize;
pub mod site;
#[cfg(test)]
mod tests;

pub use adalora::ADALORA;
pub use dora::DORA;
pub use dylora::DYLORA;
pub use full::FULL;
pub use lane::{Broken, Lane};

pub use list::{METHODS, USUAL, find};
pub use lora::LORA;
pub use molora::MOLORA;
pub use mor1e::MOR1E;
pub use mora::MORA;
