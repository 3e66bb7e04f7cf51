//! Modifiers of methods, a file each.

pub mod balance;
pub mod description;
pub mod flex;
pub mod list;
pub mod lora_plus;
pub mod orthogonality;
pub mod per_layer;
pub mod pissa;
pub mod quantised;
pub mod router;
