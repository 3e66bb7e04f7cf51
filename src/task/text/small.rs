//! The small model that comes with the page: bytes for tokens, its files and its texts. Knows neither where files lie nor
//! how they are read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::ModelConfig;
use super::model::Model;
use super::passages::{Texts, on_texts};
use super::tokenizer::Tokenizer;
use crate::args::Text;
use crate::error::Result;
use crate::files::{Checkpoint, Memory, broken};
use crate::lang::tr;
use crate::task::TaskData;

/// Folder of the files, beside the other data.
const FOLDER: &str = "lm";
const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";
const TEXTS: &str = "texts.json";

/// A language's text: what is trained on, and the last quarter, which is not.
#[derive(Deserialize)]
struct Both {
    train: String,
    held: String,
    /// Bytes of `train` compressed by DEFLATE at its highest level.
    deflated: usize,
}

/// Reads the model alone; `file` gives the bytes of a file by its name under `data/`.
///
/// # Errors
/// Those of `file`, and of what the files hold.
pub async fn small_model(mut file: impl AsyncFnMut(&str) -> Result<Vec<u8>>) -> Result<Model> {
    let config = file(&format!("{FOLDER}/{CONFIG}")).await?;
    let config = serde_json::from_slice(&config).map_err(|error| broken(CONFIG, tr!("is no JSON: {error}", error)))?;
    let config = ModelConfig::from_value(&config)?;
    let weights = file(&format!("{FOLDER}/{WEIGHTS}")).await?;
    let weights = Checkpoint::open(vec![Memory::new(WEIGHTS, weights)]).await?;
    let positions = config.positions;
    Model::read(config, &weights, positions, async |_| Ok(())).await
}

/// Reads model and texts; `file` gives the bytes of a file by its name under `data/`.
///
/// # Errors
/// Those of `file`, and of what the files hold.
pub async fn small(
    text: &Text,
    seed: u64,
    mut file: impl AsyncFnMut(&str) -> Result<Vec<u8>>,
) -> Result<(TaskData, Texts)> {
    let model = small_model(&mut file).await?;
    let all = file(&format!("{FOLDER}/{TEXTS}")).await?;
    let all: BTreeMap<String, Both> =
        serde_json::from_slice(&all).map_err(|error| broken(TEXTS, tr!("is not understood: {error}", error)))?;
    let mut texts = Texts::default();
    for code in &text.languages {
        let both = all.get(code).ok_or_else(|| broken(TEXTS, tr!("has no text in \"{code}\"", code)))?;
        texts.compressed.insert(code.clone(), 8.0 * both.deflated as f32 / both.train.len() as f32);
        texts.train.push((code.clone(), Tokenizer::Bytes.encode(&both.train)));
    }
    // Held out are all languages: any of them can be looked at.
    texts.held = all.into_iter().map(|(code, both)| (code, Tokenizer::Bytes.encode(&both.held))).collect();
    Ok((on_texts(model, text, &texts, seed)?, texts))
}
