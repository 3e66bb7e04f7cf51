//! The configuration: one JSON document that is at once the URL state, the API argument and the worker's
//! message. Plain validated data; knows nothing of models, engines or views.
//!
//! `Config::from_json` and `Config::from_query` are the only ways in from outside; both reject unknown keys,
//! wrong types and values out of range with an error that names the key, its value and what is allowed.

mod check;
mod default;
mod lane;
mod lane_text;
mod link;
mod parse;
mod query;
mod then;
mod wire;
mod write;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;

pub use crate::args::{
    BackendChoice, DigitDomain, Digits, Domains, Form, Model, Named, Optimizer, Pattern, Projection, SavedModule,
    Schedule, Sensors, Spectrum, Task, Text, limits,
};
pub use crate::method::Lane;
pub use link::{PAGE_KEYS, Read, decode};
pub use then::{Edit, What, then_text};

/// A complete run: task, lanes, optimiser and schedule, reproducible from `seed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub seed: u32,
    pub backend: BackendChoice,
    pub task: Task,
    pub lanes: Vec<Lane>,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
}
