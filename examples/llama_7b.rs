//! How long an adapter of Llama-7B's dimensions takes: rank 16 on all seven projections of 32 layers, generated, its
//! overview made as the page makes it. `cargo run --release --example llama_7b`.

use std::error::Error;
use std::time::Instant;

use lora_playground::files::write::{Planned, Writer, pytorch};
use lora_playground::files::{Checkpoint, Dtype, Memory};
use lora_playground::peft::Adapter;
use lora_playground::peft::overview::{overview, totals};
use lora_playground::rng::Rng;
use pollster::block_on;

const RANK: usize = 16;
/// Name, inputs, outputs.
const PROJECTIONS: [(&str, usize, usize); 7] = [
    ("self_attn.q_proj", 4096, 4096),
    ("self_attn.k_proj", 4096, 4096),
    ("self_attn.v_proj", 4096, 4096),
    ("self_attn.o_proj", 4096, 4096),
    ("mlp.gate_proj", 4096, 11008),
    ("mlp.up_proj", 4096, 11008),
    ("mlp.down_proj", 11008, 4096),
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut plan = Vec::new();
    for layer in 0..32 {
        for (name, inputs, outputs) in PROJECTIONS {
            let module = format!("base_model.model.model.layers.{layer}.{name}");
            let tensor = |part, shape| Planned { name: format!("{module}.{part}.weight"), dtype: Dtype::F32, shape };
            plan.extend([tensor("lora_A", vec![RANK, inputs]), tensor("lora_B", vec![outputs, RANK])]);
        }
    }
    let mut bytes = Vec::new();
    let mut rng = Rng::new(1, 1);
    block_on(async {
        let mut writer = Writer::begin(&mut bytes, &plan, &pytorch()).await?;
        for tensor in &plan {
            let count = tensor.shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|_| rng.uniform(-0.02, 0.02) as f32).collect();
            writer.values(Dtype::F32, &values).await?;
        }
        writer.end()
    })?;
    println!("{} MB, {} tensors", bytes.len() >> 20, plan.len());
    let start = Instant::now();
    let config = br#"{"peft_type":"LORA","r":16,"lora_alpha":32}"#;
    let adapter = block_on(Adapter::open(Memory::new("adapter_model.safetensors", bytes), Some(config)))?;
    println!("opened in {:.3} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let mut table = Vec::new();
    for at in 0..adapter.targets() {
        table.extend(block_on(overview(&adapter, None::<&Checkpoint<Memory>>, at))?);
    }
    println!("overview of {} modules in {:.2} s: {:?}", table.len(), start.elapsed().as_secs_f64(), totals(&table));
    Ok(())
}
