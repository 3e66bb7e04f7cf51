//! Every reference trajectory from PyTorch, on both backends.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{cases, device, follow};

#[test]
fn cpu_follows_pytorch() {
    for case in cases() {
        pollster::block_on(follow(&case, None));
    }
}

#[test]
fn gpu_follows_pytorch() {
    let mut held = Some(device());
    for case in cases() {
        held = pollster::block_on(follow(&case, held.take()));
    }
}
