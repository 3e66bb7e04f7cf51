//! An adapter merged into its base: each file of the base written anew, as a stream, with the adapted weights changed
//! and all others copied. Knows nothing of where the files go, nor of what may be merged.

use super::adapter::Adapter;
use super::draft::stopped;
use super::loaded::Loaded;
use super::plan::{Becomes, Piece, Plan, plan};
use super::proof::{Proof, Proven};
use crate::error::Result;
use crate::files::write::{Planned, Writer};
use crate::files::{Checkpoint, Dtype, Sink, Source, TensorInfo, blocks};

/// Bytes copied at once.
const CHUNK: u64 = 4 << 20;

/// A merge that can be carried out.
#[derive(Debug)]
pub struct Merge<'a, S, B> {
    adapter: &'a Adapter<S>,
    base: &'a Checkpoint<B>,
    plan: Plan<'a>,
    /// What the adapter holds and the merged model will lack, each with why.
    pub left_out: Vec<String>,
    /// What else has to be known of the merged model.
    pub notes: Vec<String>,
}

/// What came of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// Tensors that were changed.
    pub changed: usize,
    /// Changed tensors with a value that is not finite in the base's dtype.
    pub not_finite: Vec<String>,
    /// How far the merged weights are from the base with the adapter beside it, where that is furthest.
    pub proven: Proven,
}

impl<'a, S: Source, B: Source> Merge<'a, S, B> {
    /// # Errors
    /// `Error::File` where nothing of the adapter fits the base, the base is quantised, the adapter belongs to another state of
    /// it, or two modules change the same weight; `Error::Data` where a module's shape was not taken from a base.
    pub fn new(adapter: &'a Adapter<S>, base: &'a Checkpoint<B>) -> Result<Self> {
        let mut plan = plan(adapter, base)?;
        let left_out = std::mem::take(&mut plan.left_out);
        let notes = std::mem::take(&mut plan.notes);
        Ok(Self { adapter, base, plan, left_out, notes })
    }

    /// Names of the tensors that will change, those that are new among them.
    pub fn will_change(&self) -> Vec<String> {
        let added = self.plan.added.iter().map(|added| added.name.clone());
        self.plan.changes.iter().map(|(key, _)| key.clone()).chain(added).collect()
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
        let tensors = &shard.header.tensors;
        let planned = |info: &TensorInfo| Planned {
            name: info.name.clone(),
            dtype: info.dtype,
            shape: self.plan.grown(&info.name).map_or_else(|| info.shape.clone(), <[usize]>::to_vec),
        };
        let mut plan: Vec<Planned> = tensors.iter().map(planned).collect();
        let here = |like: &str| tensors.iter().find(|info| info.name == like);
        let added = self.plan.added.iter().filter_map(|added| Some((added, here(&added.like)?)));
        let added: Vec<_> = added.collect();
        plan.extend(added.iter().map(|(added, like)| Planned {
            name: added.name.clone(),
            dtype: like.dtype,
            shape: added.shape.clone(),
        }));
        let mut writer = Writer::begin(sink, &plan, &shard.header.metadata).await?;
        let mut out = Merged::default();
        for info in tensors {
            let mut at = info.start;
            if let Some((_, pieces)) = self.plan.changes.iter().find(|(key, _)| *key == info.name) {
                out.changed += 1;
                for piece in pieces {
                    let first = info.start + piece.first * info.dtype.bytes() as u64;
                    copy(&shard.source, at..first, &mut writer, progress).await?;
                    at = self.changed((&info.name, info.dtype), piece, &mut writer, progress, &mut out).await?;
                    at = first.saturating_add(at).min(info.end);
                }
                if pieces.last().is_some_and(Piece::is_all) {
                    continue;
                }
            }
            copy(&shard.source, at..info.end, &mut writer, progress).await?;
        }
        for (added, like) in added {
            out.changed += 1;
            self.changed((&added.name, like.dtype), &added.piece, &mut writer, progress, &mut out).await?;
        }
        writer.end()?;
        Ok(out)
    }

    /// One piece of a tensor; how many of the base's bytes it stands for.
    async fn changed<K: Sink>(
        &self,
        (name, dtype): (&str, Dtype),
        piece: &Piece<'a>,
        writer: &mut Writer<'_, K>,
        progress: &mut dyn FnMut(u64) -> bool,
        out: &mut Merged,
    ) -> Result<u64> {
        let loaded = match piece.becomes {
            Becomes::Merged(module) | Becomes::Biased(module) => {
                Loaded::module(self.adapter, module, Some(self.base)).await?
            }
            Becomes::Replaced(whole) | Becomes::Rows(whole) => {
                Loaded::whole(self.adapter, whole, Some(self.base)).await?
            }
        };
        let (rows, width) = piece.shape;
        let mut proof = Proof::new(&loaded, piece.shape, matches!(piece.becomes, Becomes::Merged(_)));
        let (mut finite, mut written) = (true, 0);
        for range in blocks(0..rows, width) {
            let base = match piece.becomes {
                Becomes::Merged(_) => loaded.base_rows(range.clone()).await?.unwrap_or_default(),
                Becomes::Biased(_) | Becomes::Rows(_) => self.base.read_rows(name, range.clone()).await?,
                Becomes::Replaced(_) => Vec::new(),
            };
            let mut values: Vec<f64> = match piece.becomes {
                Becomes::Merged(_) => loaded.merge_rows(range.clone(), &base),
                Becomes::Replaced(_) => loaded.merged_rows(range.clone()).await?.unwrap_or_default(),
                Becomes::Biased(_) | Becomes::Rows(_) => base.iter().map(|&v| f64::from(v)).collect(),
            };
            if let (Becomes::Biased(_), Some(bias)) = (piece.becomes, &loaded.bias) {
                values.iter_mut().zip(bias.iter().skip(range.start)).for_each(|(v, b)| *v += b);
            }
            if let Becomes::Rows(whole) = piece.becomes {
                for (at, &row) in whole.rows.iter().enumerate().filter(|(_, row)| range.contains(row)) {
                    let held = self.adapter.file.read_rows(&whole.key, at..at + 1).await?;
                    let place = (row - range.start) * width;
                    values.iter_mut().skip(place).zip(held).for_each(|(v, h)| *v = f64::from(h));
                }
            }
            let stored: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            let bytes = dtype.encode(&stored);
            let stored = dtype.decode(&bytes);
            finite &= stored.iter().all(|v| v.is_finite());
            proof.add(range, &base, &values, &stored);
            written += bytes.len() as u64;
            writer.bytes(&bytes).await?;
            if !progress(bytes.len() as u64) {
                return Err(stopped());
            }
        }
        if !finite && out.not_finite.last().is_none_or(|last| last != name) {
            out.not_finite.push(name.to_owned());
        }
        out.proven.take(proof.end(name));
        Ok(written)
    }
}

/// Bytes of the base as they are.
async fn copy<B: Source, K: Sink>(
    source: &B,
    bytes: std::ops::Range<u64>,
    writer: &mut Writer<'_, K>,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<()> {
    let mut at = bytes.start;
    while at < bytes.end {
        let length = (bytes.end - at).min(CHUNK);
        writer.bytes(&source.read(at, length as usize).await?).await?;
        at += length;
        if !progress(length) {
            return Err(stopped());
        }
    }
    Ok(())
}
