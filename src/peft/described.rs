//! Adapters of methods that are not LoRA, as the methods' descriptions say PEFT stores them: which tensors are theirs, whether
//! their shapes belong together, and the factors that come of them. Knows no method by name.

use super::keys::{PREFIX, SHARED};
use crate::error::Result;
use crate::files::{Checkpoint, Dtype, Source, TensorInfo};
use crate::lang::{said, tr};
use crate::method::description::{Axis, Held, Method, Opens, Peft, Widths};
use crate::method::{Lane, METHODS};
use crate::order::Few;

/// Tensors of a file, by our names.
pub type Tensors<'a> = Few<&'static str, &'a TensorInfo>;

/// Where a module's tensors are, and the method that says what they make.
#[derive(Clone, Debug)]
pub struct Described {
    pub method: &'static Method,
    /// Most inputs that a module of this file can have. The file does not say how many this one has.
    pub most_inputs: Option<usize>,
    /// Names in the file and axes, by our names.
    tensors: Few<&'static str, (String, Vec<Axis>)>,
}

/// What the shapes of a module's tensors say.
#[derive(Clone, Debug)]
pub struct Shapes {
    pub described: Described,
    pub rank: usize,
    /// The most that the file allows, where it does not say how many.
    pub inputs: usize,
    pub outputs: usize,
    pub dtype: Dtype,
    /// Numbers that are the module's own.
    pub parameters: usize,
}

fn all() -> impl Iterator<Item = (&'static Method, Peft, Opens)> {
    METHODS.iter().filter_map(|&method| {
        let peft = method.extras.peft?;
        Some((method, peft, peft.opens?))
    })
}

/// Every `peft_type` that is opened so.
pub fn kinds() -> Vec<&'static str> {
    all().map(|(_, peft, _)| peft.kind).collect()
}

/// The method of that `peft_type`.
pub fn of_kind(kind: &str) -> Option<&'static Method> {
    all().find(|(_, peft, _)| peft.kind == kind).map(|(method, ..)| method)
}

/// Keys that adapter_config.json has for this method.
pub fn keys(method: &'static Method) -> Vec<String> {
    let config = method.extras.peft.map(|peft| (peft.config)(&Lane::from(method).settings));
    let object = config.as_ref().and_then(serde_json::Value::as_object);
    object.map_or_else(Vec::new, |object| object.keys().cloned().collect())
}

/// Module, method and our name of a tensor that each module has; `None` for others.
pub fn split(key: &str) -> Option<(&str, &'static Method, &'static str)> {
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    all().find_map(|(method, peft, _)| {
        peft.tensors.iter().find_map(|&(ours, ending)| {
            let module = name.strip_suffix(ending)?.strip_suffix('.')?;
            Some((module, method, ours))
        })
    })
}

/// Method and our name of a tensor that a file has once; `None` for others.
pub fn shared(key: &str) -> Option<(&'static Method, &'static str)> {
    let name = key.strip_prefix(SHARED)?;
    all().find_map(|(method, peft, _)| {
        peft.shared.iter().find_map(|&(ours, stored)| (stored == name).then_some((method, ours)))
    })
}

/// What is to be said of a configuration that says of no kind of adapter that it is.
pub fn no_kind() -> String {
    tr!("is not an adapter's configuration: missing field `peft_type`; choose the adapter_config.json that PEFT saved")
}

/// The same of a kind of adapter that is not opened here.
pub fn other_kind(other: &str) -> String {
    let known = kinds().join(", ");
    tr!("peft_type is \"{other}\"; only LORA, ADALORA, {known} adapters can be opened", other, known)
}

/// A tensor of an adapter with its shape, for messages.
fn shaped(name: &str, info: &TensorInfo) -> String {
    format!("{name} {:?}", info.shape)
}

/// What of the method's shared tensors a file lacks, in words; `None` where it has them all.
pub fn lacking(method: &'static Method, shared: &Tensors) -> Option<String> {
    let (_, peft, opens) = all().find(|(one, ..)| std::ptr::eq(*one, method))?;
    let missing = peft.shared.iter().filter(|(ours, _)| !shared.has(*ours));
    let missing: Vec<String> = missing.map(|(_, stored)| format!("{SHARED}{stored}")).collect();
    let what = match missing.split_last()? {
        (last, []) => last.clone(),
        (last, rest) => tr!("{} and {last}", rest.join(", "), last),
    };
    let hint = said(opens.without_shared);
    Some(tr!("does not hold {what}, which all its modules share; {hint}", what, hint))
}

