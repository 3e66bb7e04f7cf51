//! Whether a run on a model fits the device, and how long a step takes, before any weight is read: memory from what would be
//! recorded, time from one layer and a head of zeros. Knows nothing of files or of what is shown.

use super::Lab;
use super::forward::on;
use crate::clock;
use crate::config::{Config, Lane, Optimizer};
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::fixed::Stored;
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

/// Frozen weights and tables by name: how many numbers, and how a device stores them.
fn frozen(task: &TaskData) -> Vec<(&str, usize, Stored)> {
    let sites = task.network.sites().iter().zip(&task.base);
    let sites = sites.map(|(site, layer)| (site.name.as_str(), site.outputs * site.inputs, layer.weight.stored()));
    let tensors = task.network.tensors().iter().zip(&task.tensors);
    let tensors = tensors.map(|(shape, values)| (shape.name.as_str(), shape.rows * shape.cols, values.stored()));
    sites.chain(tensors).collect()
}

/// What a run on a model that is not read would take.
///
/// # Errors
/// `Error::Data` where a passage is too long for the model.
pub fn needs(model: &Model, lanes: &[Lane], (batch, sequence): (usize, usize), device: Option<&Device>) -> Result<Fit> {
    needs_beside(model, lanes, (batch, sequence), device.map(Device::largest_buffer))
}

/// The same, where buffers of so many bytes at most can be had of a GPU.
fn needs_beside(model: &Model, lanes: &[Lane], (batch, sequence): (usize, usize), most: Option<u64>) -> Result<Fit> {
    let shape = task(model.clone(), (batch, sequence))?;
    let optimizer = Optimizer::default();
    let of = |task: &TaskData, lane: &Lane| compile(task, &unread(lane), &optimizer);
    let compiled: Vec<CompiledLane> = lanes.iter().chain([&Lane::base()]).map(|lane| of(&shape, lane)).collect();
    let whole = 4.0 * shape.network.parameters() as f64;
    let weights = (tr!("weights, as 32-bit numbers"), whole);
    let frozen = frozen(&shape);
    let stored = whole - frozen.iter().map(|&(_, len, stored)| (len * (4 - stored.size())) as f64).sum::<f64>();
    let training = (tr!("lanes, with what passes through the layers"), compiled.iter().map(bytes).sum());
    let looked = rows_at_once(&shape.network).min(batch * sequence);
    let probe = on(&shape, vec![0.0; looked], (1, looked));
    let shown = lanes.iter().map(|lane| bytes(&of(&probe, lane))).sum();
    let shown = (tr!("what is looked at while it trains"), shown);
    let mut fit = Fit { lanes: lanes.len(), batch, sequence, ..Fit::default() };
    fit.page = vec![weights.clone()];
    match most {
        None => fit.page.push(training),
        Some(_) if stored < whole => {
            fit.gpu = vec![(tr!("weights, with 16 bits where their file has 16"), stored), training];
        }
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
    if let Some(most) = most {
        let tensors = frozen.into_iter().map(|(name, len, stored)| (name, len * stored.size()));
        let buffers = compiled.iter().flat_map(|lane| lane.buffers.iter().map(|(name, len)| (name.as_str(), 4 * len)));
        let largest = tensors.chain(buffers).max_by_key(|&(_, bytes)| bytes);
        if let Some((name, bytes)) = largest.filter(|&(_, bytes)| bytes as u64 > most) {
            let (bytes, most) = (gigabytes(bytes as f64), gigabytes(most as f64));
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
    model: Model,
    config: Config,
    shape: (usize, usize),
    device: Option<Device>,
    /// Of the layer beside a small head.
    first: Option<f64>,
    lab: Option<Lab>,
}

impl Timing {
    /// Of a model that is not read.
    pub fn new(model: Model, config: Config, shape: (usize, usize), device: Option<Device>) -> Self {
        Self { model, config, shape, device, first: None, lab: None }
    }

    /// A piece of it; the time once it is known.
    ///
    /// # Errors
    /// `Error::DeviceLost`.
    pub async fn go_on(&mut self) -> Result<Option<StepTime>> {
        let Some(lab) = &mut self.lab else {
            let whole = &self.model.config;
            let vocabulary = if self.first.is_none() { FEW_TOKENS.min(whole.vocabulary) } else { whole.vocabulary };
            let model = ModelConfig { layers: 1, vocabulary, ..whole.clone() };
            let model = Model::zeros(model, self.shape.1).stored_as(|name| self.model.stored(name));
            let task = task(model, self.shape)?;
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
        Ok(Some(StepTime { layer, layers: self.model.config.layers, head: (each - layer).max(0.0) }))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sixteen bits count as such on the device alone, of weights and of what is bound in one piece.
    #[test]
    fn weights_of_16_bits_take_half_of_a_devices_memory() {
        let config = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_act":"silu","hidden_size":64,
            "intermediate_size":64,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":8192,
            "max_position_embeddings":64,"rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":true}"#;
        let config = ModelConfig::from_value(&serde_json::from_str(config).unwrap()).unwrap();
        let table = 8192 * 64;
        let rest = 64 * (64 + 32 + 32 + 64 + 3 * 64);
        let small = 3 * 64 + 16 * 16;
        let of = |stored: Stored, most: usize| {
            let model =
                Model::shape(config.clone(), 16).stored_as(|name| if name == "rotary" { Stored::F32 } else { stored });
            needs_beside(&model, &[Lane::base()], (1, 16), Some(most as u64)).unwrap()
        };
        let (wide, narrow) = (of(Stored::F32, 4 * table), of(Stored::Bf16, 2 * table));
        assert_eq!((wide.gpu[0].1, wide.refused), ((4 * (table + rest + small)) as f64, None));
        assert_eq!((narrow.gpu[0].1, narrow.refused), ((2 * (table + rest) + 4 * small) as f64, None));
        assert_eq!(narrow.page, wide.page);
        for (stored, bytes) in [(Stored::F32, 4 * table), (Stored::F16, 2 * table)] {
            let refused = of(stored, bytes - 1).refused.unwrap();
            assert!(refused.starts_with("model.embed_tokens.weight takes 0.0 GB in one piece"), "{refused}");
        }
    }
}
