//! An adapter that was made here, as PEFT's two files. Knows nothing of how it was made.

use serde_json::{Value, json};

use super::keys::{PREFIX, SHARED};
use crate::error::{Error, Result};
use crate::files::Dtype;
use crate::files::write::{Planned, Writer, pytorch};
use crate::lang::tr;

/// One module's factors; all of an adapter have the same rank and α.
#[derive(Clone, Debug, PartialEq)]
pub struct Plain {
    /// Of the module, as in the model that it belongs to.
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`.
    pub b: Vec<f32>,
}

/// An adapter's two files.
#[derive(Clone, Debug, PartialEq)]
pub struct Files {
    /// `adapter_model.safetensors`.
    pub adapter: Vec<u8>,
    /// `adapter_config.json`.
    pub config: String,
}

/// `modules` as PEFT stores them, in F32.
///
/// # Errors
/// `Error::Data` where there are none, or factors do not have their shapes.
pub async fn write(modules: &[Plain], rank: usize, alpha: f64, rslora: bool) -> Result<Files> {
    if modules.is_empty() {
        let (expected, got) = (tr!("at least one adapted layer"), tr!("none"));
        return Err(Error::Data { what: tr!("adapter"), expected, got });
    }
    let mut tensors = Vec::new();
    for module in modules {
        for (part, shape, values) in
            [("lora_A", [rank, module.inputs], &module.a), ("lora_B", [module.outputs, rank], &module.b)]
        {
            tensors.push(Stored {
                name: format!("{}.{part}.weight", module.name),
                shape: shape.to_vec(),
                values: values.clone(),
            });
        }
    }
    let config = json!({
        "r": rank,
        "lora_alpha": alpha,
        "use_rslora": rslora,
        "lora_dropout": 0.0,
        "bias": "none",
    });
    let targets: Vec<&str> = modules.iter().map(|m| m.name.as_str()).collect();
    store(&tensors, &[], ("LORA", config), &targets, Dtype::F32).await
}

/// One tensor of an adapter file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Behind the prefix that PEFT puts before every name.
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Tensors as PEFT stores them: those of modules, and those that a file has once, for all; with the adapter's kind
/// and the keys of its configuration, and the modules it targets.
///
/// # Errors
/// `Error::Data` where a tensor does not have its shape.
pub async fn store(
    modules: &[Stored],
    shared: &[Stored],
    (kind, config): (&str, Value),
    targets: &[&str],
    dtype: Dtype,
) -> Result<Files> {
    let mut plan = Vec::new();
    for (prefix, tensor) in shared.iter().map(|t| (SHARED, t)).chain(modules.iter().map(|t| (PREFIX, t))) {
        if tensor.values.len() != tensor.shape.iter().product::<usize>() {
            return Err(Error::Data {
                what: tensor.name.clone(),
                expected: format!("{:?}", tensor.shape),
                got: format!("{} values", tensor.values.len()),
            });
        }
        let name = format!("{prefix}{}", tensor.name);
        plan.push(Planned { name, dtype, shape: tensor.shape.clone() });
    }
    let mut adapter = Vec::new();
    let mut writer = Writer::begin(&mut adapter, &plan, &pytorch()).await?;
    for tensor in shared.iter().chain(modules) {
        writer.values(dtype, &tensor.values).await?;
    }
    writer.end()?;
    let mut document = json!({
        "peft_type": kind,
        "base_model_name_or_path": null,
        "task_type": null,
        "inference_mode": true,
        "target_modules": targets,
    });
    if let (Some(document), Value::Object(own)) = (document.as_object_mut(), config) {
        document.extend(own);
    }
    Ok(Files { adapter, config: format!("{document:#}\n") })
}
