//! What a measurement is given: data that it cannot make, the backend that its runs train on, and somebody to tell how
//! far it is. Keeps count of what was trained and where. Knows nothing of claims.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::BackendChoice;
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::lab;

/// Hears of progress, in steps.
type Listener = Box<dyn FnMut(Progress)>;

/// What the small language model and its texts are read from.
pub const FILES: [&str; 3] = ["lm/config.json", "lm/model.safetensors", "lm/texts.json"];

/// Data, backend and listener of a measurement; for one measurement at a time.
pub struct Inputs {
    /// Text of `digits.csv`.
    pub digits: String,
    /// What a language model needs, by name under `data/`.
    files: BTreeMap<String, Vec<u8>>,
    /// `None` is the CPU.
    device: Option<Device>,
    listener: RefCell<Option<Listener>>,
    done: Cell<usize>,
    expected: Cell<usize>,
    trained: Cell<bool>,
}

/// Steps trained since the measurement began, of about how many: a measurement may train more than its set-ups say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub done: usize,
    pub expected: usize,
}

/// Where a measurement's runs were trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Where {
    /// Nothing was trained; what was computed was computed on the CPU.
    Nowhere,
    Cpu,
    /// The GPU's name.
    WebGpu(String),
}

impl Inputs {
    /// On the CPU, with nobody listening.
    pub fn new(digits: String) -> Self {
        Self {
            digits,
            files: BTreeMap::new(),
            device: None,
            listener: RefCell::default(),
            done: Cell::default(),
            expected: Cell::default(),
            trained: Cell::default(),
        }
    }

    /// With the language model's files, which are named under `data/`; see [`FILES`].
    pub fn holding(self, files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { files, ..self }
    }

    /// One of the files.
    ///
    /// # Errors
    /// `Error::Missing` where the measurement was not given it.
    pub fn file(&self, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::Missing { what: "file", name: name.into(), hint: "it comes with the page".into() };
        self.files.get(name).cloned().ok_or_else(missing)
    }

    /// On the backend that `choice` asks for.
    ///
    /// # Errors
    /// `Error::Backend` where WebGPU was asked for by name and cannot be had.
    pub async fn on(self, choice: BackendChoice) -> Result<Self> {
        let (device, _) = lab::open(choice).await?;
        Ok(self.with(device))
    }

    /// On an open device, or else the CPU.
    pub fn with(self, device: Option<Device>) -> Self {
        Self { device, ..self }
    }

    /// `listener` hears of progress, in between two submissions of steps.
    pub fn telling(self, listener: impl FnMut(Progress) + 'static) -> Self {
        Self { listener: RefCell::new(Some(Box::new(listener))), ..self }
    }

    /// The device for a run; every run of a measurement uses the same, whose kernels are compiled once.
    pub fn device(&self) -> Option<Device> {
        self.trained.set(true);
        self.device.clone()
    }

    /// Where runs have been set up since the measurement began.
    pub fn used(&self) -> Where {
        match (&self.device, self.trained.get()) {
            (_, false) => Where::Nowhere,
            (None, true) => Where::Cpu,
            (Some(device), true) => Where::WebGpu(device.name.clone()),
        }
    }

    /// A measurement begins; it trains about `expected` steps.
    pub(super) fn begin(&self, expected: usize) {
        self.done.set(0);
        self.expected.set(expected);
        self.trained.set(false);
    }

    /// For a measurement that trains other than its set-ups say.
    pub fn expects(&self, steps: usize) {
        self.expected.set(steps);
        self.tell();
    }

    /// So many more steps are trained.
    pub fn advance(&self, steps: usize) {
        self.done.set(self.done.get() + steps);
        self.tell();
    }

    fn tell(&self) {
        // A listener that asks for a measurement itself hears nothing of it.
        if let Ok(mut listener) = self.listener.try_borrow_mut()
            && let Some(listener) = listener.as_mut()
        {
            let done = self.done.get();
            listener(Progress { done, expected: self.expected.get().max(done) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn progress_never_exceeds_what_is_expected() {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let inputs = Inputs::new(String::new()).telling({
            let heard = heard.clone();
            move |progress: Progress| heard.borrow_mut().push((progress.done, progress.expected))
        });
        inputs.begin(10);
        inputs.advance(6);
        inputs.advance(6);
        inputs.expects(40);
        assert_eq!(*heard.borrow(), [(6, 10), (12, 12), (12, 40)]);
        inputs.begin(5);
        inputs.advance(1);
        assert_eq!(heard.borrow().last(), Some(&(1, 5)));
    }

    #[test]
    fn what_trained_nothing_was_measured_nowhere() {
        let inputs = Inputs::new(String::new());
        inputs.begin(0);
        assert_eq!(inputs.used(), Where::Nowhere);
        assert!(inputs.device().is_none());
        assert_eq!(inputs.used(), Where::Cpu);
    }
}
