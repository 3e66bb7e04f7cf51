//! This page in a page of somebody else's: what that page may ask for and what it is told (docs/EMBED.md), as plain JSON. The
//! lab knows nothing of it.

pub mod ask;
#[cfg(all(target_arch = "wasm32", feature = "studio"))]
mod entries;
pub mod tell;
