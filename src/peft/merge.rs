//! An adapter merged into its base: each file of the base written anew, as a stream, with the adapted weights changed
//! and all others copied. Knows nothing of where the files go.

use std::collections::BTreeMap;

use super::adapter::{Adapter, Module, Whole};
use super::draft::stopped;
use super::find::{base_weight, find};
use super::keys::Part;
use super::loaded::Loaded;
use crate::error::Result;
use crate::files::write::{Planned, Writer};
use crate::files::{Checkpoint, Sink, Source, TensorInfo, blocks, broken};

/// Bytes copied at once.
const CHUNK: u64 = 4 << 20;

/// What happens to a tensor of the base.
#[derive(Clone, Copy, Debug)]
enum Becomes<'a> {
    Merged(&'a Module),
    Replaced(&'a Whole),
    /// Plus the bias of lora_B.
    Biased(&'a Module),
}

/// A merge that can be carried out.
#[derive(Debug)]
pub struct Merge<'a, S, B> {
    adapter: &'a Adapter<S>,
    base: &'a Checkpoint<B>,
    changes: BTreeMap<String, Becomes<'a>>,
    /// Weights that the adapter holds whole and the base does not have: the merged model lacks them.
    pub left_out: Vec<String>,
}

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Tensors that were changed.
    pub changed: usize,
    /// Changed tensors with a value that is not finite in the base's dtype.
    pub not_finite: Vec<String>,
}

impl<'a, S: Source, B: Source> Merge<'a, S, B> {
    /// # Errors
    /// `Error::File` where a module's weight is not in the base, has another shape or no floating-point format, or
    /// two modules change the same one; `Error::Data` where a module's shape was not taken from a base.
    pub fn new(adapter: &'a Adapter<S>, base: &'a Checkpoint<B>) -> Result<Self> {
        adapter.check_shapes()?;
        let mut merge = Self { adapter, base, changes: BTreeMap::new(), left_out: Vec::new() };
        for module in adapter.modules.iter().filter(|module| module.rank > 0) {
            let key = base_weight(base, &module.name, adapter.style).ok_or_else(|| {
                broken(&base.file(), format!("has no weight for \"{}\"; the adapter is for another base", module.name))
            })?;
            if module.has(Part::Bias) {
                let bias = format!("{}.bias", key.strip_suffix(".weight").unwrap_or(&key));
                merge.change(bias, (module.outputs, 1), Becomes::Biased(module))?;
            }
            merge.change(key, module.shape(), Becomes::Merged(module))?;
        }
        for whole in &adapter.whole {
            let width = whole.shape.iter().skip(1).product();
            match find(base, &whole.name) {
                Some(key) => {
                    merge.change(key, (whole.shape.first().copied().unwrap_or(1), width), Becomes::Replaced(whole))?
                }
                None => merge.left_out.push(whole.name.clone()),
            }
        }
        Ok(merge)
    }

    fn change(&mut self, key: String, shape: (usize, usize), becomes: Becomes<'a>) -> Result<()> {
        let file = self.base.file();
        let info = self.base.find(&key).ok_or_else(|| {
            broken(&file, format!("has no \"{key}\", which the adapter adds to; it cannot be merged into this base"))
        })?;
        if info.matrix() != shape {
            let problem =
                format!("\"{key}\" is {:?}, but the adapter's is {shape:?}; it is for another base", info.shape);
            return Err(broken(&file, problem));
        }
        if !info.dtype.is_float() {
            let problem = format!("\"{key}\" is {}; merge into the base that was not quantised", info.dtype);
            return Err(broken(&file, problem));
        }
        match self.changes.insert(key.clone(), becomes) {
            None => Ok(()),
            Some(_) => Err(broken(&file, format!("\"{key}\" is changed by two modules of the adapter"))),
        }
    }

    /// Write file `shard` of the base anew; `progress` hears how many bytes more are written and answers whether to go on.
    ///
    /// # Errors
    /// Those of reading and of the sink; `Error::Data` where `progress` said to stop.
    pub async fn write<K: Sink>(
        &self,
        shard: usize,
        sink: &mut K,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Merged> {
        let shard = &self.base.shards[shard];
        let planned =
            |info: &TensorInfo| Planned { name: info.name.clone(), dtype: info.dtype, shape: info.shape.clone() };
        let plan: Vec<Planned> = shard.header.tensors.iter().map(planned).collect();
        let mut writer = Writer::begin(sink, &plan, &shard.header.metadata).await?;
        let mut out = Merged::default();
        for info in &shard.header.tensors {
            if let Some(&becomes) = self.changes.get(&info.name) {
                out.changed += 1;
                if !self.changed(info, becomes, &mut writer, progress).await? {
                    out.not_finite.push(info.name.clone());
                }
                continue;
            }
            let mut at = info.start;
            while at < info.end {
                let length = (info.end - at).min(CHUNK);
                writer.bytes(&shard.source.read(at, length as usize).await?).await?;
                at += length;
                if !progress(length) {
                    return Err(stopped());
                }
            }
        }
        writer.end()?;
        Ok(out)
    }

    /// Whether all values are finite as stored.
    async fn changed<K: Sink>(
        &self,
        info: &TensorInfo,
        becomes: Becomes<'a>,
        writer: &mut Writer<'_, K>,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool> {
        let loaded = match becomes {
            Becomes::Merged(module) | Becomes::Biased(module) => {
                Loaded::module(self.adapter, module, Some(self.base)).await?
            }
            Becomes::Replaced(whole) => Loaded::whole(self.adapter, whole, Some(self.base))?,
        };
        let mut finite = true;
        let (rows, width) = info.matrix();
        for range in blocks(0..rows, width) {
            let values = if let Becomes::Biased(_) = becomes {
                let base = self.base.read_rows(&info.name, range.clone()).await?;
                let bias = loaded.bias.as_ref().map_or(&[][..], |bias| &bias[range]);
                base.iter().zip(bias).map(|(&v, b)| f64::from(v) + b).collect()
            } else {
                loaded.merged_rows(range).await?.unwrap_or_default()
            };
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            let bytes = info.dtype.encode(&values);
            finite &= info.dtype.decode(&bytes).iter().all(|v| v.is_finite());
            writer.bytes(&bytes).await?;
            if !progress(bytes.len() as u64) {
                return Err(stopped());
            }
        }
        Ok(finite)
    }
}
