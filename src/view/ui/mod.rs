//! Components of the page: functions from snapshots to Html and pixels. They emit `Action`s and know nothing of
//! workers, URLs or how an action is carried out.

pub mod accuracy;
pub mod budget;
pub mod control;
pub mod cursor;
pub mod cuts;
pub mod digits;
mod ends;
pub mod experts;
pub mod explain;
pub mod flow;
mod gate_parts;
pub mod gates;
pub mod header;
pub mod heat;
pub mod held;
pub mod lane_settings;
pub mod lanes;
pub mod language;
pub mod loss;
pub mod map;
pub mod navigation;
pub mod own;
pub mod panel;
pub mod passage;
pub mod pick;
pub mod pointer;
pub mod redraw;
pub mod sensors;
pub mod share;
mod shown;
pub mod size;
pub mod spectrum;
pub mod task;
pub mod tint;
pub mod weight;
pub mod writing;
