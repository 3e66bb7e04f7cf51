//! Every reference trajectory from PyTorch, on both backends.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{cases, device, follow};
use lora_playground::exec::gpu::{IN_SOFTWARE, ON_GPU};

#[test]
fn cpu_follows_pytorch() {
    for case in cases() {
        pollster::block_on(follow(&case, None));
    }
}

/// With the workgroups of software and those of GPUs.
#[test]
fn gpu_follows_pytorch() {
    for workgroups in [IN_SOFTWARE, ON_GPU] {
        let mut held = Some(device().with_workgroups(workgroups));
        for case in cases() {
            held = pollster::block_on(follow(&case, held.take()));
        }
    }
}
