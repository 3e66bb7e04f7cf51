//! Byte-pair encoding (Sennrich et al., arXiv 1508.07909) as Hugging Face's `tokenizers` has it: pieces of text to tokens.
//! Knows no file.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::Encoding;
use super::cut::{Cutter, Normalizer, Piece};

/// What `tokenizer.json` describes.
#[derive(Debug, Default)]
pub struct Bpe {
    /// Tokens found in the text before anything else is done with it, the longest first.
    pub added: Vec<(String, u32)>,
    pub normalizers: Vec<Normalizer>,
    pub cutters: Vec<Cutter>,
    pub vocabulary: HashMap<String, u32>,
    /// Which token two tokens in a row make, and how early they do.
    pub merges: HashMap<(u32, u32), Merge>,
    /// By token: its bytes of UTF-8.
    pub bytes: Vec<Vec<u8>>,
    /// What stands for characters that are not in the vocabulary.
    pub unknown: Option<u32>,
    /// Several of them in a row are one.
    pub fuse_unknown: bool,
    /// They are written as the tokens `<0x00>` … `<0xFF>` of their bytes.
    pub byte_fallback: bool,
    /// A whole piece that is in the vocabulary is that token, whatever its merges.
    pub ignore_merges: bool,
    pub begin: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Merge {
    /// The lower, the earlier.
    pub rank: u32,
    pub token: u32,
}

/// A token of a piece, in a list that shrinks as its neighbours are merged into it.
#[derive(Clone, Copy)]
struct Symbol {
    token: u32,
    before: Option<usize>,
    after: Option<usize>,
    /// It is part of the one before it.
    gone: bool,
}

impl Encoding for Bpe {
    fn bytes_of(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    fn last(&self) -> u32 {
        self.bytes.len().saturating_sub(1) as u32
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let (mut rest, mut first) = (text, true);
        while !rest.is_empty() {
            let found = self.next_added(rest);
            let (at, len) = found.map_or((rest.len(), 0), |(at, content, _)| (at, content.len()));
            if at > 0 {
                let plain = self.normalizers.iter().fold(rest[..at].to_owned(), |text, step| step.apply(text));
                let whole = vec![Piece { text: plain, first }];
                let pieces = self.cutters.iter().fold(whole, |pieces, cutter| cutter.apply(pieces));
                pieces.iter().for_each(|piece| self.merge(&piece.text, &mut tokens));
            }
            tokens.extend(found.map(|(_, _, token)| token));
            (rest, first) = (&rest[at + len..], false);
        }
        tokens
    }

    fn begin(&self) -> u32 {
        self.begin
    }
}

impl Bpe {
    /// The first added token in the text; of several at one place, the longest.
    fn next_added(&self, text: &str) -> Option<(usize, &str, u32)> {
        let found =
            self.added.iter().filter_map(|(content, token)| Some((text.find(content)?, content.as_str(), *token)));
        found.min_by_key(|&(at, content, _)| (at, Reverse(content.len())))
    }

    /// A piece's tokens: its characters, merged in the order of the merges' ranks, the leftmost first.
    fn merge(&self, piece: &str, out: &mut Vec<u32>) {
        if self.ignore_merges
            && let Some(&token) = self.vocabulary.get(piece)
        {
            out.push(token);
            return;
        }
        let mut symbols: Vec<Symbol> = self.characters(piece).into_iter().map(Symbol::new).collect();
        let count = symbols.len();
        for (at, symbol) in symbols.iter_mut().enumerate() {
            symbol.before = at.checked_sub(1);
            symbol.after = Some(at + 1).filter(|&after| after < count);
        }
        // The rank first, then the place; what a merge has changed since is passed over.
        let mut queue: BinaryHeap<Reverse<(Merge, usize)>> =
            (0..count).filter_map(|at| self.pair(&symbols, at).map(|merge| Reverse((merge, at)))).collect();
        while let Some(Reverse((merge, at))) = queue.pop() {
            if symbols[at].gone || self.pair(&symbols, at) != Some(merge) {
                continue;
            }
            let Some(after) = symbols[at].after else { continue };
            symbols[after].gone = true;
            symbols[at].token = merge.token;
            symbols[at].after = symbols[after].after;
            if let Some(next) = symbols[at].after {
                symbols[next].before = Some(at);
            }
            let changed = [symbols[at].before, Some(at)];
            queue.extend(changed.into_iter().flatten().filter_map(|at| Some(Reverse((self.pair(&symbols, at)?, at)))));
        }
        out.extend(symbols.iter().filter(|symbol| !symbol.gone).map(|symbol| symbol.token));
    }

    fn pair(&self, symbols: &[Symbol], at: usize) -> Option<Merge> {
        let after = symbols[at].after?;
        self.merges.get(&(symbols[at].token, symbols[after].token)).copied()
    }

    fn characters(&self, piece: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut last_unknown = false;
        for (at, character) in piece.char_indices() {
            let text = &piece[at..at + character.len_utf8()];
            let mut unknown = false;
            if let Some(&token) = self.vocabulary.get(text) {
                tokens.push(token);
            } else if let Some(bytes) = self.bytes_as_tokens(text) {
                tokens.extend(bytes);
            } else if let Some(token) = self.unknown {
                unknown = true;
                if !(last_unknown && self.fuse_unknown) {
                    tokens.push(token);
                }
            }
            last_unknown = unknown;
        }
        tokens
    }

    fn bytes_as_tokens(&self, text: &str) -> Option<Vec<u32>> {
        let token = |byte: u8| self.vocabulary.get(&format!("<0x{byte:02X}>")).copied();
        if self.byte_fallback { text.bytes().map(token).collect() } else { None }
    }
}

impl Symbol {
    fn new(token: u32) -> Self {
        Self { token, before: None, after: None, gone: false }
    }
}
