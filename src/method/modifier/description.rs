//! What a modifier is, as data: a change to methods that is not one method's alone, with its settings and the methods that
//! have it. Knows no modifier.

use crate::args::{Setting, Settings};

pub struct Modifier {
    pub name: &'static str,
    /// Names of methods.
    pub applies_to: &'static [&'static str],
    pub settings: &'static [Setting],
    /// What it adds to a lane's name where it is on.
    pub mark: fn(&Settings) -> Option<Mark>,
}

/// Beside a method's title: "ternary LoRA", "LoRA PiSSA".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Before(&'static str),
    After(&'static str),
}
