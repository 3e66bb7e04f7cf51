//! The language models of `tests/fixtures/lm`: read, and their reference values at hand.

use lora_playground::config::Text;
use lora_playground::files::{Checkpoint, Memory};
use lora_playground::task::TaskData;
use lora_playground::task::text::{Model, ModelConfig, Texts};
use serde_json::Value;

/// A folder of reference models.
pub fn folder(name: &str) -> String {
    format!("{}/tests/fixtures/lm/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub fn json(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The model in a folder, from one file or several.
pub fn model(folder: &str, positions: usize) -> Model {
    let config = ModelConfig::from_value(&json(&format!("{folder}/config.json"))).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".safetensors"));
    names.sort();
    let sources = names.iter().map(|name| Memory::new(name, std::fs::read(format!("{folder}/{name}")).unwrap()));
    pollster::block_on(async {
        let weights = Checkpoint::open(sources.collect()).await.unwrap();
        Model::read(config, &weights, positions, async |_| Ok(())).await.unwrap()
    })
}

/// Tensors of a safetensors file, whatever numbers they are, as f32.
pub struct Stored(Vec<u8>);

impl Stored {
    pub fn open(path: &str) -> Self {
        Self(std::fs::read(path).unwrap())
    }

    pub fn of(file: Vec<u8>) -> Self {
        Self(file)
    }

    pub fn names(&self) -> Vec<String> {
        let file = safetensors::SafeTensors::deserialize(&self.0).unwrap();
        file.names().into_iter().map(str::to_owned).collect()
    }

    pub fn get(&self, name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
        use safetensors::Dtype;
        let file = safetensors::SafeTensors::deserialize(&self.0).unwrap();
        let tensor = file.tensor(name).ok()?;
        let bytes = tensor.data();
        let values = match tensor.dtype() {
            Dtype::F64 => bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::F32 => bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
            Dtype::I64 => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
            other => panic!("{name} is {other:?}"),
        };
        Some((tensor.shape().to_vec(), values))
    }

    pub fn tokens(&self, name: &str) -> Vec<i32> {
        self.get(name).unwrap().1.iter().map(|&token| token as i32).collect()
    }
}

/// |got − expected| ≤ absolute + relative · |expected|, everywhere.
pub fn close(what: &str, got: &[f32], expected: &[f64], absolute: f64, relative: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let off = (f64::from(got) - expected).abs();
        assert!(off <= absolute + relative * expected.abs(), "{what}[{at}]: {got}, not {expected}");
    }
}

/// The small model on texts, from the page's own files.
pub fn small(text: &Text, seed: u64) -> (TaskData, Texts) {
    pollster::block_on(lora_playground::task::text::small(text, seed, async |name: &str| {
        let path = format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"));
        Ok(std::fs::read(path).unwrap())
    }))
    .unwrap()
}
