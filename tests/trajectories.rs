//! Every reference trajectory from PyTorch, on both backends.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{cases, follow, on};
use lora_playground::graph::Target;

#[test]
fn cpu_follows_pytorch() {
    for case in cases() {
        pollster::block_on(follow(&case, None));
    }
}

/// With the kernels for every target.
#[test]
fn gpu_follows_pytorch() {
    for target in Target::ALL {
        let mut held = Some(on(target));
        for case in cases() {
            held = pollster::block_on(follow(&case, held.take()));
        }
    }
}
