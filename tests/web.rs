//! In the browser: WebGPU opens, and both backends follow PyTorch there and repeat themselves.
#![cfg(target_arch = "wasm32")]

mod common;

use common::{Case, follow};
use lora_playground::config::{BackendChoice, Config, Schedule, Task};
use lora_playground::lab::{Lab, open};
use lora_playground::task::domains;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

macro_rules! case {
    ($name:literal) => {
        Case::parse(
            $name,
            include_str!(concat!("fixtures/steps/", $name, ".json")),
            include_bytes!(concat!("fixtures/steps/", $name, ".safetensors")).to_vec(),
        )
    };
}

/// One for each method.
fn cases() -> [Case; 4] {
    [case!("full_ft"), case!("lora_r4"), case!("molora_n4_r2_top2_renorm_switch"), case!("mor1e_n4_pooled")]
}

#[wasm_bindgen_test]
async fn cpu_follows_pytorch() {
    for case in cases() {
        follow(&case, None).await;
    }
}

#[wasm_bindgen_test]
async fn webgpu_follows_pytorch() {
    let (mut device, _) = open(BackendChoice::WebGpu).await.unwrap();
    for case in cases() {
        device = follow(&case, device).await;
        assert!(device.is_some(), "{} did not run on WebGPU", case.name);
    }
}

/// All bits of the losses of the page's first view, for a few steps.
async fn bits(choice: BackendChoice) -> Vec<u64> {
    let config = Config { schedule: Schedule { warmup: 2, total: 12 }, ..Default::default() };
    let Task::Domains(task) = &config.task else { panic!("the page opens with domains") };
    let data = domains(task, config.seed.into()).unwrap();
    let mut lab = Lab::new(config, data, open(choice).await.unwrap().0).unwrap();
    lab.train(12).await.unwrap();
    let losses: Vec<f64> = (0..lab.lane_count()).flat_map(|lane| lab.losses(lane).to_vec()).collect();
    assert_eq!(losses.len(), 4 * 12);
    assert!(losses.iter().all(|loss| loss.is_finite()));
    losses.iter().map(|loss| loss.to_bits()).collect()
}

#[wasm_bindgen_test]
async fn the_same_link_is_the_same_run() {
    for choice in [BackendChoice::Cpu, BackendChoice::WebGpu] {
        assert_eq!(bits(choice).await, bits(choice).await);
    }
}
