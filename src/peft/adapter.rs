//! An opened adapter: its modules and what else is in it, from names and shapes alone. Values are read where they are
//! needed. Knows nothing of what is computed from them.

use serde::{Deserialize, Serialize};

use super::config::{AdapterConfig, PeftType};
use super::described::{self, Described, Shapes, Tensors};
use super::find::base_weight;
use super::keys::{self, Part, Style};
use crate::error::{Error, Result};
use crate::files::{Checkpoint, Dtype, Source, TensorInfo, broken};
use crate::method::description::{Method, Widths};
use crate::order::{Few, grouped};

/// Widest axis of a weight that can be adapted: far above any model's, and little enough that a list of as many
/// numbers does no harm.
const WIDEST: usize = 1 << 24;

/// Most values of a weight that can be adapted, several times those of any model's: a factor of rank 0 costs its file
/// nothing, whatever size it claims.
const LARGEST: u64 = 1 << 33;

/// What kind of layer is adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Linear,
    /// Stored `[vocabulary, width]`, and read by rows.
    Embedding,
    /// Taken as a matrix `[outputs, inputs · kernel]`.
    Conv,
}

/// One adapted module.
#[derive(Clone, Debug)]
pub struct Module {
    /// As in the base model, or flattened, as kohya's scripts name it.
    pub name: String,
    pub kind: Kind,
    pub rank: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub scaling: f64,
    pub dtype: Dtype,
    /// The base stores this weight `[inputs, outputs]`.
    pub transposed: bool,
    /// Shapes of lora_A and lora_B as stored, or as plain LoRA would have them.
    pub a_shape: Vec<usize>,
    pub b_shape: Vec<usize>,
    /// Names of its tensors in the file.
    pub keys: Few<Part, String>,
    /// Of another method than LoRA: where its tensors are.
    pub described: Option<Described>,
    /// Numbers that it adds to the model.
    pub parameters: usize,
}

impl Module {
    /// Shape of the weight as the base stores it, as a matrix.
    pub fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.inputs, self.outputs) } else { (self.outputs, self.inputs) }
    }

    pub fn has(&self, part: Part) -> bool {
        self.keys.has(&part)
    }
}

/// A weight that the adapter holds whole (`modules_to_save`, trained biases).
#[derive(Clone, Debug)]
pub struct Whole {
    /// As in the base model.
    pub name: String,
    pub key: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
}

/// A module's factors as stored, AdaLoRA's diagonal multiplied into lora_A; or what another method's tensors make.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`.
    pub b: Vec<f32>,
    pub bias: Option<Vec<f32>>,
    pub magnitude: Option<Vec<f32>>,
}

/// An adapter whose files are open.
#[derive(Clone, Debug)]
pub struct Adapter<S> {
    pub file: Checkpoint<S>,
    pub config: Option<AdapterConfig>,
    pub style: Style,
    /// In the order in which a person counts layers.
    pub modules: Vec<Module>,
    pub whole: Vec<Whole>,
    /// Tensors and settings that are not understood, each with why.
    pub not_understood: Vec<String>,
    /// Modules whose number of inputs is not in the file: only the base can say it.
    without_inputs: Vec<Module>,
}

/// Whether a tensor of that name is part of an adapter rather than of a model.
pub fn is_part(key: &str) -> bool {
    keys::split(key).is_some()
        || keys::whole(key).is_some()
        || described::split(key).is_some()
        || described::shared(key).is_some()
}

