//! One adapted module, from its tensors' names and shapes alone, and a weight that an adapter holds whole. Values are read where
//! they are needed. Knows nothing of what is computed from them, nor of bases.

use std::cell::RefCell;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::described::{self, Described, Shapes, Tensors};
use super::keys::{Held, Part};
use crate::error::Result;
use crate::files::{Checkpoint, Dtype, Source, TensorInfo};
use crate::lang::tr;
use crate::method::description::{Method, Widths};
use crate::order::Few;

/// Widest axis of a weight that can be adapted: far above any model's, and little enough that a list of as many
/// numbers does no harm.
const WIDEST: usize = 1 << 24;

/// Most values of a weight that can be adapted, several times those of any model's: a factor of rank 0 costs its file
/// nothing, whatever size it claims.
const LARGEST: u64 = 1 << 33;

/// What may be a module's A and its B.
const FACTORS: [[Part; 3]; 2] =
    [[Part::A, Part::EmbeddingA, Part::TurnedA], [Part::B, Part::EmbeddingB, Part::TurnedB]];

/// What kind of layer is adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Linear,
    /// Stored `[vocabulary, width]`, and read by rows.
    Embedding,
    /// Taken as a matrix `[outputs, inputs · kernel]`.
    Conv,
}

/// One of several experts whose factors lie in one pair of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub expert: usize,
    pub of: usize,
}

/// The B of several experts that was read last: each of them is spread over all of it.
#[derive(Clone, Debug, Default)]
pub struct Last(RefCell<Option<(String, Rc<[f32]>)>>);

/// What each of DoRA's magnitudes is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magnitudes {
    Outputs,
    /// So many columns of the weight's matrix belong to one input.
    Inputs(usize),
}

/// One adapted module.
#[derive(Clone, Debug)]
pub struct Module {
    /// As in the base model, or flattened, as kohya's scripts name it. An expert's ends in its number.
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
    pub magnitudes: Option<Magnitudes>,
    pub slice: Option<Slice>,
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

/// A weight that the adapter holds whole (`modules_to_save`, trained biases), or what is added to one, or some of its rows.
#[derive(Clone, Debug)]
pub struct Whole {
    /// As in the base model.
    pub name: String,
    pub key: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub held: Held,
    /// Which rows of the base's weight these are, where they are not all.
    pub rows: Vec<usize>,
}

impl Module {
    /// Shape of the weight as the base stores it, as a matrix.
    pub fn shape(&self) -> (usize, usize) {
        if self.transposed { (self.inputs, self.outputs) } else { (self.outputs, self.inputs) }
    }

    pub fn has(&self, part: Part) -> bool {
        self.keys.has(&part)
    }

    /// The base's name for the weight, as its module and what follows it.
    pub fn weight(&self) -> (&str, &'static str) {
        match self.slice {
            Some(_) => (self.name.rsplit_once('.').map_or(&*self.name, |(parameter, _)| parameter), ""),
            None => (&self.name, ".weight"),
        }
    }

    /// Names in the file of its two factors.
    pub fn factor_keys(&self) -> [Option<&String>; 2] {
        // A module has factors of one kind only.
        let one_of = |parts: [Part; 3]| parts.into_iter().find_map(|part| self.keys.get(&part));
        FACTORS.map(one_of)
    }

    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn factors<S: Source>(&self, file: &Checkpoint<S>, last: &Last) -> Result<Factors> {
        if let Some(described) = &self.described {
            let widths = Widths { inputs: self.inputs, outputs: self.outputs };
            let (a, b) = described.factors(file, self.rank, widths).await?;
            return Ok(Factors { a, b, bias: None, magnitude: None });
        }
        let [a, b] = self.factor_keys();
        let magnitude = self.keys.get(&Part::Magnitude).or_else(|| self.keys.get(&Part::DoraScale));
        let rest = [Part::Core, Part::E, Part::Bias].map(|part| self.keys.get(&part));
        let mut read = Vec::new();
        for (at, key) in [a, b].into_iter().chain(rest).chain([magnitude]).enumerate() {
            read.push(match (key, self.slice) {
                (Some(key), Some(slice)) if at < 2 => Some(self.sliced(file, last, slice, (at == 0, key)).await?),
                (Some(key), _) => Some(file.read(key).await?.values),
                (None, _) => None,
            });
        }
        let mut next = || read.pop().flatten();
        let (magnitude, bias, e, core) = (next(), next(), next(), next());
        let (mut b, mut a) = (next().unwrap_or_default(), next().unwrap_or_default());
        if self.has(Part::TurnedA) {
            (a, b) = (turned(&a, self.rank), turned(&b, self.outputs));
        }
        if let Some(core) = core {
            a = with_core(&core, &a, self.rank, self.inputs);
        }
        if let Some(e) = e.filter(|_| self.inputs > 0) {
            for (row, e) in a.chunks_exact_mut(self.inputs).zip(e) {
                row.iter_mut().for_each(|v| *v *= e);
            }
        }
        Ok(Factors { a, b, bias, magnitude })
    }

