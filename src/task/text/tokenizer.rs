//! Text to tokens and back. Bytes are the small model's tokens; other models bring a `tokenizer.json`, of which byte-pair
//! encodings are read. Knows no model.

mod bpe;
mod cut;
mod read;
mod unicode;

use std::rc::Rc;

use crate::error::Result;

/// How a model cuts text into tokens.
#[derive(Clone, Debug)]
pub enum Tokenizer {
    /// A token is a byte of UTF-8.
    Bytes,
    Bpe(Rc<bpe::Bpe>),
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, as Hugging Face's `tokenizers` writes it.
    ///
    /// # Errors
    /// `Error::File` naming what of it is not understood.
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        read::bpe(value).map(|bpe| Self::Bpe(Rc::new(bpe)))
    }

    /// The text's tokens, without any that mark its beginning or end.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match self {
            Self::Bytes => text.bytes().map(u32::from).collect(),
            Self::Bpe(bpe) => bpe.encode(text),
        }
    }

    /// The bytes of UTF-8 that a token stands for; a character may be spread over several.
    pub fn bytes_of(&self, token: u32) -> Vec<u8> {
        match self {
            Self::Bytes => vec![token as u8],
            Self::Bpe(bpe) => bpe.bytes_of(token).to_vec(),
        }
    }

    /// The token that a passage begins with: the one that `tokenizer.json` puts before every text, or token 0.
    pub fn begin(&self) -> u32 {
        match self {
            Self::Bytes => 0,
            Self::Bpe(bpe) => bpe.begin,
        }
    }

    /// The largest token.
    pub fn last(&self) -> u32 {
        match self {
            Self::Bytes => 255,
            Self::Bpe(bpe) => bpe.last(),
        }
    }
}
