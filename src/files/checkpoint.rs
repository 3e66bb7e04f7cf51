//! One or more safetensors files as one set of named tensors, each read when it is asked for. Knows nothing of what they
//! mean.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use super::{Dtype, Header, Source, TensorInfo, broken};
use crate::error::{Error, Result};
use crate::lang::{marked, tr};
use crate::order::distinct;

/// A tensor's values.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// One file of a checkpoint.
#[derive(Clone, Debug)]
pub struct Shard<S> {
    pub source: S,
    pub header: Header,
}

/// A model's or adapter's tensors, in one file or several.
#[derive(Clone, Debug)]
pub struct Checkpoint<S> {
    pub shards: Vec<Shard<S>>,
    /// Shard, and place in its header.
    names: BTreeMap<String, (usize, usize)>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl<S: Source> Checkpoint<S> {
    /// Open files that together hold each tensor once; only their headers are read.
    ///
    /// # Errors
    /// `Error::File` where one is not a safetensors file, or a name is in two of them.
    pub async fn open(sources: Vec<S>) -> Result<Self> {
        let mut checkpoint = Self { shards: Vec::new(), names: BTreeMap::new() };
        for source in sources {
            let header = Header::read(&source).await?;
            for (at, tensor) in header.tensors.iter().enumerate() {
                let place = (checkpoint.shards.len(), at);
                if let Some((other, _)) = checkpoint.names.insert(tensor.name.clone(), place) {
                    let other = checkpoint.shards[other].source.name();
                    let name = &tensor.name;
                    let problem = tr!("tensor \"{name}\" is in {other} too; open one model's files only", name, other);
                    return Err(broken(source.name(), problem));
                }
            }
            checkpoint.shards.push(Shard { source, header });
        }
        Ok(checkpoint)
    }

    /// The same, held against `model.safetensors.index.json`, whose text is `index`.
    ///
    /// # Errors
    /// As `open`; and where the index is not one, names a file that is not among the sources, or a tensor that its
    /// file does not hold.
    pub async fn open_sharded(index: &[u8], sources: Vec<S>) -> Result<Self> {
        let name = "model.safetensors.index.json";
        let index = super::foreign::json(index).map_err(|what| broken(name, what))?;
        let index: Index = serde_json::from_slice(index)
            .map_err(|e| broken(name, tr!("is not an index of shards: {e}; choose the file of that name", e)))?;
        let wanted = distinct(index.weight_map.values().map(String::as_str).collect());
        let missing: Vec<_> = wanted.iter().filter(|file| sources.iter().all(|s| s.name() != **file)).collect();
        if !missing.is_empty() {
            let (count, first) = (missing.len(), missing[0]);
            let problem =
                tr!("names {count} shards that were not opened, \"{first}\" first; open them too", count, first);
            return Err(broken(name, problem));
        }
        let sources = sources.into_iter().filter(|s| wanted.contains(&s.name())).collect();
        let checkpoint = Self::open(sources).await?;
        for (tensor, file) in &index.weight_map {
            let found = checkpoint.names.get(tensor).map(|&(shard, _)| checkpoint.shards[shard].source.name());
            if found != Some(file) {
                return Err(broken(file, tr!("does not hold \"{tensor}\", which the index says it does", tensor)));
            }
        }
        Ok(checkpoint)
    }

    /// Every tensor, by name.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.names.values().map(|&(shard, at)| &self.shards[shard].header.tensors[at])
    }

    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.names.get(name).map(|&(shard, at)| &self.shards[shard].header.tensors[at])
    }

    /// Names of the files, for messages.
    pub fn file(&self) -> String {
        match self.shards.as_slice() {
            [] => "nothing".into(),
            [one] => one.source.name().to_owned(),
            [first, rest @ ..] => tr!("{} and {} more", first.source.name(), rest.len()),
        }
    }

    /// A whole tensor.
    ///
    /// # Errors
    /// `Error::Missing` where there is none of that name; `Error::File` where it cannot be read or holds no floats.
    pub async fn read(&self, name: &str) -> Result<Tensor> {
        let shape = self.info(name)?.1.shape.clone();
        let rows = shape.first().copied().unwrap_or(1);
        Ok(Tensor { values: self.read_rows(name, 0..rows).await?, shape })
    }

    /// Some rows (of the first axis), row-major; the range is clamped to what is there.
    ///
    /// # Errors
    /// As `read`.
    pub async fn read_rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>> {
        let (count, width) = self.info(name)?.1.matrix();
        let rows = rows.start.min(count)..rows.end.min(count);
        // Within the file, hence without overflow: checked when the header was read.
        let place = |row: usize| row as u64 * width as u64;
        self.read_values(name, place(rows.start)..place(rows.end)).await
    }

    /// Some values from a tensor's middle, by their places in it; the range is clamped to what is there.
    ///
    /// # Errors
    /// As `read`.
    pub async fn read_values(&self, name: &str, values: Range<u64>) -> Result<Vec<f32>> {
        let (shard, info) = self.floats(name)?;
        let (bytes, count) = (info.dtype.bytes() as u64, info.count() as u64);
        let values = values.start.min(count)..values.end.min(count).max(values.start.min(count));
        let length = usize::try_from((values.end - values.start) * bytes)
            .map_err(|_| broken(name, tr!("too large to read at once")))?;
        Ok(info.dtype.decode(&shard.source.read(info.start + values.start * bytes, length).await?))
    }

    /// The dtype of most values.
    pub fn dtype(&self) -> Option<Dtype> {
        let mut counts: Vec<(Dtype, usize)> = Vec::new();
        for info in self.tensors() {
            match counts.iter_mut().find(|(dtype, _)| *dtype == info.dtype) {
                Some((_, count)) => *count = count.saturating_add(info.count()),
                None => counts.push((info.dtype, info.count())),
            }
        }
        counts.into_iter().max_by_key(|&(_, count)| count).map(|(dtype, _)| dtype)
    }

    fn floats(&self, name: &str) -> Result<(&Shard<S>, &TensorInfo)> {
        let (shard, info) = self.info(name)?;
        if info.dtype.is_float() {
            return Ok((shard, info));
        }
        let problem =
            tr!("tensor \"{name}\" is {dtype}, which holds no floating-point weights", name, dtype = info.dtype);
        Err(broken(shard.source.name(), problem))
    }

    /// A tensor that holds one number, whole or not, as kohya's alphas are.
    ///
    /// # Errors
    /// As `read`.
    pub async fn number(&self, name: &str) -> Result<f64> {
        let (shard, info) = self.info(name)?;
        let bytes = shard.source.read(info.start, (info.end - info.start).min(8) as usize).await?;
        let number = match info.dtype {
            Dtype::F64 => bytes.first_chunk().map(|&b| f64::from_le_bytes(b)),
            Dtype::Other(kind, _) => whole(kind, &bytes),
            dtype => dtype.decode(&bytes).first().map(|&v| f64::from(v)),
        };
        number.ok_or_else(|| broken(shard.source.name(), tr!("tensor \"{name}\" holds no number", name)))
    }

    fn info(&self, name: &str) -> Result<(&Shard<S>, &TensorInfo)> {
        let &(shard, at) = self.names.get(name).ok_or_else(|| Error::Missing {
            what: marked!("tensor"),
            name: name.to_owned(),
            hint: tr!("{} does not hold it", self.file()),
        })?;
        let shard = &self.shards[shard];
        Ok((shard, &shard.header.tensors[at]))
    }
}

/// A whole number of a format that holds such.
fn whole(kind: &str, bytes: &[u8]) -> Option<f64> {
    let signed = kind.starts_with('I');
    if !signed && !kind.starts_with('U') || bytes.is_empty() {
        return None;
    }
    let fill = if signed && bytes.last().is_some_and(|&high| high >= 0x80) { 0xff } else { 0 };
    let mut all = [fill; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(if signed { i64::from_le_bytes(all) as f64 } else { u64::from_le_bytes(all) as f64 })
}
