//! What is done to a text before its pieces become tokens: normalised, then cut. Knows no vocabulary.

use super::unicode::{self, Pattern};

/// The mark that stands for a space (SentencePiece).
pub const SPACE: char = '\u{2581}';
/// GPT-2's pattern, which `ByteLevel` cuts by unless told otherwise.
pub const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

#[derive(Debug)]
pub enum Normalizer {
    /// Unicode's form of that name, `NFC`, `NFD`, `NFKC` or `NFKD`.
    Unicode(String),
    Prepend(String),
    Replace {
        from: String,
        to: String,
    },
    Lowercase,
}

impl Normalizer {
    pub fn apply(&self, text: String) -> String {
        match self {
            Self::Unicode(form) => unicode::normalized(&text, form),
            Self::Prepend(_) if text.is_empty() => text,
            Self::Prepend(before) => format!("{before}{text}"),
            Self::Replace { from, to } => text.replace(from.as_str(), to),
            Self::Lowercase => unicode::lowercase(&text),
        }
    }
}

/// A part of the text.
#[derive(Debug)]
pub struct Piece {
    pub text: String,
    /// The text begins with it.
    pub first: bool,
}

#[derive(Debug)]
pub enum Cutter {
    /// Matches and what lies between them are pieces.
    Isolate(Pattern),
    /// A space before each piece that has none.
    PrefixSpace,
    /// Bytes as characters that can be seen.
    ByteLevel,
    /// Spaces as marks, one put before the text if it has none.
    Metaspace { prepend: Prepend, split: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepend {
    Always,
    First,
    Never,
}

impl Cutter {
    pub fn apply(&self, pieces: Vec<Piece>) -> Vec<Piece> {
        pieces.into_iter().filter(|piece| !piece.text.is_empty()).flat_map(|piece| self.cut(piece)).collect()
    }

    fn cut(&self, piece: Piece) -> Vec<Piece> {
        match self {
            Self::Isolate(pattern) => pieces(pattern.cut(&piece.text), piece.first),
            Self::PrefixSpace if piece.text.starts_with(' ') => vec![piece],
            Self::PrefixSpace => vec![Piece { text: format!(" {}", piece.text), first: piece.first }],
            Self::ByteLevel => vec![Piece { text: piece.text.bytes().map(shown).collect(), first: piece.first }],
            Self::Metaspace { prepend, split } => {
                let mut text = piece.text.replace(' ', &SPACE.to_string());
                let wanted = *prepend == Prepend::Always || *prepend == Prepend::First && piece.first;
                if wanted && !text.starts_with(SPACE) {
                    text.insert(0, SPACE);
                }
                let texts = if *split { before_each_space(&text) } else { vec![text] };
                pieces(texts, piece.first)
            }
        }
    }
}

fn pieces(texts: Vec<String>, first: bool) -> Vec<Piece> {
    texts.into_iter().enumerate().map(|(at, text)| Piece { text, first: first && at == 0 }).collect()
}

fn before_each_space(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for character in text.chars() {
        match out.last_mut() {
            Some(last) if character != SPACE => last.push(character),
            _ => out.push(character.into()),
        }
    }
    out
}

/// The character that stands for a byte in GPT-2's vocabularies: itself if Latin-1 shows it, else one from 256 on.
pub fn shown(byte: u8) -> char {
    let seen = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    if seen(byte) {
        return byte.into();
    }
    let unseen_before = (0..byte).filter(|&other| !seen(other)).count() as u32;
    char::from_u32(256 + unseen_before).unwrap_or(char::REPLACEMENT_CHARACTER)
}