impl<S> Adapter<S> {
    /// A module's place in `modules`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.name == name)
    }

    /// Takes the numbers of inputs that are not in the file from the weights of `base`. Where that has no weight which would
    /// fit, a module stays as it is.
    pub fn take_shapes<B: Source>(&mut self, base: &Checkpoint<B>) {
        let style = self.style;
        let mut waiting = std::mem::take(&mut self.without_inputs);
        for module in self.modules.iter_mut().chain(&mut waiting) {
            take_inputs(module, base, style);
        }
        let (there, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|module| module.inputs > 0);
        let modules = std::mem::take(&mut self.modules).into_iter().chain(there).collect();
        self.modules = keys::in_order(modules, |module| &module.name);
        self.without_inputs = waiting;
    }

    /// Whether some module's number of inputs is the base's to say.
    pub fn takes_shapes(&self) -> bool {
        let asks = |module: &Module| module.described.as_ref().is_some_and(|d| d.most_inputs.is_some());
        self.modules.iter().chain(&self.without_inputs).any(asks)
    }

    /// # Errors
    /// `Error::Data` where there is a module whose shape is not known without the base.
    pub fn check_shapes(&self) -> Result<()> {
        match self.lacks_shapes() {
            None => Ok(()),
            Some(problem) => {
                let expected = "the base that the adapter is for, to be open".into();
                Err(Error::Data { what: "base".into(), expected, got: format!("none that fits; {problem}") })
            }
        }
    }

    fn lacks_shapes(&self) -> Option<String> {
        let first = &self.without_inputs.first()?.name;
        let more = self.without_inputs.len() - 1;
        let more = if more > 0 { format!(" and {more} modules more") } else { String::new() };
        Some(format!("{first}{more}: the number of inputs is not in the file; open the base that the adapter is for"))
    }

    /// What is to be said of the file: what is not understood in it, and what takes the base.
    pub fn remarks(&self) -> Vec<String> {
        self.not_understood.iter().cloned().chain(self.lacks_shapes()).collect()
    }
}

