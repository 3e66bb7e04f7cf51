//! The header of a safetensors file: eight bytes of length, then JSON with each tensor's dtype, shape and place.
//! Strict, as the format's own reader is: every byte after the header belongs to exactly one tensor. Knows nothing of
//! what the tensors mean.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::foreign::{ARCHIVE, LOOKED_AT, recognised};
use super::{Dtype, Source, broken};
use crate::error::{Error, Result};
use crate::lang::tr;
use crate::order::sorted;

/// Longest header that the format allows.
const LONGEST: u64 = 100_000_000;

/// One tensor's place in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// First byte, and the one after the last, from the file's start.
    pub start: u64,
    pub end: u64,
}

impl TensorInfo {
    /// Number of values. Checked when the header was read.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Sizes of the first axis and of all others together: a matrix, whatever the rank.
    pub fn matrix(&self) -> (usize, usize) {
        let rows = self.shape.first().copied().unwrap_or(1);
        (rows, self.shape.iter().skip(1).product())
    }
}

/// All tensors of a file, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub metadata: BTreeMap<String, String>,
    pub tensors: Vec<TensorInfo>,
}

impl Header {
    /// # Errors
    /// `Error::File` with what is wrong, where this is not a whole safetensors file.
    pub async fn read<S: Source>(source: &S) -> Result<Self> {
        let (file, size) = (source.name(), source.size());
        if size < 8 {
            let problem = tr!("holds {size} bytes, fewer than a safetensors file's first 8; choose another file", size);
            return Err(broken(file, problem));
        }
        let first = source.read(0, 8).await?;
        // A file that is something else says so in its first bytes, where the length then means nothing.
        if is_other(&first, size) {
            let rest = source.read(8, (size.min(LOOKED_AT as u64) - 8) as usize).await?;
            if let Some(what) = recognised(&[first.as_slice(), &rest].concat()) {
                return Err(broken(file, what.said()));
            }
        }
        let length = u64::from_le_bytes(first.try_into().map_err(|_| broken(file, tr!("a short read")))?);
        if length > (size - 8).min(LONGEST) {
            let problem = tr!(
                "claims a header of {length} bytes in a file of {size} (at most {LONGEST}); this is not a safetensors file, or only the start of one: choose another, or download it again",
                length,
                size,
                LONGEST
            );
            return Err(broken(file, problem));
        }
        let json = source.read(8, usize::try_from(length).map_err(|_| broken(file, tr!("header too long")))?).await?;
        Self::parse(file, &json, size)
    }

    /// `json` is the header of `file`, whose size in bytes is `size`.
    ///
    /// # Errors
    /// `Error::File` as from `read`.
    pub fn parse(file: &str, json: &[u8], size: u64) -> Result<Self> {
        let text = std::str::from_utf8(json).map_err(|e| {
            broken(file, tr!("the header is not UTF-8 (byte {}); the file is damaged", e.valid_up_to()))
        })?;
        if !text.starts_with('{') {
            return Err(broken(file, tr!("the header does not begin with \"{\"; this is not a safetensors file")));
        }
        let raw: Raw =
            serde_json::from_slice(json).map_err(|e| broken(file, tr!("the header is not valid: {e}", e)))?;
        let begin = 8 + json.len() as u64;
        let mut tensors = Vec::with_capacity(raw.tensors.len());
        for (name, entry) in raw.tensors {
            tensors.push(entry.check(file, name, begin, size)?);
        }
        let tensors = sorted(tensors, |a, b| (a.start, a.end, &a.name).cmp(&(b.start, b.end, &b.name)));
        cover(file, &tensors, begin, size)?;
        Ok(Self { metadata: raw.metadata, tensors })
    }

    /// Bytes of `json` begin the file: the length, then the header.
    pub(super) fn framed(mut json: String) -> Vec<u8> {
        // The data begin at a multiple of 8, for readers that map the file.
        json.extend(std::iter::repeat_n(' ', json.len().next_multiple_of(8) - json.len()));
        let mut out = (json.len() as u64).to_le_bytes().to_vec();
        out.extend(json.as_bytes());
        out
    }
}

