//! What a file is by its path, and which configuration belongs to which adapter. Knows nothing of what is in them.

use crate::files::folder;

/// What a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Tensors,
    Config,
    Index,
    /// Another format of the same, which is not read.
    Pickle,
    Other,
}

pub fn role(path: &str) -> Role {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    // What llama.cpp's files are, their first bytes say.
    if ends(&[".safetensors", ".gguf"]) {
        Role::Tensors
    } else if name.ends_with(".json") && name.starts_with("adapter_config") {
        Role::Config
    } else if name.ends_with(".json") && name.contains("safetensors.index") {
        Role::Index
    } else if ends(&[".bin", ".pt", ".pth", ".ckpt"]) && !name.starts_with("training_args") && !is_state(&name) {
        Role::Pickle
    } else {
        Role::Other
    }
}

/// Of a training run that was broken off; nobody means to open it.
fn is_state(name: &str) -> bool {
    ["optimizer", "scheduler", "rng_state", "scaler"].iter().any(|state| name.starts_with(state))
}

/// The configuration of the same folder; or the only one, where there is only one adapter too.
pub fn beside<'a>(path: &str, configs: impl Iterator<Item = &'a str>, alone: bool) -> Option<usize> {
    let configs: Vec<&str> = configs.collect();
    let same = configs.iter().position(|config| folder(config) == folder(path));
    same.or((alone && configs.len() == 1).then_some(0))
}

/// What an adapter is called: its folder, where its own name says nothing.
pub fn title(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = folder(path).rsplit('/').next().unwrap_or_default();
    match (name.to_ascii_lowercase().starts_with("adapter_model"), folder) {
        (true, "") => "adapter".into(),
        (true, folder) => folder.to_owned(),
        (false, _) => name.strip_suffix(".safetensors").unwrap_or(name).to_owned(),
    }
}
