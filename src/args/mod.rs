//! Settings as plain data: what a key is called, which values it may have, its default, and the sentence that explains it.
//! Documents, links, menus, sliders, sweeps and tables are written and read by loops over such descriptions. Also the plain
//! values of a run that no method has a say in. Knows neither methods nor models.

pub mod limits;
mod name;
pub mod object;
mod run;

use crate::order::Few;
use limits::{Real, Whole};
pub use name::Named;
pub use run::{
    BackendChoice, DigitDomain, Digits, Domains, Form, Model, Optimizer, Pattern, Projection, SavedModule, Schedule,
    Sensors, Spectrum, Task, Text,
};

/// The value of one setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Whole(usize),
    Real(f64),
    Flag(bool),
    /// One of the names that the setting offers.
    Choice(&'static str),
    /// One size for each layer.
    Sizes(Vec<usize>),
    /// Left to whatever the setting's sentence says.
    Unset,
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Choice(value)
    }
}

impl From<Vec<usize>> for Value {
    fn from(value: Vec<usize>) -> Self {
        Self::Sizes(value)
    }
}

/// Which values a setting may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Whole(Whole),
    Real(Real),
    Flag,
    Choice(&'static [&'static str]),
    /// A whole number that divides the setting of this key, or unset.
    Divisor(&'static str),
    /// In place of the setting of this key, one whole number for each layer, or unset.
    PerLayer(&'static str, Whole),
}

/// Where a person finds a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The lane's own slider.
    Slider,
    /// Beside it.
    Row,
    /// In the lane's menu.
    Menu,
    /// In documents and links alone.
    Nowhere,
}

/// One setting: all that a document, a link, a control, a sweep and a table need to know of it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// In the JSON document; "balance.kind" is the key "kind" of the object "balance".
    pub key: &'static str,
    pub kind: Kind,
    pub default: Value,
    /// What stands before its value in a link: "r" in "lora.r8". A flag is the word alone; a choice is known by its value.
    pub link: &'static str,
    /// Whether a link names it even at its default.
    pub always: bool,
    /// The setting whose number a link writes behind this choice: "entropy0.01".
    pub with: Option<&'static str>,
    /// The key of a whole number that this one must not exceed.
    pub at_most: Option<&'static str>,
    /// As a control names it.
    pub label: &'static str,
    /// One sentence for a person.
    pub why: &'static str,
    /// Changes a run under way without starting it again.
    pub live: bool,
    pub shown: Shown,
}

impl Setting {
    pub const fn new(key: &'static str, kind: Kind, default: Value) -> Self {
        Self {
            key,
            kind,
            default,
            link: "",
            always: false,
            with: None,
            at_most: None,
            label: key,
            why: "",
            live: false,
            shown: Shown::Menu,
        }
    }

    pub const fn whole(key: &'static str, range: Whole, default: usize) -> Self {
        Self::new(key, Kind::Whole(range), Value::Whole(default))
    }

    pub const fn real(key: &'static str, range: Real, default: f64) -> Self {
        Self::new(key, Kind::Real(range), Value::Real(default))
    }

    pub const fn flag(key: &'static str) -> Self {
        Self::new(key, Kind::Flag, Value::Flag(false))
    }

    /// The first of `names` is the default.
    pub const fn choice(key: &'static str, names: &'static [&'static str]) -> Self {
        Self::new(key, Kind::Choice(names), Value::Choice(names[0]))
    }

    /// A whole number that may be left out.
    pub const fn optional(key: &'static str, range: Whole) -> Self {
        Self::new(key, Kind::Whole(range), Value::Unset)
    }

    pub const fn divisor(key: &'static str, of: &'static str) -> Self {
        Self::new(key, Kind::Divisor(of), Value::Unset)
    }

    pub const fn per_layer(key: &'static str, of: &'static str, range: Whole) -> Self {
        Self::new(key, Kind::PerLayer(of, range), Value::Unset)
    }

    pub const fn link(mut self, word: &'static str) -> Self {
        self.link = word;
        self
    }

    pub const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    pub const fn with(mut self, key: &'static str) -> Self {
        self.with = Some(key);
        self
    }

    pub const fn at_most(mut self, key: &'static str) -> Self {
        self.at_most = Some(key);
        self
    }

    /// As a control names and explains it.
    pub const fn explained(mut self, label: &'static str, why: &'static str) -> Self {
        self.label = label;
        self.why = why;
        self
    }

    pub const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    pub const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// Values by key: every setting of a lane's method has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(Few<&'static str, Value>);

impl Settings {
    /// Every setting at its default.
    pub fn defaults(settings: &[&'static Setting]) -> Self {
        Self(settings.iter().map(|setting| (setting.key, setting.default.clone())).collect())
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Gives a setting that is there another value; what is not there stays away.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        if let Some(held) = self.0.get_mut(key) {
            *held = value.into();
        }
    }

    /// A whole number, if there is such a setting and it is set.
    pub fn maybe_whole(&self, key: &str) -> Option<usize> {
        match self.get(key) {
            Some(Value::Whole(value)) => Some(*value),
            _ => None,
        }
    }

    /// A number, whole or not, if there is such a setting.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Whole(value)) => Some(*value as f64),
            Some(Value::Real(value)) => Some(*value),
            _ => None,
        }
    }

    /// Sizes by layer, if they are given.
    pub fn sizes(&self, key: &str) -> Option<&[usize]> {
        match self.get(key) {
            Some(Value::Sizes(sizes)) => Some(sizes),
            _ => None,
        }
    }

    /// A whole number of the method that asks.
    ///
    /// # Panics
    /// Where the method does not declare it.
    pub fn whole(&self, key: &str) -> usize {
        self.maybe_whole(key).unwrap_or_else(|| unreachable!("no whole number \"{key}\" is declared"))
    }

    /// A real number of the method that asks; panics as `whole`.
    pub fn real(&self, key: &str) -> f64 {
        match self.get(key) {
            Some(Value::Real(value)) => *value,
            _ => unreachable!("no number \"{key}\" is declared"),
        }
    }

    /// A switch of the method that asks; panics as `whole`.
    pub fn flag(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Value::Flag(value)) => *value,
            _ => unreachable!("no switch \"{key}\" is declared"),
        }
    }

    /// A choice of the method that asks; panics as `whole`.
    pub fn choice(&self, key: &str) -> &'static str {
        match self.get(key) {
            Some(Value::Choice(value)) => value,
            _ => unreachable!("no choice \"{key}\" is declared"),
        }
    }
}
