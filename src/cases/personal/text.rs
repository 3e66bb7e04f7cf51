//! A personal text, cut into what is trained on, what chooses the step, and what is held out; and what a teacher may read beside it.
//! Knows nothing of training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files::broken;
use crate::lab::student::Reads;
use crate::lang::tr;
use crate::task::text::Tokenizer;

/// Bytes of a passage.
pub const PASSAGE: usize = 64;
/// Of a person's own text, in bytes: less cannot be cut in three, more is not read.
pub const LEAST: usize = 600;
pub const MOST: usize = 65_536;
/// What the base has read, whose bits tell what a student forgets.
pub const REMEMBERED: &str = "eng";
pub const FILE: &str = "lm/texts.json";

/// What a visitor trains on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Chosen {
    /// The beginning of a language's training text, so many bytes; held out is the language's own held-out text.
    Prepared { language: String, bytes: usize },
    /// Typed, pasted, or from a file; and the language whose public text the teacher reads, if any.
    Own { text: String, language: Option<String> },
}

impl Chosen {
    /// The language that a saved file says that it is of.
    pub fn language(&self) -> &str {
        match self {
            Self::Prepared { language, .. } => language,
            Self::Own { language, .. } => language.as_deref().unwrap_or(REMEMBERED),
        }
    }
}

/// A language's text, as the page's file has it.
#[derive(Clone, Debug, Deserialize)]
pub struct Both {
    train: String,
    held: String,
}

/// All of them, by code.
pub type All = BTreeMap<String, Both>;

/// # Errors
/// `Error::File` where it is no such file.
pub fn read(file: &[u8]) -> Result<All> {
    serde_json::from_slice(file).map_err(|error| broken(FILE, tr!("is not understood: {error}", error)))
}

/// Tokens of each part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    pub own: Vec<u32>,
    /// Chooses the step at which a student is kept.
    pub chooses: Vec<u32>,
    pub held: Vec<u32>,
    /// Of the same language, and none of the three above but what a prepared own text is the beginning of.
    pub public: Vec<u32>,
    pub remembered: Vec<u32>,
}

impl Parts {
    /// # Errors
    /// `Error::Data` for a text that is too short; `Error::File` for a language that is not there.
    pub fn of(chosen: &Chosen, all: &All) -> Result<Self> {
        let find = |code: &str| all.get(code).ok_or_else(|| broken(FILE, tr!("has no text in \"{code}\"", code)));
        let encode = |text: &str| Tokenizer::Bytes.encode(text);
        let remembered = encode(&find(REMEMBERED)?.held);
        let (text, held, public) = match chosen {
            Chosen::Prepared { language, bytes } => {
                let both = find(language)?;
                let train = encode(&both.train);
                (train[..train.len().min(*bytes)].to_vec(), encode(&both.held), train)
            }
            Chosen::Own { text, language } => {
                let public = language.as_deref().map(find).transpose()?;
                let tokens = encode(text);
                if tokens.len() < LEAST {
                    let expected = tr!("at least {LEAST} bytes, to be cut into three parts; type or paste more", LEAST);
                    return Err(Error::Data { what: tr!("your text"), expected, got: tokens.len().to_string() });
                }
                let read = &tokens[..tokens.len().min(MOST)];
                let (text, held) = read.split_at(read.len() - read.len() / 4);
                (text.to_vec(), held.to_vec(), public.map_or_else(Vec::new, |both| encode(&both.train)))
            }
        };
        let (own, chooses) = text.split_at(text.len() - (text.len() / 4).max(PASSAGE));
        Ok(Self { own: own.to_vec(), chooses: chooses.to_vec(), held, public, remembered })
    }

    /// What the teacher reads: the public text, and the own one where it is not of it.
    pub fn taught(&self) -> Vec<Reads<'_>> {
        let read = |tokens| Reads { tokens, labelled: true };
        match (self.public.is_empty(), self.public.starts_with(&self.own)) {
            (true, _) => vec![read(&self.own)],
            (_, true) => vec![read(&self.public)],
            _ => vec![read(&self.own), read(&self.public)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> All {
        read(include_bytes!("../../../www/data/lm/texts.json")).unwrap()
    }

    #[test]
    fn a_prepared_text_is_the_prototypes() {
        let chosen = Chosen::Prepared { language: "deu_1996".into(), bytes: 2048 };
        let parts = Parts::of(&chosen, &all()).unwrap();
        assert_eq!((parts.own.len(), parts.chooses.len()), (1536, 512));
        assert!(parts.public.len() > 8_000 && parts.public[1536..].starts_with(&parts.chooses));
        assert_eq!(parts.taught().len(), 1);
        assert!(parts.held.len() > 1_000 && !parts.remembered.is_empty());
    }

    #[test]
    fn an_own_text_is_cut_in_three_and_nothing_is_in_two() {
        let text: String = (0..400).map(|i| format!("{i} ")).collect();
        let own = Chosen::Own { text: text.clone(), language: None };
        let parts = Parts::of(&own, &all()).unwrap();
        let joined: Vec<u32> = [&parts.own[..], &parts.chooses, &parts.held].concat();
        assert_eq!(joined, text.bytes().map(u32::from).collect::<Vec<_>>());
        assert!(parts.public.is_empty() && parts.taught().len() == 1);
        let beside = Chosen::Own { text, language: Some("swh".into()) };
        assert_eq!(Parts::of(&beside, &all()).unwrap().taught().len(), 2);
    }

    #[test]
    fn a_short_text_and_an_unknown_language_are_named() {
        let short = Chosen::Own { text: "Hello".into(), language: None };
        let message = Parts::of(&short, &all()).unwrap_err().to_string();
        assert!(message.contains("your text") && message.contains("600") && message.contains('5'), "{message}");
        let none = Chosen::Prepared { language: "xyz".into(), bytes: 2048 };
        assert!(Parts::of(&none, &all()).unwrap_err().to_string().contains("xyz"));
        // The least there may be is enough for each part's passages.
        let least = Parts::of(&Chosen::Own { text: "a".repeat(LEAST), language: None }, &all()).unwrap();
        assert!(least.own.len() > PASSAGE && least.chooses.len() >= PASSAGE && least.held.len() >= PASSAGE);
    }
}
