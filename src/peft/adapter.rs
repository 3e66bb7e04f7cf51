//! An opened adapter: its modules and what else is in it, from names and shapes alone. Values are read where they are
//! needed. Knows nothing of what is computed from them.

use super::config::{AdapterConfig, Init, PeftType};
use super::described::{self, Tensors};
use super::experts::{self, Packed, Pair};
use super::find::{Found, find};
use super::keys::{self, Held, PREFIX, Part, Style};
use super::module::{self, Factors, Kind, Last, Magnitudes, Module, Whole};
use super::names::{Component, component, flat_component, rootless};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::files::{Checkpoint, Source, TensorInfo, about, broken};
use crate::lang::{said, tr};
use crate::method::description::Method;
use crate::order::{Few, grouped};

/// An adapter whose files are open.
#[derive(Clone, Debug)]
pub struct Adapter<S> {
    pub file: Checkpoint<S>,
    pub config: Option<AdapterConfig>,
    /// What the header says in the configuration's place.
    pub settings: Settings,
    pub style: Style,
    /// In the order in which a person counts layers.
    pub modules: Vec<Module>,
    pub whole: Vec<Whole>,
    /// Tensors and settings that are not understood, each with why; whatever is made of the adapter lacks them.
    pub not_understood: Vec<String>,
    /// What has to be known of the numbers beside that.
    pub said: Vec<String>,
    /// Nothing says the scaling of modules that PEFT stored, which has to be known to merge.
    pub scaling_unknown: bool,
    /// Layers of experts; which of their modules are which takes the base.
    pub packed: Vec<Packed>,
    /// Modules whose number of inputs is not in the file: only the base can say it.
    without_inputs: Vec<Module>,
    last: Last,
}

/// Whether a tensor of that name is part of an adapter rather than of a model.
pub fn is_part(key: &str) -> bool {
    keys::split(key).is_some()
        || keys::whole(key, false).is_some()
        || keys::of_other(key).is_some()
        || described::split(key).is_some()
        || described::shared(key).is_some()
}

impl<S> Adapter<S> {
    /// A module's place in `modules`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.name == name)
    }

    /// Takes from the weights of `base` what is not in the file: numbers of inputs, and which experts are which. Where that has no
    /// weight which would fit, a module stays as it is.
    pub fn take_shapes<B: Source>(&mut self, base: &Checkpoint<B>) {
        let mut waiting = std::mem::take(&mut self.without_inputs);
        for module in self.modules.iter_mut().chain(&mut waiting) {
            take_inputs(module, base);
        }
        let (there, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|module| module.inputs > 0);
        let mut modules = std::mem::take(&mut self.modules);
        modules.extend(there);
        modules.retain(|module| module.slice.is_none());
        let targets = self.targeted_parameters();
        let mut packed = std::mem::take(&mut self.packed);
        for layer in &mut packed {
            let rank = self.settings.of(self.config.as_ref(), &layer.name).map(|(config, name)| config.rank_of(name));
            match layer.modules(base, rank, &targets) {
                Ok(experts) => {
                    layer.why = None;
                    modules.extend(experts.into_iter().map(|module| Module {
                        scaling: self.settings.scaling(self.config.as_ref(), &module).unwrap_or(1.0),
                        ..module
                    }));
                }
                Err(why) => layer.why = Some(why),
            }
        }
        self.packed = packed;
        self.modules = keys::in_order(modules, |module| &module.name);
        self.without_inputs = waiting;
    }

    fn targeted_parameters(&self) -> Vec<String> {
        self.config.as_ref().map_or_else(Vec::new, |config| config.names("target_parameters"))
    }

    /// What this adapter was made without is still not in it, and is listed as before.
    pub fn left_behind(&mut self, left_out: &[String]) {
        for what in left_out {
            if !self.not_understood.contains(what) {
                self.not_understood.push(what.clone());
            }
        }
    }

    /// Whether something about its modules is the base's to say.
    pub fn takes_shapes(&self) -> bool {
        let asks = |module: &Module| module.described.as_ref().is_some_and(|d| d.most_inputs.is_some());
        !self.packed.is_empty() || self.modules.iter().chain(&self.without_inputs).any(asks)
    }

    /// # Errors
    /// `Error::Data` where there is a module whose shape is not known without the base.
    pub fn check_shapes(&self) -> Result<()> {
        match self.lacks_shapes() {
            None => Ok(()),
            Some(problem) => {
                let expected = tr!("the base that the adapter is for, to be open");
                Err(Error::Data { what: tr!("base"), expected, got: tr!("none that fits; {problem}", problem) })
            }
        }
    }

    fn lacks_shapes(&self) -> Option<String> {
        let first = &self.without_inputs.first()?.name;
        let more = self.without_inputs.len() - 1;
        Some(match more {
            0 => tr!("{first}: the number of inputs is not in the file; open the base that the adapter is for", first),
            more => tr!(
                "{first} and {n} module more: the number of inputs is not in the file; open the base that the adapter is for"
                    | "{first} and {n} modules more: the number of inputs is not in the file; open the base that the adapter is for"
                        % more,
                first
            ),
        })
    }

    /// Layers of experts that cannot be told apart, each with why.
    pub fn unresolved(&self) -> Vec<String> {
        let said = |layer: &Packed| {
            let why = layer.why.as_ref()?;
            Some(tr!("{name}: holds several experts; {why}", name = layer.name, why))
        };
        self.packed.iter().filter_map(said).collect()
    }

    /// What is to be said of the file: what is not understood in it, what has to be known of it, and what takes the base.
    pub fn remarks(&self) -> Vec<String> {
        let lists = [&self.not_understood, &self.said];
        lists.into_iter().flatten().cloned().chain(self.lacks_shapes()).chain(self.unresolved()).collect()
    }

    /// What the base that the module belongs to was before training.
    pub fn init(&self, module: &str) -> &Init {
        self.settings.init(self.config.as_ref(), module)
    }

    /// What `base` has for a module's weight.
    pub fn base_of<B: Source>(&self, module: &Module, base: &Checkpoint<B>) -> Found {
        let (name, ending) = module.weight();
        let found = find(base, name, ending);
        let Some(key) = found.key() else { return found };
        // A text encoder's own file does not say which it is, and this adapter may hold several's.
        let (of, rest) = apart(name);
        let unsaid = component(key).0 == Component::Unsaid && matches!(of, Component::Encoder(_));
        let another = |other: &Module| {
            let (with, name) = apart(other.weight().0);
            with != of && with != Component::Unsaid && name == rest
        };
        match unsaid.then(|| self.modules.iter().find(|other| another(other))).flatten() {
            Some(other) => Found::Several(key.to_owned(), tr!("{} too", other.name)),
            None => found,
        }
    }
}