    /// One of an expert's factors: A holds one expert's rows after another's, B the same column of all experts side by side.
    async fn sliced<S: Source>(
        &self,
        file: &Checkpoint<S>,
        last: &Last,
        Slice { expert, of }: Slice,
        (is_a, key): (bool, &String),
    ) -> Result<Vec<f32>> {
        if is_a {
            return file.read_rows(key, expert * self.rank..(expert + 1) * self.rank).await;
        }
        let held = last.0.borrow().as_ref().filter(|(held, _)| held == key).map(|(_, all)| all.clone());
        let all = match held {
            Some(all) => all,
            None => {
                let all: Rc<[f32]> = file.read(key).await?.values.into();
                *last.0.borrow_mut() = Some((key.clone(), all.clone()));
                all
            }
        };
        Ok(all.iter().skip(expert).step_by(of).copied().collect())
    }
}

/// A matrix of so many columns, the other way round.
fn turned(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| values.iter().skip(c).step_by(columns.max(1)).copied()).collect()
}

/// Core and down in one: `[rank, inputs · kernel]`, from `[rank, rank, kernel]` and `[rank, inputs]`.
fn with_core(core: &[f32], down: &[f32], rank: usize, inputs: usize) -> Vec<f32> {
    let kernel = core.len() / (rank * rank).max(1);
    let channels = down.len() / rank.max(1);
    let mut out = vec![0.0f64; rank * inputs];
    for (at, &value) in core.iter().enumerate() {
        let (p, q, k) = (at / (kernel * rank), at / kernel % rank, at % kernel);
        for i in 0..channels {
            out[p * inputs + i * kernel + k] += f64::from(value) * f64::from(down[q * channels + i]);
        }
    }
    out.into_iter().map(|v| v as f32).collect()
}

