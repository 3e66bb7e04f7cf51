//! PEFT's reference cases, opened, and everything the product writes from them.

use lora_playground::error::Result;
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::peft::Adapter;
use lora_playground::peft::combine::{Combination, combine};
use lora_playground::peft::draft::Draft;
use lora_playground::peft::edit::{Edit, edit};
use lora_playground::peft::keys::Part;
use lora_playground::peft::merge::Merge;
use pollster::block_on;

use crate::cases::{CASES, file};

pub fn memory(case: &str, name: &str) -> Memory {
    Memory::new(name, file(case, name))
}

pub fn adapter(case: &str) -> Adapter<Memory> {
    let mut adapter = without_base(case).unwrap();
    adapter.take_shapes(&checkpoint(case, "base/model.safetensors"));
    adapter
}

pub fn without_base(case: &str) -> Result<Adapter<Memory>> {
    let config = file(case, "adapter/adapter_config.json");
    block_on(Adapter::open(memory(case, "adapter/adapter_model.safetensors"), Some(&config)))
}

pub fn checkpoint(case: &str, name: &str) -> Checkpoint<Memory> {
    block_on(Checkpoint::open(vec![memory(case, name)])).unwrap()
}

/// An adapter as the product wrote it.
pub struct Written {
    pub case: &'static str,
    pub edit: &'static str,
    pub adapter: Vec<u8>,
    pub config: String,
}

impl Written {
    pub fn new(case: &'static str, edit: &'static str, draft: &Draft<Memory>) -> Self {
        let mut adapter = Vec::new();
        block_on(draft.write(&mut adapter, &mut |_| true)).unwrap();
        Self { case, edit, adapter, config: draft.config().unwrap() }
    }

    pub fn open(&self) -> Adapter<Memory> {
        let source = Memory::new("adapter_model.safetensors", self.adapter.clone());
        block_on(Adapter::open(source, Some(self.config.as_bytes()))).unwrap()
    }
}

pub fn merged(case: &str, adapter: &Adapter<Memory>) -> Vec<u8> {
    let base = checkpoint(case, "base/model.safetensors");
    let mut out = Vec::new();
    let merge = Merge::new(adapter, &base).unwrap();
    let report = block_on(merge.write(0, &mut out, &mut |_| true)).unwrap();
    assert!(report.not_finite.is_empty() && merge.left_out.is_empty());
    out
}

/// Every kind of edit of every case, and combinations of some.
pub fn everything() -> Vec<Written> {
    let mut out = Vec::new();
    for case in CASES {
        let adapter = adapter(case);
        let with = |name, change: Edit| Written::new(case, name, &edit(&adapter, &change).unwrap());
        out.push(with("as_it_is", Edit::default()));
        out.push(with("rank_2", Edit { rank: Some(2), ..Edit::default() }));
        out.push(with("half_the_scale", Edit { scale: 0.5, ..Edit::default() }));
        let first = adapter.modules.iter().find(|m| m.rank > 0 && !m.has(Part::StoredBase)).unwrap().name.clone();
        out.push(with("one_dropped", Edit { drop: vec![first], ..Edit::default() }));
        for (name, dtype) in [("f32", Dtype::F32), ("bf16", Dtype::Bf16), ("f16", Dtype::F16)] {
            out.push(with(name, Edit { dtype: Some(dtype), ..Edit::default() }));
        }
    }
    let [lora, all, embedding] = ["llama_lora", "llama_lora_bf16", "llama_embedding_and_saved_head"].map(adapter);
    let both = |name, other, how| {
        Written::new("llama_lora_bf16", name, &combine(&[(&all, 0.7), (other, -0.4)], how, Some(Dtype::F32)).unwrap())
    };
    out.push(both("cat_llama_lora", &lora, Combination::Cat));
    out.push(both("svd_llama_lora", &lora, Combination::Svd(Some(3))));
    out.push(both("linear_llama_embedding_and_saved_head", &embedding, Combination::Linear));
    out
}
