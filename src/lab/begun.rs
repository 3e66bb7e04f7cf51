//! A lane that begins as an adapter from a file: what PEFT stored, told as a lane's settings, and its weights. What cannot be said
//! as a lane is refused by name. Knows neither where files come from nor how they are shown.

use serde_json::Value;

use super::Lab;
use crate::args::{Named, Projection};
use crate::error::{Error, Result};
use crate::files::{Source, broken};
use crate::graph::PARAMS;
use crate::lang::tr;
use crate::method::{Lane, USUAL};
use crate::order::distinct;
use crate::peft::Adapter;
use crate::peft::config::{AdapterConfig, Init, PeftType};
use crate::peft::module::{Kind, Module};
use crate::task::Network;

/// Longest adapter_config.json that is read.
const LONGEST: u64 = 1 << 20;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// What lanes call it by.
    pub name: String,
    pub lane: Lane,
    pub parameters: usize,
    /// By module, as transformers has it: inputs and outputs, and the two factors.
    modules: Vec<Factors>,
}

#[derive(Clone, Debug, PartialEq)]
struct Factors {
    module: String,
    widths: (usize, usize),
    a: Vec<f32>,
    b: Vec<f32>,
}

/// Opens an adapter from its two files.
///
/// # Errors
/// `Error::File` naming what is not understood, or cannot be said as a lane.
pub async fn open<S: Source>(name: String, config: S, weights: S) -> Result<Begun> {
    if config.size() > LONGEST {
        let problem = tr!("holds {} bytes, which is no adapter's settings; open PEFT's file", config.size());
        return Err(broken(config.name(), problem));
    }
    let text = config.read(0, config.size() as usize).await?;
    let adapter = Adapter::open(weights, Some(&text)).await?;
    let file = adapter.file.file();
    let refused = |problem: String| Err(broken(&file, problem));
    let Some(settings) = adapter.config.as_ref() else {
        return refused(tr!("has no adapter_config.json beside it, which says rank and alpha; open its whole folder"));
    };
    if let Some(problem) = other(settings).or_else(|| adapter.remarks().into_iter().next()) {
        return refused(tr!("cannot begin a lane: {problem}", problem));
    }
    if let Some(whole) = adapter.whole.first() {
        return refused(tr!("cannot begin a lane: it holds {} whole (modules_to_save)", whole.name));
    }
    let Some(first) = adapter.modules.first() else {
        return refused(tr!("holds no adapted module"));
    };
    let mut places = Vec::new();
    for module in &adapter.modules {
        if let Some(problem) = odd(module, first) {
            return refused(tr!("cannot begin a lane: {}: {problem}", module.name, problem));
        }
        let Some(place) = place(&module.name) else {
            let problem = tr!("adapts {}, which is no projection of a Llama's or Qwen2's block", module.name);
            return refused(problem);
        };
        places.push(place);
    }
    let layers = distinct(places.iter().map(|&(layer, _)| layer).collect::<Vec<_>>());
    let targets: Vec<Projection> =
        Projection::ALL.iter().copied().filter(|one| places.iter().any(|(_, other)| other == one)).collect();
    for &layer in &layers {
        if let Some(lacks) = targets.iter().find(|&&one| !places.contains(&(layer, one))) {
            let problem = tr!(
                "cannot begin a lane: block {layer} lacks {}, which other blocks have; a lane adapts the same projections in each",
                lacks.name(),
                layer
            );
            return refused(problem);
        }
    }
    let mut modules = Vec::new();
    for module in &adapter.modules {
        let factors = adapter.factors(module).await?;
        let widths = (module.inputs, module.outputs);
        modules.push(Factors { module: module.name.clone(), widths, a: factors.a, b: factors.b });
    }
    let lane = Lane::from(USUAL).with("rank", first.rank).with("alpha", settings.alpha).with("rslora", settings.rslora);
    let lane = Lane {
        layers: Some(layers),
        targets: (targets.len() < Projection::ALL.len()).then_some(targets),
        begin: Some(name.clone()),
        ..lane
    };
    let parameters = modules.iter().map(|own| own.a.len() + own.b.len()).sum();
    Ok(Begun { name, lane, parameters, modules })
}

