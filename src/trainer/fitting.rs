//! Whether the model that a visitor brought fits the device, and how long a step takes, told beside the run that is there. Knows
//! nothing of how either is found out.

use super::{Trainer, Transport};
use crate::config::{Config, Task};
use crate::error::Result;
use crate::exec::gpu::Device;
use crate::files::Source;
use crate::lab::fit::{self, Timing};
use crate::task::text::fit::Fit;

/// What is known so far.
pub struct Fitting {
    pub fit: Fit,
    timing: Option<Timing>,
}

impl Fitting {
    /// Leaves unmeasured what is not measured yet.
    pub fn stop(&mut self) {
        self.timing = None;
        self.fit.measuring = false;
    }

    pub fn measures(&self) -> bool {
        self.timing.is_some()
    }
}

impl<F: Source> Trainer<F> {
    /// For the lanes and passages of the run that is there, on its device.
    pub(super) fn fit(&mut self) -> Option<String> {
        self.fitting = None;
        let (run, model) = (self.run.as_ref()?, self.own.config()?);
        let (config, device) = (&run.lab.config, run.lab.device());
        let shape = shape(config, model.positions)?;
        let model = self.own.shape(shape.1)?;
        match fit::needs(&model, &config.lanes, shape, device) {
            Ok(mut fit) => {
                let timing = fit.refused.is_none();
                fit.measuring = timing;
                let timing = timing.then(|| Timing::new(model, fit::timed(config), shape, device.cloned()));
                self.fitting = Some(Fitting { fit, timing });
                None
            }
            Err(error) => Some(error.to_string()),
        }
    }

    /// Says no to a run that does not fit, before its weights are read.
    pub(super) fn check_fit(&self, config: &Config, device: Option<&Device>) -> Result<()> {
        let Some(shape) = self.own.config().and_then(|own| shape(config, own.positions)) else { return Ok(()) };
        let Some(model) = self.own.shape(shape.1) else { return Ok(()) };
        fit::check(&fit::needs(&model, &config.lanes, shape, device)?)
    }

    /// A piece of what is measured.
    pub(super) async fn measure(&mut self, transport: &mut impl Transport<File = F>) {
        let Some(fitting) = &mut self.fitting else { return };
        let Some(timing) = &mut fitting.timing else { return };
        let problem = match timing.go_on().await {
            Ok(None) => return,
            Ok(Some(time)) => {
                fitting.fit.time = Some(time);
                None
            }
            Err(error) => Some(error.to_string()),
        };
        fitting.stop();
        self.tell(problem.into_iter().collect(), transport);
    }
}

/// Passages and their tokens.
fn shape(config: &Config, longest: usize) -> Option<(usize, usize)> {
    let Task::Text(text) = &config.task else { return None };
    Some((text.batch, text.sequence.min(longest)))
}
