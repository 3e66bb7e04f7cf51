//! Files handed over, told apart: adapters with their configurations, the base's parts and its index. Nothing but
//! headers is read. Knows nothing of what is done with them.

use wasm_bindgen::JsValue;

use crate::error::Result;
use crate::files::blob::File;
use crate::files::{Checkpoint, Source, folder};
use crate::lang::tr;
use crate::peft::Adapter;
use crate::peft::adapter::is_part;
use crate::peft::overview::outline;
use crate::studio::adapters::sorting::{Role, beside, role, title};
use crate::studio::adapters::wire::{Base, Id, Listed};

/// Longest configuration or index that is read.
const LONGEST_TEXT: u64 = 64 << 20;

/// What the files turned out to be.
#[derive(Default)]
pub struct Found {
    pub adapters: Vec<(String, Adapter<File>)>,
    pub base: Option<Checkpoint<File>>,
    pub refused: Vec<String>,
    pub passed_over: Vec<String>,
}

/// Each file that can be opened is; one that cannot says why and harms no other.
pub async fn open(files: Vec<(String, JsValue)>) -> Found {
    let mut found = Found::default();
    let (mut tensors, mut configs, mut index) = (Vec::new(), Vec::new(), None);
    for (path, value) in files {
        let file = match File::new(&path, &value) {
            Ok(file) => file,
            Err(error) => {
                found.refused.push(error.to_string());
                continue;
            }
        };
        match role(&path) {
            Role::Tensors => tensors.push((path, file)),
            Role::Config => configs.push((path, file)),
            Role::Index => index = Some(file),
            Role::Pickle => found.refused.push(tr!(
                "{path}: is one of PyTorch's pickles, which can run code when opened; save it as .safetensors",
                path
            )),
            Role::Other => found.passed_over.push(path),
        }
    }
    let mut parts = Vec::new();
    let mut adapters = Vec::new();
    for (path, file) in tensors {
        match is_adapter(file.clone()).await {
            Ok(true) => adapters.push((path, file)),
            Ok(false) => parts.push(file),
            Err(error) => found.refused.push(error.to_string()),
        }
    }
    let alone = adapters.len() == 1;
    for (path, file) in adapters {
        let config =
            beside(&path, configs.iter().map(|(path, _)| path.as_str()), alone).map(|at| configs[at].1.clone());
        match opened(file, config).await {
            Ok(adapter) => found.adapters.push((title(&path), adapter)),
            Err(error) => found.refused.push(in_folder(&path, &error.to_string())),
        }
    }
    if found.adapters.is_empty() && alone_configs(&configs, &found) {
        found.refused.extend(configs.iter().map(|(path, _)| {
            tr!(
                "{path}: says how an adapter is made, but not its numbers; open adapter_model.safetensors with it",
                path
            )
        }));
    }
    match base(parts, index).await {
        Ok(base) => found.base = base,
        Err(error) => found.refused.push(error.to_string()),
    }
    found
}

/// Configurations came without any adapter, not even one that could not be opened.
fn alone_configs(configs: &[(String, File)], found: &Found) -> bool {
    !configs.is_empty() && found.refused.is_empty()
}

/// The same message for files of one name in several folders would not say which.
fn in_folder(path: &str, error: &str) -> String {
    if folder(path).is_empty() { error.to_owned() } else { format!("{}: {error}", folder(path)) }
}

async fn is_adapter(file: File) -> Result<bool> {
    let header = Checkpoint::open(vec![file]).await?;
    let tensors = header.tensors().count();
    let parts = header.tensors().filter(|info| is_part(&info.name));
    // A file of none is an adapter without content rather than a model, and is told so.
    Ok(parts.count() > 0 || tensors == 0)
}

async fn opened(file: File, config: Option<File>) -> Result<Adapter<File>> {
    let config = match config {
        Some(config) => Some(config.text(LONGEST_TEXT).await?),
        None => None,
    };
    Adapter::open(file, config.as_deref()).await
}

async fn base(parts: Vec<File>, index: Option<File>) -> Result<Option<Checkpoint<File>>> {
    match index {
        _ if parts.is_empty() => Ok(None),
        Some(index) => Checkpoint::open_sharded(&index.text(LONGEST_TEXT).await?, parts).await.map(Some),
        None => Checkpoint::open(parts).await.map(Some),
    }
}

pub fn listed(id: Id, name: String, adapter: &Adapter<File>) -> Listed {
    Listed {
        id,
        name,
        rows: (0..adapter.targets()).filter_map(|at| outline(adapter, at)).collect(),
        not_understood: adapter.not_understood.clone(),
        said: adapter.remarks().into_iter().filter(|what| !adapter.not_understood.contains(what)).collect(),
        base_name: adapter
            .config
            .as_ref()
            .and_then(|config| config.raw.get("base_model_name_or_path")?.as_str().map(str::to_owned)),
        bytes: adapter.file.shards.iter().map(|shard| shard.source.size() as f64).sum(),
        has_config: adapter.config.is_some(),
    }
}

pub fn described(base: &Checkpoint<File>) -> Base {
    Base {
        name: base.file(),
        files: base.shards.len(),
        bytes: base.shards.iter().map(|shard| shard.source.size() as f64).sum(),
        tensors: base.tensors().count(),
        dtype: base.dtype().map(|dtype| dtype.name().to_owned()),
    }
}

/// Why files that were handed over opened nothing.
pub fn nothing(passed_over: &[String]) -> String {
    match passed_over {
        [] => tr!("There were no files in it. Choose adapter_model.safetensors, and adapter_config.json with it."),
        [one] => tr!("{one} is no part of an adapter that is known here; choose adapter_model.safetensors.", one),
        [first, ..] => tr!(
            "None of these {} files ({first}, …) holds an adapter; choose adapter_model.safetensors.",
            passed_over.len(),
            first
        ),
    }
}
