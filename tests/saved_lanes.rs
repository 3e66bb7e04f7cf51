//! Lanes saved as PEFT's files and opened as anybody's.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/lanes_saved.rs"]
mod lanes_saved;

use lora_playground::files::{Checkpoint, Memory};
use lora_playground::peft::overview::overview;
use lora_playground::peft::{Adapter, Loaded};
use pollster::block_on;

#[test]
fn a_saved_lane_makes_the_change_that_it_made() {
    for saved in lanes_saved::saved() {
        let source = Memory::new("adapter_model.safetensors", saved.files.adapter.clone());
        let mut adapter = block_on(Adapter::open(source, Some(saved.files.config.as_bytes()))).unwrap();
        let base = block_on(Checkpoint::open(vec![Memory::new("base.safetensors", saved.base.clone())])).unwrap();
        adapter.take_shapes(&base);
        assert_eq!((adapter.remarks(), adapter.modules.len()), (vec![], saved.changes.len()), "{}", saved.name);
        for (module, expected) in adapter.modules.iter().zip(&saved.changes) {
            let loaded = block_on(Loaded::module(&adapter, module, Some(&base))).unwrap();
            let got = block_on(loaded.change_rows(0..loaded.rows)).unwrap().unwrap();
            let size = expected.iter().fold(0.0f64, |most, v| v.abs().max(most));
            let gap = got.iter().zip(expected).fold(0.0f64, |most, (a, b)| (a - b).abs().max(most));
            assert_eq!(got.len(), expected.len());
            assert!(size > 1e-3 && gap < 1e-6 * size, "{} {}: {gap} of {size}", saved.name, module.name);
        }
    }
}

/// What its description says of the page's example: it changes every weight of the page's language model by a few per cent.
#[test]
fn the_example_changes_its_base_by_a_few_per_cent() {
    let data = |name: &str| std::fs::read(format!("{}/www/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let adapter = Memory::new("adapter", data("adapter/example/adapter_model.safetensors"));
    let config = data("adapter/example/adapter_config.json");
    let adapter = block_on(Adapter::open(adapter, Some(&config))).unwrap();
    let base = block_on(Checkpoint::open(vec![Memory::new("base", data("lm/model.safetensors"))])).unwrap();
    let row = |at| block_on(overview(&adapter, Some(&base), at)).unwrap();
    let ratios: Vec<f64> = (0..).map_while(row).map(|row| row.ratio().unwrap()).collect();
    assert_eq!(ratios.len(), 28);
    assert!(ratios.iter().all(|ratio| (0.02..0.07).contains(ratio)), "{ratios:?}");
}
