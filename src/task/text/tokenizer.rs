//! Text to tokens and back. Bytes are the small model's tokens; other models bring a `tokenizer.json`, of which byte-pair
//! encodings are read. Knows no model.

mod bpe;
mod cut;
mod read;
mod unicode;

use std::fmt::Debug;
use std::rc::Rc;

use crate::error::Result;

/// What a `tokenizer.json` may describe. A trait, so that a page that reads none carries none of its code.
trait Encoding: Debug {
    fn encode(&self, text: &str) -> Vec<u32>;
    fn bytes_of(&self, token: u32) -> &[u8];
    fn begin(&self) -> u32;
    fn last(&self) -> u32;
}

/// How a model cuts text into tokens.
#[derive(Clone, Debug)]
pub enum Tokenizer {
    /// A token is a byte of UTF-8.
    Bytes,
    Read(FromFile),
}

/// An encoding that was read from a file.
#[derive(Clone, Debug)]
pub struct FromFile(Rc<dyn Encoding>);

impl Tokenizer {
    /// Reads a `tokenizer.json`, as Hugging Face's `tokenizers` writes it.
    ///
    /// # Errors
    /// `Error::File` naming what of it is not understood.
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        read::bpe(value).map(|bpe| Self::Read(FromFile(Rc::new(bpe))))
    }

    /// The text's tokens, without any that mark its beginning or end.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match self {
            Self::Bytes => text.bytes().map(u32::from).collect(),
            Self::Read(FromFile(encoding)) => encoding.encode(text),
        }
    }

    /// The bytes of UTF-8 that a token stands for; a character may be spread over several.
    pub fn bytes_of(&self, token: u32) -> Vec<u8> {
        match self {
            Self::Bytes => vec![token as u8],
            Self::Read(FromFile(encoding)) => encoding.bytes_of(token).to_vec(),
        }
    }

    /// The token that a passage begins with: the one that `tokenizer.json` puts before every text, or token 0.
    pub fn begin(&self) -> u32 {
        match self {
            Self::Bytes => 0,
            Self::Read(FromFile(encoding)) => encoding.begin(),
        }
    }

    /// The largest token.
    pub fn last(&self) -> u32 {
        match self {
            Self::Bytes => 255,
            Self::Read(FromFile(encoding)) => encoding.last(),
        }
    }
}
