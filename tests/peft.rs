//! Adapters written by PEFT, against what PEFT itself makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use lora_playground::files::{Checkpoint, Memory};
use lora_playground::peft::overview::{Form, overview, rows};
use lora_playground::peft::{Adapter, Loaded};
use pollster::block_on;
use serde_json::Value;

pub const CASES: [&str; 8] = [
    "gpt2_conv1d",
    "llama_adalora",
    "llama_dora",
    "llama_embedding_and_saved_head",
    "llama_lora",
    "llama_lora_bf16",
    "llama_lora_bias",
    "llama_rslora_patterns_f16",
];

fn file(case: &str, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peft").join(case).join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn memory(case: &str, name: &str) -> Memory {
    Memory::new(name, file(case, name))
}

fn adapter(case: &str) -> Adapter<Memory> {
    let config = file(case, "adapter/adapter_config.json");
    block_on(Adapter::open(memory(case, "adapter/adapter_model.safetensors"), Some(&config))).unwrap()
}

fn checkpoint(case: &str, name: &str) -> Checkpoint<Memory> {
    block_on(Checkpoint::open(vec![memory(case, name)])).unwrap()
}

#[test]
fn every_module_has_the_norms_and_spectrum_that_peft_gives_it() {
    for case in CASES {
        let (adapter, base) = (adapter(case), checkpoint(case, "base/model.safetensors"));
        assert_eq!(adapter.not_understood, Vec::<String>::new(), "{case}");
        let expected: Value = serde_json::from_slice(&file(case, "expected.json")).unwrap();
        let mut seen = BTreeSet::new();
        for at in 0..rows(&adapter) {
            let row = block_on(overview(&adapter, Some(&base), at)).unwrap().unwrap();
            let key = if row.form == Form::Whole { row.name.clone() } else { format!("{}.weight", row.name) };
            let expected = &expected[&key];
            if row.rank == 0 && row.form != Form::Whole {
                assert!(expected.is_null() && row.norm == Some(0.0), "{case} {key}: pruned to nothing");
                continue;
            }
            assert!(seen.insert(key.clone()));
            assert!(row.exact);
            assert_eq!(expected["shape"], serde_json::json!([row.shape.0, row.shape.1]), "{case} {key}");
            let norm = expected["delta_frobenius"].as_f64().unwrap();
            assert!((row.norm.unwrap() / norm - 1.0).abs() < 1e-4, "{case} {key}: {:?}, not {norm}", row.norm);
            let values = expected["delta_singular_values"].as_array().unwrap();
            // PEFT's deltas are differences of two f32 weights: their own rounding is noise of this size.
            let noise = 1e-7 * norm.max(row.base_norm.unwrap());
            for (i, value) in values.iter().enumerate() {
                let (value, got) = (value.as_f64().unwrap(), row.singular.get(i).copied().unwrap_or(0.0));
                assert!((got - value).abs() < 1e-4 * value + noise, "{case} {key} σ{i}: {got}, not {value}");
            }
        }
        let biases = |key: &&String| !key.ends_with(".bias");
        let all: BTreeSet<_> = expected.as_object().unwrap().keys().filter(biases).cloned().collect();
        assert_eq!(seen, all, "{case}");
    }
}

#[test]
fn merged_weights_are_those_of_peft() {
    for case in CASES {
        let (adapter, base) = (adapter(case), checkpoint(case, "base/model.safetensors"));
        let merged = checkpoint(case, "merged.safetensors");
        let modules = adapter.modules.iter().map(|m| block_on(Loaded::module(&adapter, m, Some(&base))).unwrap());
        let whole = adapter.whole.iter().map(|w| Loaded::whole(&adapter, w, Some(&base)).unwrap());
        let mut compared = 0;
        for loaded in modules.chain(whole) {
            let Some(info) = merged.find(loaded.base_key().unwrap()) else {
                continue;
            };
            let expected = block_on(merged.read(&info.name)).unwrap().values;
            let got = block_on(loaded.merged_rows(0..loaded.rows)).unwrap().unwrap();
            compared += 1;
            for (got, expected) in got.iter().zip(expected) {
                let expected = f64::from(expected);
                assert!(
                    (got - expected).abs() < 1e-6 + 1e-5 * expected.abs(),
                    "{case} {}: {got} {expected}",
                    info.name
                );
            }
        }
        let weights = merged.tensors().filter(|info| info.shape.len() == 2).count();
        assert_eq!(compared, weights, "{case}");
    }
}