/// A module of plain scaling 1 from its parts' shapes, or why not.
pub fn assemble(name: &str, parts: &Few<Part, &TensorInfo>) -> std::result::Result<Module, String> {
    if FACTORS.iter().any(|kinds| kinds.iter().filter(|kind| parts.has(*kind)).count() > 1) {
        return Err(tr!("it has factors of two kinds"));
    }
    let embedding = parts.has(&Part::EmbeddingA);
    let turned = parts.has(&Part::TurnedA);
    let (a, b) = match (embedding, turned) {
        (true, _) => (Part::EmbeddingA, Part::EmbeddingB),
        (_, true) => (Part::TurnedA, Part::TurnedB),
        _ => (Part::A, Part::B),
    };
    let (Some(a), Some(b)) = (parts.get(&a), parts.get(&b)) else {
        return Err(tr!("lora_A and lora_B are not both there"));
    };
    let number = |part: Part| part == Part::Alpha;
    if let Some((_, info)) = parts.iter().find(|(part, info)| !number(*part) && !info.dtype.is_float()) {
        return Err(tr!("{name} is {dtype}, no floating-point format", name = info.name, dtype = info.dtype));
    }
    let sizes = |info: &TensorInfo| format!("{:?}", info.shape);
    let (of_a, of_b) = (sizes(a), sizes(b));
    if a.shape.len() < 2 || b.shape.len() < 2 {
        return Err(tr!("lora_A {of_a} and lora_B {of_b} are not matrices", of_a, of_b));
    }
    let (mut a_shape, mut b_shape) = (a.shape.clone(), b.shape.clone());
    if turned {
        if a_shape.len() > 2 || b_shape.len() > 2 {
            return Err(tr!(
                "lora_A {of_a} and lora_B {of_b} are of several experts, whose layout mlx keeps to itself; fuse the adapter with mlx-lm first",
                of_a,
                of_b
            ));
        }
        (a_shape, b_shape) = (vec![a_shape[1], a_shape[0]], vec![b_shape[1], b_shape[0]]);
    }
    if let Some(core) = parts.get(&Part::Core) {
        let rank = a_shape[0];
        if core.shape.len() < 3 || core.shape[..2] != [rank, rank] || a_shape[2..].iter().any(|&n| n != 1) {
            return Err(tr!("lora_mid {core} is no core of lora_down {of_a}", core = sizes(core), of_a));
        }
        a_shape = [&a_shape[..2], &core.shape[2..]].concat();
    }
    let product = |sizes: &[usize]| sizes.iter().try_fold(1usize, |all, &n| all.checked_mul(n)).unwrap_or(usize::MAX);
    let (rank, inputs) = (a_shape[0], product(&a_shape[1..]));
    let (outputs, columns) = (b_shape[0], product(&b_shape[1..]));
    if columns != rank || b_shape[2..].iter().any(|&n| n != 1) {
        return Err(tr!("lora_A {of_a} and lora_B {of_b} do not belong together", of_a, of_b));
    }
    if is_too_large([rank, inputs, outputs]) {
        return Err(tr!("lora_A {of_a} and lora_B {of_b} are larger than any model's", of_a, of_b));
    }
    let values = inputs as u64 * outputs as u64;
    let expected = |part: Part, count: u64| match parts.get(&part) {
        Some(info) if info.count() as u64 != count => {
            let part = format!("{part:?}");
            Err(tr!("{part} has shape {sizes}, not {count} values", part, sizes = sizes(info), count))
        }
        _ => Ok(()),
    };
    expected(Part::E, rank as u64)?;
    expected(Part::Bias, outputs as u64)?;
    expected(Part::Magnitude, outputs as u64)?;
    expected(Part::Alpha, 1)?;
    expected(Part::StoredBase, values)?;
    let mut magnitudes = parts.has(&Part::Magnitude).then_some(Magnitudes::Outputs);
    if let Some(info) = parts.get(&Part::DoraScale) {
        magnitudes = Some(match (info.shape.first(), info.count(), a_shape[1]) {
            (Some(&first), count, _) if first == outputs && count == outputs => Magnitudes::Outputs,
            (_, count, channels) if count == channels => Magnitudes::Inputs(inputs / channels.max(1)),
            _ => return Err(tr!("dora_scale {} is neither one per output nor one per input", sizes(info))),
        });
    }
    if embedding && magnitudes.is_some() {
        return Err(tr!("DoRA of an embedding is not known here"));
    }
    let kind = match (embedding, a_shape.len()) {
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
        scaling: 1.0,
        dtype: a.dtype,
        transposed: embedding,
        a_shape,
        b_shape,
        keys: parts.iter().map(|(part, info)| (*part, info.name.clone())).collect(),
        described: None,
        parameters: parts.iter().filter(|(part, _)| !adds.contains(part)).map(|(_, info)| info.count()).sum(),
        magnitudes,
        slice: None,
    })
}

pub(super) fn is_too_large([rank, inputs, outputs]: [usize; 3]) -> bool {
    let values = inputs.min(WIDEST) as u64 * outputs.min(WIDEST) as u64;
    [rank, inputs, outputs].iter().any(|&n| n > WIDEST) || values > LARGEST
}

/// A module of another method than LoRA from its tensors' shapes, or why not. It has 0 inputs where the file does not say how
/// many.
pub fn described_module(
    name: &str,
    method: &'static Method,
    own: &Tensors,
    shared: &Tensors,
) -> std::result::Result<Module, String> {
    let Shapes { described, rank, inputs, outputs, dtype, parameters } = described::assemble(method, own, shared)?;
    if is_too_large([rank, inputs, outputs]) {
        return Err(tr!("{outputs} outputs and {inputs} inputs are more than any model's", outputs, inputs));
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
        transposed: false,
        a_shape: vec![rank, inputs],
        b_shape: vec![outputs, rank],
        keys: Few::new(),
        described: Some(described),
        parameters,
        magnitudes: None,
        slice: None,
    })
}
