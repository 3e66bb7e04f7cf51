//! PEFT's reference cases, as files.

use std::fs;
use std::path::PathBuf;

pub const CASES: [&str; 10] = [
    "gpt2_conv1d",
    "llama_adalora",
    "llama_dora",
    "llama_embedding_and_saved_head",
    "llama_lora",
    "llama_lora_bf16",
    "llama_lora_bias",
    "llama_rslora_patterns_f16",
    "llama_vera",
    "llama_vera_shapes",
];

pub fn file(case: &str, name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peft").join(case).join(name);
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