/// Component and bare name of a module, flattened or not.
fn apart(name: &str) -> (Component, &str) {
    let (of, rest) = if name.contains('.') { component(name) } else { flat_component(name) };
    (of, rootless(rest).0)
}

/// What an adapter's tensors are, before anything is put together.
#[derive(Default)]
struct Sorted<'a> {
    parts: Vec<(String, (Part, &'a TensorInfo))>,
    own: Vec<(String, (&'static Method, &'static str, &'a TensorInfo))>,
    shared: Vec<(&'static Method, &'static str, &'a TensorInfo)>,
    whole: Vec<Whole>,
    not_understood: Vec<String>,
}

fn sort<'a, S: Source>(file: &'a Checkpoint<S>, config: Option<&AdapterConfig>) -> Sorted<'a> {
    let mut out = Sorted::default();
    let (mlx, all) = (config.is_some_and(|c| c.mlx.is_some()), config.is_some_and(|c| c.all_whole));
    for info in file.tensors() {
        let magnitude = info.name.strip_suffix(".m").filter(|_| mlx).map(|module| (module.to_owned(), Part::Magnitude));
        if let Some((module, part)) = magnitude.or_else(|| keys::split(&info.name)) {
            out.parts.push((module, (part, info)));
        } else if let Some((module, method, name)) = described::split(&info.name) {
            out.own.push((module.to_owned(), (method, name, info)));
        } else if let Some((method, name)) = described::shared(&info.name) {
            out.shared.push((method, name, info));
        } else if let Some((name, held)) = keys::whole(&info.name, all) {
            match whole(name, held, info, config) {
                Ok(whole) => out.whole.extend(whole),
                Err(why) => out.not_understood.push(about(&info.name, &why)),
            }
        } else {
            let what =
                keys::of_other(&info.name).map(|what| tr!("is {what}, which is not known here", what = said(what)));
            let what = what.unwrap_or_else(|| tr!("no part of an adapter that is known here"));
            out.not_understood.push(about(&info.name, &what));
        }
    }
    out
}

/// A weight held whole, or why not; `None` for the base's own.
fn whole(
    name: String,
    held: Held,
    info: &TensorInfo,
    config: Option<&AdapterConfig>,
) -> std::result::Result<Option<Whole>, String> {
    if held == Held::Base {
        return Ok(None);
    }
    if !info.dtype.is_float() {
        return Err(tr!("{} is no floating-point format", info.dtype));
    }
    let rows = match held {
        Held::Rows => config.and_then(|config| config.tokens(&name)).unwrap_or_default(),
        _ => Vec::new(),
    };
    if held == Held::Rows && (info.shape.len() != 2 || rows.len() != info.shape[0]) {
        let count = info.shape.first().copied().unwrap_or(0);
        let named = rows.len();
        return Err(tr!(
            "holds {count} tokens, and trainable_token_indices in adapter_config.json names {named}",
            count,
            named
        ));
    }
    let (key, shape, dtype) = (info.name.clone(), info.shape.clone(), info.dtype);
    Ok(Some(Whole { name, key, shape, dtype, held, rows }))
}

impl<S: Source> Adapter<S> {
    /// Open `adapter_model.safetensors`, with the text of `adapter_config.json` if there is one.
    ///
    /// # Errors
    /// `Error::File` where one of them is broken, neither holds an adapter, or what its modules share is missing.
    pub async fn open(source: S, config: Option<&[u8]>) -> Result<Self> {
        let config = config.map(AdapterConfig::parse).transpose()?;
        let file = Checkpoint::open(vec![source]).await?;
        let settings = file.shards.first().map_or_else(Settings::default, |s| Settings::read(&s.header.metadata));
        let Sorted { parts, own, shared, whole, mut not_understood } = sort(&file, config.as_ref());
        let targets = config.as_ref().map_or_else(Vec::new, |config| config.names("target_parameters"));
        let (mut modules, mut packed) = (Vec::new(), Vec::<Packed>::new());
        for (name, all) in grouped(parts) {
            let mut parts = Few::new();
            for (part, info) in all {
                match parts.get(&part) {
                    Some(_) => not_understood.push(about(&info.name, &tr!("{name} has two of these", name))),
                    None => drop(parts.insert(part, info)),
                }
            }
            if let (Some((layer, depth)), Some(a), Some(b)) =
                (experts::layer(&name, &targets), parts.get(&Part::A), parts.get(&Part::B))
            {
                let pair = Pair { depth, a: (*a).clone(), b: (*b).clone() };
                match packed.iter_mut().find(|packed| packed.name == layer) {
                    Some(packed) => packed.pairs.push(pair),
                    None => {
                        let why = Some(tr!("open the base that the adapter is for, to tell them apart"));
                        packed.push(Packed { name: layer, pairs: vec![pair], why });
                    }
                }
                continue;
            }
            match joined(&name, &parts, config.as_ref(), &settings) {
                Ok(module) => modules.push(module),
                Err(why) => not_understood.extend(parts.values().map(|info| about(&info.name, &why))),
            }
        }
        let mut without_inputs = Vec::new();
        let own = grouped(own);
        for (name, all) in &own {
            let method: &'static Method = all[0].0;
            let tensors: Tensors = all.iter().map(|&(_, name, info)| (name, info)).collect();
            let of_method = |(other, ..): &&(&'static Method, _, _)| std::ptr::eq(*other, method);
            let shared: Tensors = shared.iter().filter(of_method).map(|&(_, name, info)| (name, info)).collect();
            if let Some(problem) = described::lacking(method, &shared) {
                return Err(broken(&file.file(), problem));
            }
            match of_method_module(name, method, &tensors, &shared, config.as_ref()) {
                // PEFT makes what modules share as wide as the widest of them.
                Ok(module) if module.inputs > 0 || own.len() == 1 => modules.push(widest(module)),
                Ok(module) => without_inputs.push(module),
                Err(why) => not_understood.extend(tensors.values().map(|info| about(&info.name, &why))),
            }
        }
        let mut scaling_unknown = false;
        for module in modules.iter_mut().filter(|module| module.described.is_none()) {
            let said = match module.keys.get(&Part::Alpha) {
                Some(key) => Some(super::config::scaling(file.number(key).await?, module.rank, false)),
                None => settings.scaling(config.as_ref(), module),
            };
            module.scaling = said.unwrap_or(if module.rank == 0 { 0.0 } else { 1.0 });
            scaling_unknown |= said.is_none() && module.rank > 0 && is_told_elsewhere(module.factor_keys()[0]);
        }
        let layers = || packed.iter().flat_map(|layer| layer.pairs.iter().map(move |pair| (layer, pair)));
        scaling_unknown |= layers().any(|(layer, pair)| {
            settings.of(config.as_ref(), &layer.name).is_none() && is_told_elsewhere(Some(&pair.a.name))
        });
        if modules.is_empty() && whole.is_empty() && without_inputs.is_empty() && packed.is_empty() {
            let name = file.file();
            let problem = match not_understood.first() {
                Some(first) => tr!("holds no adapter that is known here; of what it holds, {first}", first),
                None => tr!("holds no tensors"),
            };
            return Err(broken(&name, problem));
        }
        not_understood.extend(config.iter().flat_map(|c| c.not_understood.clone()));
        not_understood.extend(settings.not_understood.iter().cloned());
        let style = style(&file, config.as_ref(), &modules);
        let modules = keys::in_order(modules, |module| &module.name);
        let mut said = super::said::of(config.as_ref(), &settings, &modules, &whole);
        if scaling_unknown {
            said.push(tr!("scaling: without adapter_config.json it is taken as 1"));
        }
        Ok(Self {
            style,
            config,
            settings,
            modules,
            whole,
            not_understood,
            said,
            scaling_unknown,
            packed,
            without_inputs,
            last: Last::default(),
            file,
        })
    }

    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn factors(&self, module: &Module) -> Result<Factors> {
        module.factors(&self.file, &self.last).await
    }
}

/// PEFT and mlx write scalings into a file beside; with other names none means 1.
fn is_told_elsewhere(key: Option<&String>) -> bool {
    key.is_some_and(|key| key.starts_with(PREFIX) || key.ends_with(".lora_a"))
}

fn style<S: Source>(file: &Checkpoint<S>, config: Option<&AdapterConfig>, modules: &[Module]) -> Style {
    let alphas = modules.iter().any(|module| module.has(Part::Alpha));
    let prefixed = file.tensors().any(|info| info.name.starts_with(keys::SHARED) || info.name.ends_with(".lora_a"));
    match (config.is_some() || prefixed) && !alphas {
        true => Style::Peft,
        false => Style::Plain,
    }
}

/// A LoRA module from its parts, held against what the configuration says of it.
fn joined(
    name: &str,
    parts: &Few<Part, &TensorInfo>,
    config: Option<&AdapterConfig>,
    settings: &Settings,
) -> std::result::Result<Module, String> {
    if let Some(joint) = config.and_then(|config| config.joint.as_ref()) {
        return Err(tr!(
            "enable_lora is {joint} in adapter_config.json: as in the first PEFT versions, lora_B is of only some of the parts of a joint projection (query, key, value), and which rows those are cannot be told here; merge it with the version that made it",
            joint
        ));
    }
    let mut module = module::assemble(name, parts)?;
    let in_file = config.is_some();
    if let Some((config, own)) = settings.of(config, name) {
        let (said, rank) = (config.rank_of(own), module.rank);
        if matches!(config.peft_type, PeftType::Lora) && said != rank {
            return Err(match in_file {
                true => tr!("rank is {rank}, but adapter_config.json says {said}", rank, said),
                false => tr!("rank is {rank}, but the header says {said}", rank, said),
            });
        }
        module.transposed |= module.kind == Kind::Linear && config.fan_in_fan_out;
    }
    if module.transposed && matches!(module.magnitudes, Some(Magnitudes::Inputs(_))) {
        return Err(tr!("dora_scale of each input is not known of a weight stored the other way round"));
    }
    Ok(module)
}

fn of_method_module(
    name: &str,
    method: &'static Method,
    own: &Tensors,
    shared: &Tensors,
    config: Option<&AdapterConfig>,
) -> std::result::Result<Module, String> {
    let module = module::described_module(name, method, own, shared)?;
    let rank = module.rank;
    if let Some(config) = config.filter(|config| config.rank != rank) {
        return Err(tr!("rank is {rank}, but adapter_config.json says {said}", rank, said = config.rank));
    }
    Ok(Module { transposed: config.is_some_and(|config| config.fan_in_fan_out), ..module })
}

/// The module with as many inputs as its file allows, where it is not said how many it has.
fn widest(module: Module) -> Module {
    match module.described.as_ref().and_then(|described| described.most_inputs) {
        Some(most) => Module { inputs: most, a_shape: vec![module.rank, most], ..module },
        None => module,
    }
}

/// The number of inputs that the module's weight in the base has, where the file does not say it.
fn take_inputs<B: Source>(module: &mut Module, base: &Checkpoint<B>) {
    let Some(most) = module.described.as_ref().and_then(|described| described.most_inputs) else {
        return;
    };
    let found = find(base, &module.name, ".weight");
    let Some((rows, columns)) = found.key().and_then(|key| base.find(key)).map(TensorInfo::matrix) else {
        return;
    };
    let (outputs, inputs) = if module.transposed { (columns, rows) } else { (rows, columns) };
    if outputs == module.outputs && inputs <= most {
        module.inputs = inputs;
        module.a_shape = vec![module.rank, inputs];
    }
}
