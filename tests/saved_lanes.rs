//! Lanes saved as PEFT's files and opened as anybody's.
#![cfg(not(target_arch = "wasm32"))]

#[path = "common/lanes_saved.rs"]
mod lanes_saved;

use lora_playground::files::{Checkpoint, Memory};
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
