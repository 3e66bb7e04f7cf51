//! A plain LoRA that was made here, as PEFT's two files. Knows nothing of how it was made.

use serde_json::json;

use super::keys::PREFIX;
use crate::error::{Error, Result};
use crate::files::Dtype;
use crate::files::write::{Planned, Writer, pytorch};

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
        let (expected, got) = ("at least one adapted layer".into(), "none".into());
        return Err(Error::Data { what: "adapter".into(), expected, got });
    }
    let mut plan = Vec::new();
    for module in modules {
        for (part, shape, values) in
            [("lora_A", [rank, module.inputs], &module.a), ("lora_B", [module.outputs, rank], &module.b)]
        {
            if values.len() != shape[0] * shape[1] {
                return Err(Error::Data {
                    what: format!("{}.{part}", module.name),
                    expected: format!("{shape:?}"),
                    got: format!("{} values", values.len()),
                });
            }
            let name = format!("{PREFIX}{}.{part}.weight", module.name);
            plan.push(Planned { name, dtype: Dtype::F32, shape: shape.to_vec() });
        }
    }
    let mut adapter = Vec::new();
    let mut writer = Writer::begin(&mut adapter, &plan, &pytorch()).await?;
    for module in modules {
        writer.values(Dtype::F32, &module.a).await?;
        writer.values(Dtype::F32, &module.b).await?;
    }
    writer.end()?;
    let config = json!({
        "peft_type": "LORA",
        "base_model_name_or_path": null,
        "task_type": null,
        "inference_mode": true,
        "r": rank,
        "lora_alpha": alpha,
        "use_rslora": rslora,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": modules.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(),
    });
    Ok(Files { adapter, config: format!("{config:#}\n") })
}