/// What the shapes of a module's own tensors and of those it shares say, or why they say nothing.
pub fn assemble(method: &'static Method, own: &Tensors, shared: &Tensors) -> std::result::Result<Shapes, String> {
    let Some((_, peft, _)) = all().find(|(one, ..)| std::ptr::eq(*one, method)) else {
        return Err(tr!("PEFT has no such adapter"));
    };
    // Which axes a tensor has does not depend on their lengths.
    let declared = (method.parameters)(&Lane::from(method).settings, Widths { inputs: 1, outputs: 1 });
    let mut tensors = Few::new();
    let (mut rank, mut inputs, mut outputs) = (None, None, None);
    let (mut most_inputs, mut most_outputs) = (usize::MAX, usize::MAX);
    for (is_own, &(name, stored)) in
        peft.tensors.iter().map(|names| (true, names)).chain(peft.shared.iter().map(|names| (false, names)))
    {
        let info = if is_own { own.get(name) } else { shared.get(name) };
        let Some(info) = info else {
            return Err(tr!("{} is not there", stored));
        };
        if !info.dtype.is_float() {
            return Err(tr!("{} is no floating-point format", info.dtype));
        }
        let axes = declared.iter().find(|p| p.name == name).map_or_else(Vec::new, |p| p.axes.clone());
        if axes.len() != info.shape.len() {
            return Err(tr!("{tensor} has not {axes} axes", tensor = shaped(stored, info), axes = axes.len()));
        }
        for (axis, &length) in axes.iter().zip(&info.shape) {
            let known = match (axis, is_own) {
                (Axis::Rank(_), _) => &mut rank,
                (Axis::Inputs, true) => &mut inputs,
                (Axis::Outputs, true) => &mut outputs,
                (Axis::Inputs, false) => {
                    most_inputs = most_inputs.min(length);
                    continue;
                }
                (Axis::Outputs, false) => {
                    most_outputs = most_outputs.min(length);
                    continue;
                }
                (Axis::Experts(_) | Axis::Width(_), _) => return Err(tr!("{} is no part of two factors", stored)),
            };
            if *known.get_or_insert(length) != length {
                return Err(tr!("{} does not belong to the others", shaped(stored, info)));
            }
        }
        tensors.insert(name, (info.name.clone(), axes));
    }
    let (Some(rank), Some(outputs)) = (rank, outputs) else {
        return Err(tr!("its rank and its number of outputs are not in the file"));
    };
    if outputs > most_outputs || inputs.is_some_and(|inputs| inputs > most_inputs) {
        let most = most_outputs;
        return Err(tr!("it has {outputs} outputs, and what it shares has only {most}", outputs, most));
    }
    let first = peft.tensors.first().and_then(|(name, _)| own.get(name));
    Ok(Shapes {
        described: Described { method, most_inputs: inputs.is_none().then_some(most_inputs), tensors },
        rank,
        inputs: inputs.unwrap_or(most_inputs),
        outputs,
        dtype: first.map_or(Dtype::F32, |info| info.dtype),
        parameters: own.values().map(|info| info.count()).sum(),
    })
}

impl Described {
    /// A `[rank, inputs]` and B `[outputs, rank]` of a change of scaling 1.
    ///
    /// # Errors
    /// `Error::File` where a tensor cannot be read.
    pub async fn factors<S: Source>(
        &self,
        file: &Checkpoint<S>,
        rank: usize,
        widths: Widths,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut values = Few::new();
        for (name, (key, axes)) in self.tensors.iter() {
            let length = |axis: &Axis| if let Axis::Rank(_) = axis { rank } else { axis.len(widths) };
            let shape: Vec<usize> = axes.iter().map(length).collect();
            values.insert(*name, first_rows_and_columns(file, key, &shape).await?);
        }
        let opens = self.method.extras.peft.and_then(|peft| peft.opens);
        let held = Held { rank, widths, values };
        Ok(opens.map_or_else(Default::default, |opens| (opens.factors)(&held)))
    }
}

async fn first_rows_and_columns<S: Source>(file: &Checkpoint<S>, key: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let (rows, width) = (shape.first().copied().unwrap_or(1), shape.iter().skip(1).product());
    let values = file.read_rows(key, 0..rows).await?;
    let stored = file.find(key).map_or(width, |info| info.matrix().1);
    if stored <= width {
        return Ok(values);
    }
    Ok(values.chunks_exact(stored).flat_map(|row| &row[..width]).copied().collect())
}
