//! Adapters as people have them: a folder opened, and what becomes of it held against what is written beside it.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::path::{Path, PathBuf};

use lora_playground::error::Result;
use lora_playground::files::{Checkpoint, Memory};
use lora_playground::peft::draft::Draft;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::merge::{Merge, Merged};
use lora_playground::peft::overview::{Overview, overview};
use lora_playground::peft::{Adapter, Loaded};
use pollster::block_on;

/// The merged weights, the report, what was left out and what was said.
type Written = (Checkpoint<Memory>, Merged, Vec<String>, Vec<String>);

/// A folder, opened.
pub struct Case {
    pub adapter: Adapter<Memory>,
    pub base: Option<Checkpoint<Memory>>,
    folder: PathBuf,
}

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    std::fs::read(folder.join(name)).ok()
}

fn tensors(folder: &Path, name: &str) -> Option<Checkpoint<Memory>> {
    let bytes = read(folder, name)?;
    Some(block_on(Checkpoint::open(vec![Memory::new(name, bytes)])).unwrap())
}

impl Case {
    pub fn of(folder: &Path) -> Result<Self> {
        let source = Memory::new("adapter_model.safetensors", read(folder, "adapter_model.safetensors").unwrap());
        let config = read(folder, "adapter_config.json");
        let mut adapter = block_on(Adapter::open(source, config.as_deref()))?;
        let base = tensors(folder, "base.safetensors");
        base.iter().for_each(|base| adapter.take_shapes(base));
        Ok(Self { adapter, base, folder: folder.to_owned() })
    }

    pub fn row(&self, name: &str) -> Overview {
        let at = (0..self.adapter.targets()).find(|&at| self.adapter.target(at).unwrap().name() == name);
        let at = at.unwrap_or_else(|| panic!("no {name}: {:?}", self.names()));
        block_on(overview(&self.adapter, self.base.as_ref(), at)).unwrap().unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        (0..self.adapter.targets()).map(|at| self.adapter.target(at).unwrap().name().to_owned()).collect()
    }

    /// Every change is the one that is expected, and of the modules that are shown none is without.
    pub fn has_changes(&self) {
        let expected = tensors(&self.folder, "expected_change.safetensors").unwrap();
        for info in expected.tensors() {
            let module = self.adapter.find(&info.name).unwrap_or_else(|| panic!("{}: {:?}", info.name, self.names()));
            let loaded = block_on(Loaded::module(&self.adapter, &self.adapter.modules[module], self.base.as_ref()));
            let loaded = loaded.unwrap();
            let got = block_on(loaded.change_rows(0..loaded.rows)).unwrap().unwrap();
            let expected = block_on(expected.read(&info.name)).unwrap().values;
            assert_eq!(got.len(), expected.len(), "{}", info.name);
            let far = |(g, e): (&f64, &f32)| (g - f64::from(*e)).abs() > 1e-6 + 1e-5 * f64::from(e.abs());
            assert_eq!(got.iter().zip(&expected).position(far), None, "{}", info.name);
        }
    }

    pub fn merge(&self) -> Result<Written> {
        let base = self.base.as_ref().unwrap();
        let merge = Merge::new(&self.adapter, base)?;
        let mut out = Vec::new();
        let report = block_on(merge.write(0, &mut out, &mut |_| true))?;
        safetensors::SafeTensors::deserialize(&out).unwrap();
        let written = block_on(Checkpoint::open(vec![Memory::new("merged", out)]))?;
        assert_eq!(report.changed, merge.will_change().len());
        Ok((written, report, merge.left_out, merge.notes))
    }

    /// The merged model is the one that is expected, all else as it was, and proved so; what was left out and noted.
    pub fn merges(&self) -> (Vec<String>, Vec<String>) {
        let expected = tensors(&self.folder, "expected_merged.safetensors").unwrap();
        let (written, report, left_out, notes) = self.merge().unwrap();
        let base = self.base.as_ref().unwrap();
        assert!(report.proven.largest < 1e-5 && !report.proven.at.is_empty(), "{:?}", report.proven);
        for info in written.tensors() {
            let from = if expected.find(&info.name).is_some() { &expected } else { base };
            let wanted = block_on(from.read(&info.name)).unwrap();
            let got = block_on(written.read(&info.name)).unwrap();
            assert_eq!(got.shape, wanted.shape, "{}", info.name);
            let far = |(g, e): (&f32, &f32)| (g - e).abs() > 1e-6 + 1e-5 * e.abs();
            assert_eq!(got.values.iter().zip(&wanted.values).position(far), None, "{}", info.name);
        }
        let lost = |info: &&_| {
            let info: &lora_playground::files::TensorInfo = info;
            written.find(&info.name).is_none()
        };
        assert_eq!(expected.tensors().chain(base.tensors()).find(lost).map(|i| &i.name), None);
        (left_out, notes)
    }

    /// Why nothing is merged.
    pub fn refuses(&self) -> String {
        self.merge().err().map_or_else(|| panic!("merged"), |error| error.to_string())
    }

    pub fn saved(&self, change: &Edit) -> Saved {
        let draft = edit(&self.adapter, change).unwrap();
        Saved::of(&draft)
    }
}

/// An adapter that was written, opened again.
pub struct Saved {
    pub adapter: Adapter<Memory>,
    pub config: Option<serde_json::Value>,
    pub left_out: Vec<String>,
}

impl Saved {
    pub fn of(draft: &Draft<Memory>) -> Self {
        let mut bytes = Vec::new();
        block_on(draft.write(&mut bytes, &mut |_| true)).unwrap();
        let config = draft.config();
        let source = Memory::new("saved", bytes);
        let adapter = block_on(Adapter::open(source, config.as_deref().map(str::as_bytes))).unwrap();
        let config = config.map(|text| serde_json::from_str(&text).unwrap());
        Self { adapter, config, left_out: draft.left_out.clone() }
    }

    pub fn keys(&self) -> Vec<&str> {
        self.adapter.file.tensors().map(|info| info.name.as_str()).collect()
    }
}