impl<S: Source> Adapter<S> {
    /// Open `adapter_model.safetensors`, with the text of `adapter_config.json` if there is one.
    ///
    /// # Errors
    /// `Error::File` where one of them is broken, neither holds an adapter, or what its modules share is missing.
    pub async fn open(source: S, config: Option<&[u8]>) -> Result<Self> {
        let config = config.map(AdapterConfig::parse).transpose()?;
        let file = Checkpoint::open(vec![source]).await?;
        let mut not_understood = config.as_ref().map_or_else(Vec::new, |c| c.not_understood.clone());
        let (mut parts, mut own, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        let mut whole = Vec::new();
        let mut style = Style::Peft;
        for info in file.tensors() {
            if let Some((module, part, found)) = keys::split(&info.name) {
                if found == Style::Kohya {
                    style = found;
                }
                parts.push((module, (part, info)));
            } else if let Some((module, method, name)) = described::split(&info.name) {
                own.push((module, (method, name, info)));
            } else if let Some((method, name)) = described::shared(&info.name) {
                shared.push((method, name, info));
            } else if let Some(name) = keys::whole(&info.name) {
                let (name, key) = (name.to_owned(), info.name.clone());
                whole.push(Whole { name, key, shape: info.shape.clone(), dtype: info.dtype });
            } else {
                not_understood.push(format!("{}: no part of an adapter that is known here", info.name));
            }
        }
        let mut modules = Vec::new();
        for (name, all) in grouped(parts) {
            let mut parts = Few::new();
            for (part, info) in all {
                if parts.insert(part, info).is_some() {
                    not_understood.push(format!("{}: {name} has two of these", info.name));
                }
            }
            match assemble(name, &parts, config.as_ref()) {
                Ok(module) => modules.push(module),
                Err(why) => not_understood.extend(parts.values().map(|info| format!("{}: {why}", info.name))),
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
            match described_module(name, method, &tensors, &shared, config.as_ref()) {
                // PEFT makes what modules share as wide as the widest of them.
                Ok(module) if module.inputs > 0 || own.len() == 1 => modules.push(widest(module)),
                Ok(module) => without_inputs.push(module),
                Err(why) => not_understood.extend(tensors.values().map(|info| format!("{}: {why}", info.name))),
            }
        }
        for module in &mut modules {
            if let Some(key) = module.keys.get(&Part::Alpha) {
                let value = file.read(key).await?.values[0];
                module.scaling = super::config::scaling(f64::from(value), module.rank, false);
            }
        }
        let modules = keys::in_order(modules, |module| &module.name);
        if modules.is_empty() && whole.is_empty() && without_inputs.is_empty() {
            let name = file.file();
            let problem = match not_understood.first() {
                Some(first) => format!("holds no adapter that is known here; of what it holds, {first}"),
                None => "holds no tensors".to_owned(),
            };
            return Err(broken(&name, problem));
        }
        let (without, known) = (config.is_none(), |m: &Module| m.has(Part::Alpha) || m.described.is_some());
        if without && !modules.is_empty() && !modules.iter().all(known) {
            not_understood.push("scaling: without adapter_config.json it is taken as 1".to_owned());
        }
        Ok(Self { style, config, modules, whole, not_understood, without_inputs, file })
    }

    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn factors(&self, module: &Module) -> Result<Factors> {
        if let Some(described) = &module.described {
            let widths = Widths { inputs: module.inputs, outputs: module.outputs };
            let (a, b) = described.factors(&self.file, module.rank, widths).await?;
            return Ok(Factors { a, b, bias: None, magnitude: None });
        }
        let read = async |part: &Part| match module.keys.get(part) {
            Some(key) => self.file.read(key).await.map(|tensor| Some(tensor.values)),
            None => Ok(None),
        };
        let (a, b) = match module.kind {
            Kind::Embedding => (read(&Part::EmbeddingA).await?, read(&Part::EmbeddingB).await?),
            _ => (read(&Part::A).await?, read(&Part::B).await?),
        };
        let mut a = a.unwrap_or_default();
        if let Some(e) = read(&Part::E).await?.filter(|_| module.inputs > 0) {
            for (row, e) in a.chunks_exact_mut(module.inputs).zip(e) {
                row.iter_mut().for_each(|v| *v *= e);
            }
        }
        Ok(Factors {
            a,
            b: b.unwrap_or_default(),
            bias: read(&Part::Bias).await?,
            magnitude: read(&Part::Magnitude).await?,
        })
    }
}

/// A module from its parts' shapes, or why not.
fn assemble(
    name: &str,
    parts: &Few<Part, &TensorInfo>,
    config: Option<&AdapterConfig>,
) -> std::result::Result<Module, String> {
    let embedding = parts.has(&Part::EmbeddingA);
    let (a, b) = if embedding { (Part::EmbeddingA, Part::EmbeddingB) } else { (Part::A, Part::B) };
    let (Some(a), Some(b)) = (parts.get(&a), parts.get(&b)) else {
        return Err("lora_A and lora_B are not both there".into());
    };
    if let Some(info) = parts.values().find(|info| !info.dtype.is_float()) {
        return Err(format!("{} is no floating-point format", info.dtype));
    }
    if a.shape.len() < 2 || b.shape.len() < 2 {
        return Err(format!("lora_A {:?} and lora_B {:?} are not matrices", a.shape, b.shape));
    }
    let (rank, inputs) = a.matrix();
    let (outputs, columns) = b.matrix();
    if columns != rank || b.shape[2..].iter().any(|&n| n != 1) {
        return Err(format!("lora_A {:?} and lora_B {:?} do not belong together", a.shape, b.shape));
    }
    let values = inputs.min(WIDEST) as u64 * outputs.min(WIDEST) as u64;
    if is_too_large([rank, inputs, outputs]) {
        return Err(format!("lora_A {:?} and lora_B {:?} are larger than any model's", a.shape, b.shape));
    }
    let expected = |part: Part, count: u64| match parts.get(&part) {
        Some(info) if info.count() as u64 != count => {
            Err(format!("{part:?} has shape {:?}, not {count} values", info.shape))
        }
        _ => Ok(()),
    };
    expected(Part::E, rank as u64)?;
    expected(Part::Bias, outputs as u64)?;
    expected(Part::Magnitude, outputs as u64)?;
    expected(Part::Alpha, 1)?;
    expected(Part::StoredBase, values)?;
    if embedding && parts.has(&Part::Magnitude) {
        return Err("DoRA of an embedding is not known here".into());
    }
    if let Some(config) = config.filter(|c| matches!(c.peft_type, PeftType::Lora) && c.rank_of(name) != rank) {
        return Err(format!("rank is {rank}, but adapter_config.json says {}", config.rank_of(name)));
    }
    let kind = match (embedding, a.shape.len()) {
        (true, _) => Kind::Embedding,
        (false, 2) => Kind::Linear,
        _ => Kind::Conv,
    };
    let adds = [Part::StoredBase, Part::Alpha];
    Ok(Module {
        name: name.to_owned(),
        kind,
        rank,
        inputs,
        outputs,
        scaling: config.map_or(if rank == 0 { 0.0 } else { 1.0 }, |config| config.scaling(name, rank)),
        dtype: a.dtype,
        transposed: embedding || kind == Kind::Linear && config.is_some_and(|c| c.fan_in_fan_out),
        a_shape: a.shape.clone(),
        b_shape: b.shape.clone(),
        keys: parts.iter().map(|(part, info)| (*part, info.name.clone())).collect(),
        described: None,
        parameters: parts.iter().filter(|(part, _)| !adds.contains(part)).map(|(_, info)| info.count()).sum(),
    })
}

fn is_too_large([rank, inputs, outputs]: [usize; 3]) -> bool {
    let values = inputs.min(WIDEST) as u64 * outputs.min(WIDEST) as u64;
    [rank, inputs, outputs].iter().any(|&n| n > WIDEST) || values > LARGEST
}

/// A module of another method than LoRA from its tensors' shapes, or why not. It has 0 inputs where the file does not say how
/// many.
fn described_module(
    name: &str,
    method: &'static Method,
    own: &Tensors,
    shared: &Tensors,
    config: Option<&AdapterConfig>,
) -> std::result::Result<Module, String> {
    let Shapes { described, rank, inputs, outputs, dtype, parameters } = described::assemble(method, own, shared)?;
    if is_too_large([rank, inputs, outputs]) {
        return Err(format!("{outputs} outputs and {inputs} inputs are more than any model's"));
    }
    if let Some(config) = config.filter(|config| config.rank != rank) {
        return Err(format!("rank is {rank}, but adapter_config.json says {}", config.rank));
    }
    let inputs = if described.most_inputs.is_some() { 0 } else { inputs };
    Ok(Module {
        name: name.to_owned(),
        kind: Kind::Linear,
        rank,
        inputs,
        outputs,
        scaling: 1.0,
        dtype,
        transposed: config.is_some_and(|config| config.fan_in_fan_out),
        a_shape: vec![rank, inputs],
        b_shape: vec![outputs, rank],
        keys: Few::new(),
        described: Some(described),
        parameters,
    })
}

/// The module with as many inputs as its file allows, where it is not said how many it has.
fn widest(module: Module) -> Module {
    match module.described.as_ref().and_then(|described| described.most_inputs) {
        Some(most) => Module { inputs: most, a_shape: vec![module.rank, most], ..module },
        None => module,
    }
}

/// The number of inputs that the module's weight in the base has, where the file does not say it.
fn take_inputs<B: Source>(module: &mut Module, base: &Checkpoint<B>, style: Style) {
    let Some(most) = module.described.as_ref().and_then(|described| described.most_inputs) else {
        return;
    };
    let key = base_weight(base, &module.name, style);
    let Some((rows, columns)) = key.and_then(|key| base.find(&key)).map(TensorInfo::matrix) else {
        return;
    };
    let (outputs, inputs) = if module.transposed { (columns, rows) } else { (rows, columns) };
    if outputs == module.outputs && inputs <= most {
        module.inputs = inputs;
        module.a_shape = vec![module.rank, inputs];
    }
}