/// Whether a file's first eight bytes are no header's length, or might be another format's.
fn is_other(first: &[u8], size: u64) -> bool {
    let length = first.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
    length > size.saturating_sub(8).min(LONGEST) || first.starts_with(ARCHIVE)
}

/// Every byte belongs to one tensor.
fn cover(file: &str, tensors: &[TensorInfo], begin: u64, size: u64) -> Result<()> {
    let mut at = begin;
    let mut before: Option<&str> = None;
    for tensor in tensors {
        if tensor.start != at {
            let name = &tensor.name;
            let problem = match (before, tensor.start < at) {
                (None, true) => tr!("tensor \"{name}\" overlaps the header; the file is damaged", name),
                (None, false) => tr!("tensor \"{name}\" leaves a gap after the header; the file is damaged", name),
                (Some(before), true) => tr!("tensor \"{name}\" overlaps {before}; the file is damaged", name, before),
                (Some(before), false) => {
                    tr!("tensor \"{name}\" leaves a gap after {before}; the file is damaged", name, before)
                }
            };
            return Err(broken(file, problem));
        }
        (at, before) = (tensor.end, Some(&*tensor.name));
    }
    if at != size {
        let problem = tr!("{} bytes after the last tensor belong to none; the file is damaged", size - at);
        return Err(broken(file, problem));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Entry {
    fn check(self, file: &str, name: String, begin: u64, size: u64) -> Result<TensorInfo> {
        let wrong = |problem: String| -> Error { broken(file, problem) };
        let sizes = || format!("{:?}", self.shape);
        let dtype = Dtype::parse(&self.dtype).ok_or_else(|| {
            wrong(tr!(
                "tensor \"{name}\" has dtype \"{dtype}\", which the format does not have; save it in another",
                name,
                dtype = self.dtype
            ))
        })?;
        let (from, to) = self.data_offsets;
        let absolute = |offset: u64| begin.checked_add(offset).filter(|&at| at <= size);
        let (Some(start), Some(end), true) = (absolute(from), absolute(to), from <= to) else {
            return Err(wrong(tr!(
                "tensor \"{name}\" lies at bytes {from} to {to}, but the file has {all} of them; it is cut short or damaged: download it again",
                name,
                from,
                to,
                all = size - begin
            )));
        };
        let overflow =
            || wrong(tr!("tensor \"{name}\" has shape {sizes}, too large for any file", name, sizes = sizes()));
        // The product of the sizes that are not zero, so that a zero elsewhere hides no giant.
        let shape: Option<Vec<usize>> = self.shape.iter().map(|&n| usize::try_from(n).ok()).collect();
        let shape = shape.ok_or_else(overflow)?;
        shape.iter().filter(|&&n| n > 0).try_fold(1usize, |all, &n| all.checked_mul(n)).ok_or_else(overflow)?;
        let count = shape.iter().product::<usize>() as u64;
        let bits = count.checked_mul(dtype.bits().into()).ok_or_else(overflow)?;
        if bits.div_ceil(8) != end - start {
            return Err(wrong(tr!(
                "tensor \"{name}\" needs {bytes} bytes for shape {sizes} of {dtype}, but has {has}",
                name,
                bytes = bits.div_ceil(8),
                sizes = sizes(),
                dtype,
                has = end - start
            )));
        }
        Ok(TensorInfo { name, dtype, shape, start, end })
    }
}

/// The header's object, no key of it twice: a map would silently keep the last.
struct Raw {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Entry>,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Raw, A::Error> {
                let mut raw = Raw { metadata: BTreeMap::new(), tensors: BTreeMap::new() };
                let mut metadata = false;
                while let Some(key) = map.next_key::<String>()? {
                    let twice = if key == "__metadata__" {
                        raw.metadata = map.next_value()?;
                        std::mem::replace(&mut metadata, true)
                    } else {
                        let entry =
                            map.next_value().map_err(|e| de::Error::custom(tr!("tensor \"{key}\": {e}", key, e)))?;
                        raw.tensors.insert(key.clone(), entry).is_some()
                    };
                    if twice {
                        return Err(de::Error::custom(tr!("\"{key}\" appears twice", key)));
                    }
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
