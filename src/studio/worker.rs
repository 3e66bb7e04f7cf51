//! The studio's worker: carries out one order at a time and reports. It never returns to its event loop while the CPU
//! trains, and need not: what cancels it is its end. Knows nothing of what is shown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::wire::{Order, Report};
use crate::clock;
use crate::config::{Config, Task};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::experiments::{FILES, Inputs, all, runs};
use crate::host::file::fetch;
use crate::host::scope::Scope;
use crate::lang::{marked, tr};

/// Milliseconds between two reports of progress.
const PACE: f64 = 80.0;

/// Work at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
pub fn start() -> std::result::Result<(), JsValue> {
    let scope = Scope::own(|info| Report::Crashed(tr!("it failed: {info}", info)))?;
    let bench = Rc::new(Bench { scope: scope.clone(), device: RefCell::default(), files: RefCell::default() });
    let working = bench.clone();
    scope.listen(move |message| {
        let bench = working.clone();
        spawn_local(async move {
            let report = match message {
                Ok((order, _)) => {
                    bench.carry_out(order).await.unwrap_or_else(|error| Report::Failed(error.to_string()))
                }
                Err(error) => Report::Failed(tr!("the worker was sent something that is no order: {error}", error)),
            };
            bench.scope.send(&report);
        });
    });
    spawn_local(async move {
        let gpu = bench.open().await.map(|device| device.name).map_err(|error| match error {
            Error::Backend { reason, .. } => reason,
            error => error.to_string(),
        });
        bench.scope.send(&Report::Ready(gpu));
    });
    Ok(())
}

/// What outlives an order: an open GPU with its compiled kernels, and files of the page.
struct Bench {
    scope: Scope,
    device: RefCell<Option<Device>>,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Bench {
    async fn carry_out(&self, order: Order) -> Result<Report> {
        match order {
            Order::Measure { id, seed, webgpu } => {
                let experiment = all().into_iter().find(|e| e.id == id).ok_or_else(|| Error::Missing {
                    what: marked!("experiment"),
                    name: id,
                    hint: tr!("reload the page"),
                })?;
                let inputs = self.inputs(&experiment.setups, webgpu).await?;
                let values = experiment.measure(seed, &inputs).await;
                self.report(&inputs, values)
            }
            Order::Train { config, webgpu } => {
                let inputs = self.inputs(std::slice::from_ref(&*config), webgpu).await?;
                inputs.expects(runs::steps(&config));
                let loss = runs::trained(&config, &inputs).await.map(|run| vec![runs::relative_loss(&run.lab, 0)]);
                self.report(&inputs, loss)
            }
        }
    }

    fn report(&self, inputs: &Inputs, values: Result<Vec<f64>>) -> Result<Report> {
        if matches!(values, Err(Error::DeviceLost(_))) {
            // The next order opens another.
            *self.device.borrow_mut() = None;
        }
        Ok(Report::Measured { values: values?, place: inputs.used() })
    }

    async fn inputs(&self, setups: &[Config], webgpu: bool) -> Result<Inputs> {
        let digits = match setups.iter().any(|setup| matches!(setup.task, Task::Digits(_) | Task::Sensors(_))) {
            true => self.digits().await?,
            false => String::new(),
        };
        let device = if webgpu { Some(self.open().await?) } else { None };
        let (scope, mut told) = (self.scope.clone(), f64::NEG_INFINITY);
        let mut files = BTreeMap::new();
        if setups.iter().any(|setup| matches!(setup.task, Task::Text(_))) {
            for name in FILES {
                files.insert(name.to_owned(), self.file(name).await?);
            }
        }
        Ok(Inputs::new(digits).holding(files).with(device).telling(move |progress| {
            let now = clock::now();
            if now - told >= PACE {
                told = now;
                scope.send(&Report::Progress(progress));
            }
        }))
    }

    async fn open(&self) -> Result<Device> {
        let open = self.device.borrow().clone();
        if let Some(device) = open.filter(|device| device.lost().is_none()) {
            return Ok(device);
        }
        let device = Device::open().await?;
        *self.device.borrow_mut() = Some(device.clone());
        Ok(device)
    }

    async fn digits(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.file("digits.csv").await?).into_owned())
    }

    /// A file under data/, fetched once.
    async fn file(&self, name: &str) -> Result<Vec<u8>> {
        let kept = self.files.borrow().get(name).cloned();
        if let Some(bytes) = kept {
            return Ok(bytes);
        }
        let bytes = fetch(&format!("data/{name}")).await?;
        self.files.borrow_mut().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }
}
