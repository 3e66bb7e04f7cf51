//! Whether a run on a model fits the device, and how long a step takes, before any weight is read: memory from what would be
//! recorded, time from one layer and a head of zeros. Knows nothing of files or of what is shown.

use super::Lab;
use super::forward::on;
use crate::clock;
use crate::config::{Config, Lane, Optimizer};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::lang::tr;
use crate::net::{CompiledLane, compile};
use crate::task::text::config::ModelConfig;
use crate::task::text::fit::{Fit, StepTime};
use crate::task::text::{Model, given};
use crate::task::{TaskData, rows_at_once};

/// Bytes of memory that a page has, and the share of them that a run may take: the rest is for what comes and goes.
const PAGE: f64 = 4_294_967_296.0;
const SHARE: f64 = 0.9;
/// Tokens of the vocabulary beside which the one layer is timed.
const FEW_TOKENS: usize = 256;
/// Milliseconds that steps are timed for, and how many of them at most.
const TIMED: f64 = 300.0;
const STEPS: usize = 4;

fn bytes(compiled: &CompiledLane) -> f64 {
    let buffers =
        compiled.buffers.iter().map(|&(_, len)| len).chain(compiled.constants.iter().map(|(_, values)| values.len()));
    4.0 * buffers.map(|len| len as f64).sum::<f64>()
}

/// A task of one batch on this model.
fn task(model: Model, (batch, sequence): (usize, usize)) -> Result<TaskData> {
    let nothing = vec![0; batch * sequence];
    given(model, (batch, sequence), &nothing, &nothing)
}

/// A lane that is recorded without a look at the weights.
fn unread(lane: &Lane) -> Lane {
    let init = lane.described().into_iter().find(|setting| setting.key == "init");
    init.map_or_else(|| lane.clone(), |setting| lane.clone().with(setting.key, setting.default.clone()))
}

/// What a run would take.
///
/// # Errors
/// `Error::Data` where a passage is too long for the model.
pub fn needs(
    model: &ModelConfig,
    lanes: &[Lane],
    (batch, sequence): (usize, usize),
    device: Option<&Device>,
) -> Result<Fit> {
    let shape = task(Model::shape(model.clone(), sequence), (batch, sequence))?;
    let optimizer = Optimizer::default();
    let of = |task: &TaskData, lane: &Lane| compile(task, &unread(lane), &optimizer);
    let compiled: Vec<CompiledLane> = lanes.iter().chain([&Lane::base()]).map(|lane| of(&shape, lane)).collect();
    let weights = (tr!("weights, as 32-bit numbers"), 4.0 * shape.network.parameters() as f64);
    let training = (tr!("lanes, with what passes through the layers"), compiled.iter().map(bytes).sum());
    let looked = rows_at_once(&shape.network).min(batch * sequence);
    let probe = on(&shape, vec![0.0; looked], (1, looked));
    let shown = lanes.iter().map(|lane| bytes(&of(&probe, lane))).sum();
    let shown = (tr!("what is looked at while it trains"), shown);
    let mut fit = Fit { lanes: lanes.len(), batch, sequence, ..Fit::default() };
    fit.page = vec![weights.clone()];
    match device {
        None => fit.page.push(training),
        Some(_) => fit.gpu = vec![weights, training],
    }
    fit.page.push(shown);
    let page: f64 = fit.page.iter().map(|(_, bytes)| bytes).sum();
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    if page > SHARE * PAGE {
        fit.refused = Some(tr!(
            "It takes {} of the page's memory, of at most {}: take fewer lanes, fewer or shorter passages, or a smaller model.",
            gigabytes(page),
            gigabytes(SHARE * PAGE)
        ));
    }
    if let Some(device) = device {
        let tensors = shape.network.tensors().iter().map(|tensor| (tensor.name.as_str(), tensor.rows * tensor.cols));
        let buffers = compiled.iter().flat_map(|lane| lane.buffers.iter().map(|(name, len)| (name.as_str(), *len)));
        let largest = tensors.chain(buffers).max_by_key(|&(_, len)| len);
        let most = device.largest_buffer();
        if let Some((name, len)) = largest.filter(|&(_, len)| 4 * len as u64 > most) {
            let (bytes, most) = (gigabytes(4.0 * len as f64), gigabytes(most as f64));
            fit.refused = Some(tr!(
                "{name} takes {bytes} in one piece, and this GPU has at most {most} for one: take fewer or shorter passages, a smaller model, or the CPU.",
                name,
                bytes,
                most
            ));
        }
    }
    Ok(fit)
}

/// One layer, then one with the whole head, timed piece by piece.
pub struct Timing {
    model: ModelConfig,
    config: Config,
    shape: (usize, usize),
    device: Option<Device>,
    /// Of the layer beside a small head.
    first: Option<f64>,
    lab: Option<Lab>,
}

impl Timing {
    pub fn new(model: &ModelConfig, config: Config, shape: (usize, usize), device: Option<Device>) -> Self {
        Self { model: model.clone(), config, shape, device, first: None, lab: None }
    }

    /// A piece of it; the time once it is known.
    ///
    /// # Errors
    /// `Error::DeviceLost`.
    pub async fn go_on(&mut self) -> Result<Option<StepTime>> {
        let Some(lab) = &mut self.lab else {
            let vocabulary =
                if self.first.is_none() { FEW_TOKENS.min(self.model.vocabulary) } else { self.model.vocabulary };
            let model = ModelConfig { layers: 1, vocabulary, ..self.model.clone() };
            let task = task(Model::zeros(model, self.shape.1), self.shape)?;
            let mut lab = Lab::new(self.config.clone(), task, self.device.clone())?;
            // Shaders are compiled, and memory is touched.
            lab.train(1).await?;
            self.lab = Some(lab);
            return Ok(None);
        };
        let (begun, mut steps) = (clock::now(), 0);
        while steps == 0 || steps < STEPS && clock::now() - begun < TIMED {
            lab.train(1).await?;
            steps += 1;
        }
        let each = (clock::now() - begun) / steps as f64;
        self.lab = None;
        let Some(layer) = self.first else {
            self.first = Some(each);
            return Ok(None);
        };
        Ok(Some(StepTime { layer, layers: self.model.layers, head: (each - layer).max(0.0) }))
    }
}

/// The lanes of a configuration as they are timed: in the one layer there is, with its rate of learning.
pub fn timed(config: &Config) -> Config {
    let lanes = config.lanes.iter().map(|lane| Lane { layers: None, begin: None, ..unread(lane) }).collect();
    Config { lanes, ..config.clone() }
}

/// Says no where a run does not fit.
///
/// # Errors
/// `Error::Data` with why, and what to do.
pub fn check(fit: &Fit) -> Result<()> {
    match &fit.refused {
        None => Ok(()),
        Some(why) => Err(Error::Data { what: tr!("the model"), expected: tr!("one that fits here"), got: why.clone() }),
    }
}
