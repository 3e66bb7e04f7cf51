//! The small model that comes with the page: bytes for tokens, its files and its texts. Knows neither where files lie nor
//! how they are read.

use super::config::ModelConfig;
use super::model::Model;
use super::passages::{Texts, on_texts};
use crate::args::Text;
use crate::error::Result;
use crate::files::{Checkpoint, Memory, broken};
use crate::task::TaskData;

/// Folder of the files, beside the other data.
const FOLDER: &str = "lm";
const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";

/// Reads model and texts; `file` gives the bytes of a file by its name under `data/`.
///
/// # Errors
/// Those of `file`, and of what the files hold.
pub async fn small(
    text: &Text,
    seed: u64,
    mut file: impl AsyncFnMut(&str) -> Result<Vec<u8>>,
) -> Result<(TaskData, Texts)> {
    let config = file(&format!("{FOLDER}/{CONFIG}")).await?;
    let config = serde_json::from_slice(&config).map_err(|error| broken(CONFIG, format!("is no JSON: {error}")))?;
    let config = ModelConfig::from_value(&config)?;
    let weights = file(&format!("{FOLDER}/{WEIGHTS}")).await?;
    let weights = Checkpoint::open(vec![Memory::new(WEIGHTS, weights)]).await?;
    let positions = config.positions;
    let model = Model::read(config, &weights, positions).await?;
    let mut texts = Texts::default();
    for code in &text.languages {
        for (part, into) in [("train", &mut texts.train), ("held", &mut texts.held)] {
            let bytes = file(&format!("{FOLDER}/{code}.{part}.txt")).await?;
            into.push((code.clone(), tokens(&bytes)));
        }
    }
    Ok((on_texts(model, text, &texts, seed)?, texts))
}

/// Bytes as the small model's tokens.
pub fn tokens(text: &[u8]) -> Vec<u32> {
    text.iter().map(|&byte| byte.into()).collect()
}
