//! Components of the page: functions from snapshots to Html and pixels. They emit `Action`s and know nothing of
//! workers, URLs or how an action is carried out.

pub mod accuracy;
#[cfg(feature = "variants")]
pub mod budget;
pub mod control;
pub mod cursor;
#[cfg(feature = "variants")]
pub mod cuts;
pub mod digits;
mod ends;
#[cfg(feature = "variants")]
pub mod experts;
pub mod explain;
#[cfg(feature = "variants")]
mod gate_parts;
pub mod gates;
pub mod header;
pub mod heat;
pub mod lane_more;
#[cfg(feature = "variants")]
mod lane_options;
pub mod lanes;
pub mod loss;
pub mod pointer;
pub mod redraw;
#[cfg(feature = "variants")]
mod shown;
pub mod size;
pub mod spectrum;
pub mod task;
pub mod twin;
pub mod weight;
