//! The methods by which a frozen linear layer is adapted, a file each: what a method is, what it holds, what it computes,
//! and what is known of it. Everybody else asks its description, never which method it is. Knows neither tasks nor views.
//!
//! A method sits at a `LayerSite` and records what it adds there, an `AdapterPasses`: passes before and after the layer's own, and
//! where its factors are. To the layer, low-rank methods are one thing, a gated product `h B` with `h = s g ∘ (x Aᵀ)`;
//! `factors` holds what they share. docs/ARCHITECTURE.md says how another one is written.

pub mod cost;
pub mod count;
pub mod description;
pub mod drawing;
mod factors;
mod gates;
mod lane;
pub mod match_size;
pub mod modifier;
mod prototype;
pub mod resize;
pub mod site;
#[cfg(test)]
pub mod tests;

use description::Method;
pub use lane::{Broken, Lane};

/// Declares a file for each method, and the list of what they describe.
macro_rules! methods {
    ($($file:ident::$name:ident,)*) => {
        $(
            mod $file;
            pub use $file::$name;
        )*

        /// In the order in which they are offered.
        pub static METHODS: &[&Method] = &[$(&$name),*];
    };
}

// A new method is one file and one line here.
methods! {
    full::FULL,
    lora::LORA,
    molora::MOLORA,
    mor1e::MOR1E,
    dora::DORA,
    mora::MORA,
    adalora::ADALORA,
    dylora::DYLORA,
    vera::VERA,
}

/// What a lane is whose document names no method, and what a new lane begins as.
pub static USUAL: &Method = &LORA;

/// The method of that name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().copied().find(|method| method.name == name)
}
