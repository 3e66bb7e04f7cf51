//! What `cargo xtask languages` measured of the adapters that it trained: written there, and held by a test to what the adapters
//! give. Knows nothing of how it is shown.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files::broken;
use crate::lang::tr;

/// Measurements of as many adapters as there are languages; adapter i belongs to language i.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub settings: Settings,
    pub bytes: Bytes,
    /// The languages' codes.
    pub codes: Vec<String>,
    /// Some words of each language's held-out text.
    pub samples: Vec<String>,
    /// Bits per byte of held-out text, by language: the base's.
    pub base: Vec<f64>,
    /// The same under each adapter, `[adapter][language]`.
    pub bits: Vec<Vec<f64>>,
    /// Of English, which the base has read: the base's, and under each adapter.
    pub english: (f64, Vec<f64>),
    /// Between the adapters' changes ΔW.
    pub cosine: Vec<Vec<f64>>,
    /// How often the lowest bits per byte over a text's first bytes name its language.
    pub choice: Vec<Choice>,
}

/// How the adapters were trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// A lane as a link has it.
    pub lane: String,
    pub steps: usize,
    pub warmup: usize,
    pub seed: u32,
    /// Held-out bytes that bits are measured on, and of each passage.
    pub held: usize,
    pub passage: usize,
}

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bytes {
    pub base: usize,
    /// The file of all adapters.
    pub adapters: usize,
}

/// Choices by so many first bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    pub bytes: usize,
    /// Times that the column was chosen for a held-out passage of the row's language; the last column is the base alone.
    pub confusion: Vec<Vec<u32>>,
}

impl Choice {
    pub fn of(&self) -> u32 {
        self.confusion.iter().flatten().sum()
    }

    pub fn right(&self) -> u32 {
        self.confusion.iter().enumerate().map(|(language, row)| row[language]).sum()
    }
}

impl Measured {
    /// # Errors
    /// `Error::File` where the text is not such a file's, or its lists do not fit each other.
    pub fn read(text: &[u8]) -> Result<Self> {
        const FILE: &str = "languages.json";
        let own: Self = serde_json::from_slice(text).map_err(|e| broken(FILE, tr!("is not understood: {e}", e)))?;
        let count = own.codes.len();
        let square = |rows: &[Vec<f64>]| rows.len() == count && rows.iter().all(|row| row.len() == count);
        let confusion = |c: &Choice| c.confusion.len() == count && c.confusion.iter().all(|row| row.len() == count + 1);
        let lists = [own.samples.len(), own.base.len(), own.english.1.len()];
        let fits = lists.iter().all(|&len| len == count) && square(&own.bits) && square(&own.cosine);
        match fits && own.choice.iter().all(confusion) {
            true => Ok(own),
            false => Err(broken(FILE, tr!("holds lists that do not fit its {count} languages", count))),
        }
    }

    pub fn write(&self) -> String {
        let list =
            |value: serde_json::Result<String>| value.unwrap_or_else(|error| unreachable!("plain data: {error}"));
        list(serde_json::to_string(self)).replace("]],", "]],\n").replace("],[", "],\n[") + "\n"
    }

    /// Languages that their own adapter serves better than any other, and the base.
    pub fn own_best(&self) -> usize {
        let best = |j: usize| {
            let own = self.bits[j][j];
            own < self.base[j] && (0..self.codes.len()).all(|i| i == j || own < self.bits[i][j])
        };
        (0..self.codes.len()).filter(|&j| best(j)).count()
    }

    /// Pairs of an adapter and another language that it serves worse than the base alone, of all such pairs.
    pub fn worse_than_none(&self) -> (usize, usize) {
        let count = self.codes.len();
        let pairs = (0..count).flat_map(|i| (0..count).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let worse = pairs.filter(|&(i, j)| self.bits[i][j] > self.base[j]).count();
        (worse, count * (count - 1))
    }
}
