//! Errors of everything below the app. Each is handled once, where it can be shown to a person.

use crate::lang::{said, tr};

/// What went wrong, in words that say what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A configuration, URL or API argument that is not allowed: names the key, the value and the range.
    #[error("{}", tr!("{key}: {value} is not allowed; {allowed}", key, value, allowed))]
    Config { key: String, value: String, allowed: String },
    /// Text that is not JSON at all.
    #[error("{}", tr!("the configuration is not valid JSON: {}", _0))]
    Json(String),
    /// Data given through the API does not fit its stated shape.
    #[error("{}", tr!("{what}: expected {expected}, got {got}", what, expected, got))]
    Data { what: String, expected: String, got: String },
    /// A lane, layer or tensor that does not exist; `what` it is, as `lang::said` takes it.
    #[error("{}", tr!("there is no {what} \"{name}\"; {hint}", what = said(what), name, hint))]
    Missing { what: &'static str, name: String, hint: String },
    /// A file that is not what it should be, or not all of it: what is wrong, and what to do.
    #[error("{}", tr!("{name}: {what}", name = file, what = problem))]
    File { file: String, problem: String },
    /// Work that the person left before its end; what it is, to begin a sentence with.
    #[error("{}", tr!("{what} was cancelled", what = _0))]
    Cancelled(String),
    /// The requested backend cannot be had here.
    #[error("{}", tr!("backend \"{backend}\" is not available: {reason}", backend, reason))]
    Backend { backend: &'static str, reason: String },
    /// The GPU device was lost while running.
    #[error("{}", tr!("the GPU device was lost: {}", _0))]
    DeviceLost(String),
}

pub type Result<T> = std::result::Result<T, Error>;