/// What settings have that lanes have not.
fn other(settings: &AdapterConfig) -> Option<String> {
    let is_set = |key: &str| {
        settings.raw.get(key).is_some_and(|value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Bool(on) => *on,
            Value::Null => false,
            _ => true,
        })
    };
    if !matches!(settings.peft_type, PeftType::Lora) {
        return Some(tr!(
            "its peft_type is {}, and a lane begins from factors A and B as they are",
            settings.raw.get("peft_type").map_or(String::new(), Value::to_string)
        ));
    }
    if settings.dora {
        return Some(tr!("use_dora is true; open it in Adapters, or train it as DoRA from the beginning"));
    }
    if let Some(key) = ["alpha_pattern", "lora_bias", "fan_in_fan_out"].into_iter().find(|key| is_set(key)) {
        return Some(tr!(
            "{key} is set, and a lane has one rank and scaling for all of its layers, without biases",
            key
        ));
    }
    (settings.init != Init::Base)
        .then(|| tr!("init_lora_weights changes the base's weights, which a lane would not have"))
}

/// What a module has that others, or lanes, have not.
fn odd(module: &Module, first: &Module) -> Option<String> {
    if module.kind != Kind::Linear || module.described.is_some() || module.magnitudes.is_some() || module.transposed {
        return Some(tr!("it is no plain low-rank change of a linear layer"));
    }
    if module.rank != first.rank {
        return Some(tr!("its rank is {}, that of {} is {}; a lane has one", module.rank, first.name, first.rank));
    }
    None
}

/// Block and projection of a module, "model.layers.3.self_attn.q_proj".
fn place(name: &str) -> Option<(usize, Projection)> {
    let rest = name.strip_prefix("model.layers.")?;
    let (layer, module) = rest.split_once('.')?;
    let one = Projection::ALL.iter().copied().find(|one| one.module() == module)?;
    Some((layer.parse().ok()?, one))
}

impl Begun {
    /// The lane on a model of that many blocks: one that acts in all of them says nothing of it.
    pub fn on(&self, layers: usize) -> Lane {
        let all = self.lane.layers.as_ref().is_some_and(|own| own.len() == layers);
        Lane { layers: self.lane.layers.clone().filter(|_| !all), ..self.lane.clone() }
    }

    /// Whether a lane of this network can begin from it.
    ///
    /// # Errors
    /// `Error::Data` naming the module, or the setting, that is another.
    pub fn check(&self, lane: &Lane, network: &Network) -> Result<()> {
        for own in &self.modules {
            let site = network.sites().iter().find(|site| site.name == own.module);
            let widths = site.map(|site| (site.inputs, site.outputs));
            if widths != Some(own.widths) {
                let (inputs, outputs) = own.widths;
                return Err(Error::Data {
                    what: tr!("adapter \"{}\"", self.name),
                    expected: match widths {
                        Some((i, o)) => tr!("{} of {i} → {o}, as the model has it", own.module, i, o),
                        None => tr!("modules that the model has, which is without {}", own.module),
                    },
                    got: tr!("{inputs} → {outputs}; open the model that it was trained on", inputs, outputs),
                });
            }
        }
        let adapted = network.sites().iter().filter(|site| lane.adapts(site)).count();
        let same = lane.settings == self.lane.settings && std::ptr::eq(lane.method, self.lane.method);
        let all = network.sites().iter().filter(|site| lane.adapts(site));
        if same && adapted == self.modules.len() && all.into_iter().all(|site| self.find(&site.name).is_some()) {
            return Ok(());
        }
        let own = Lane { begin: None, lr: None, ..self.on(network.layers()) };
        Err(Error::Data {
            what: tr!("lane"),
            expected: tr!(
                "to be {} where it begins from adapter \"{}\"; change it once it trains, or begin fresh",
                own.to_text(),
                self.name
            ),
            got: Lane { begin: None, lr: None, ..lane.clone() }.to_text(),
        })
    }

    fn find(&self, module: &str) -> Option<&Factors> {
        self.modules.iter().find(|own| own.module == module)
    }
}

impl Lab {
    /// Gives a lane that has taken no step yet an adapter's weights.
    ///
    /// # Errors
    /// As [`Begun::check`].
    pub async fn begin_from(&mut self, lane: usize, begun: &Begun) -> Result<()> {
        self.check_lane(lane)?;
        begun.check(self.lane(lane), &self.task.network)?;
        let names = begun.lane.method.extras.peft.map_or(&[][..], |peft| peft.tensors);
        let mut params = self.read_one(lane, PARAMS).await?;
        for site in &self.engine.compiled(lane).sites {
            let Some(own) = begun.find(&site.name) else { continue };
            for (&(key, _), values) in names.iter().zip([&own.a, &own.b]) {
                if let Some(tensor) = site.parameter(key) {
                    tensor.scatter(&mut params, values);
                }
            }
        }
        self.engine.write(lane, PARAMS, &params)?;
        self.lanes[lane].stale = true;
        Ok(())
    }
}
