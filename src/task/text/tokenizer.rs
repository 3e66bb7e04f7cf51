//! Text to tokens and back. Bytes are the small model's tokens; others come with a `tokenizer.json`. Knows no model.

use crate::error::{Error, Result};

/// How a model cuts text into tokens.
#[derive(Clone, Debug)]
pub enum Tokenizer {
    /// A token is a byte of UTF-8.
    Bytes,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// `Error::File` naming what of it is not understood.
    pub fn from_value(_: &serde_json::Value) -> Result<Self> {
        Err(Error::File {
            file: "tokenizer.json".into(),
            problem: "cannot be read yet; give tokens (shape, x, y) in place of texts".into(),
        })
    }

    pub fn encode(&self, text: &str) -> Vec<u32> {
        text.bytes().map(u32::from).collect()
    }

    /// The bytes of UTF-8 that a token stands for; a character may be spread over several.
    pub fn bytes_of(&self, token: u32) -> Vec<u8> {
        vec![token as u8]
    }
}
