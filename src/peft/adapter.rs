//! An opened adapter: its modules and what else is in it, from names and shapes alone. Values are read where they are
//! needed. Knows nothing of what is computed from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::config::{AdapterConfig, PeftType};
use super::keys::{self, Part, Style};
use crate::error::Result;
use crate::files::{Checkpoint, Dtype, Source, TensorInfo, broken};

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
    /// Shapes of lora_A and lora_B as stored.
    pub a_shape: Vec<usize>,
    pub b_shape: Vec<usize>,
    /// Names of its tensors in the file.
    pub keys: BTreeMap<Part, String>,
    /// Numbers that it adds to the model.
    pub parameters: usize,
}

impl Module {
    /// Shape of the weight as the base stores it, as a matrix.
    pub fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.inputs, self.outputs) } else { (self.outputs, self.inputs) }
    }

    pub fn has(&self, part: Part) -> bool {
        self.keys.contains_key(&part)
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

/// A module's factors as stored, AdaLoRA's diagonal multiplied into lora_A.
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
#[derive(Debug)]
pub struct Adapter<S> {
    pub file: Checkpoint<S>,
    pub config: Option<AdapterConfig>,
    pub style: Style,
    /// In the order in which a person counts layers.
    pub modules: Vec<Module>,
    pub whole: Vec<Whole>,
    /// Tensors and settings that are not understood, each with why.
    pub not_understood: Vec<String>,
}

impl<S: Source> Adapter<S> {
    /// Open `adapter_model.safetensors`, with the text of `adapter_config.json` if there is one.
    ///
    /// # Errors
    /// `Error::File` where one of them is broken or neither holds a LoRA.
    pub async fn open(source: S, config: Option<&[u8]>) -> Result<Self> {
        let config = config.map(AdapterConfig::parse).transpose()?;
        let file = Checkpoint::open(vec![source]).await?;
        let mut not_understood = config.as_ref().map_or_else(Vec::new, |c| c.not_understood.clone());
        let mut parts: BTreeMap<&str, BTreeMap<Part, &TensorInfo>> = BTreeMap::new();
        let mut whole = Vec::new();
        let mut style = Style::Peft;
        for info in file.tensors() {
            if let Some((module, part, found)) = keys::split(&info.name) {
                if found == Style::Kohya {
                    style = found;
                }
                if parts.entry(module).or_default().insert(part, info).is_some() {
                    not_understood.push(format!("{}: {module} has two of these", info.name));
                }
            } else if let Some(name) = keys::whole(&info.name) {
                let (name, key) = (name.to_owned(), info.name.clone());
                whole.push(Whole { name, key, shape: info.shape.clone(), dtype: info.dtype });
            } else {
                not_understood.push(format!("{}: no part of an adapter that is known here", info.name));
            }
        }
        let mut modules = Vec::new();
        let mut alphas = Vec::new();
        for (name, parts) in parts {
            match assemble(name, &parts, config.as_ref()) {
                Ok(module) => {
                    alphas.extend(parts.get(&Part::Alpha).map(|_| modules.len()));
                    modules.push(module);
                }
                Err(why) => not_understood.extend(parts.values().map(|info| format!("{}: {why}", info.name))),
            }
        }
        for at in alphas {
            let module: &mut Module = &mut modules[at];
            let value = file.read(&module.keys[&Part::Alpha]).await?.values[0];
            module.scaling = super::config::scaling(f64::from(value), module.rank, false);
        }
        modules.sort_by_cached_key(|module| keys::counted(&module.name));
        if modules.is_empty() && whole.is_empty() {
            let name = file.file();
            let problem = match not_understood.first() {
                Some(first) => format!("holds no adapter that is known here; of what it holds, {first}"),
                None => "holds no tensors".to_owned(),
            };
            return Err(broken(&name, problem));
        }
        let (without, known) = (config.is_none(), |m: &Module| m.has(Part::Alpha));
        if without && !modules.is_empty() && !modules.iter().all(known) {
            not_understood.push("scaling: without adapter_config.json it is taken as 1".to_owned());
        }
        Ok(Self { style, config, modules, whole, not_understood, file })
    }

    /// A module's place in `modules`.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.modules.iter().position(|module| module.name == name)
    }

    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn factors(&self, module: &Module) -> Result<Factors> {
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
    parts: &BTreeMap<Part, &TensorInfo>,
    config: Option<&AdapterConfig>,
) -> std::result::Result<Module, String> {
    let embedding = parts.contains_key(&Part::EmbeddingA);
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
    if [rank, inputs, outputs].iter().any(|&n| n > WIDEST) || values > LARGEST {
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
    if embedding && parts.contains_key(&Part::Magnitude) {
        return Err("DoRA of an embedding is not known here".into());
    }
    if let Some(config) = config.filter(|c| c.peft_type == PeftType::Lora && c.rank_of(name) != rank) {
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
        keys: parts.iter().map(|(&part, info)| (part, info.name.clone())).collect(),
        parameters: parts.iter().filter(|(part, _)| !adds.contains(part)).map(|(_, info)| info.count()).sum(),
    })
}
