//! The transport between a page and its worker: postcard bytes both ways. Knows neither what is trained nor what is drawn.

pub mod browser;
pub mod client;
pub mod download;
pub mod file;
mod packet;
pub mod scope;
pub mod shelf;
pub mod worker;
