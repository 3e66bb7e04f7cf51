//! A merge into the open base, and what it would do, before it does. Knows nothing of what is shown.

use js_sys::Array;
use wasm_bindgen::prelude::*;

use super::sink::{into, pieces, unwritten};
use super::{Answer, Desk, TURN};
use crate::clock;
use crate::error::{Error, Result};
use crate::files::blob::File;
use crate::files::{Checkpoint, Source};
use crate::lang::tr;
use crate::peft::merge::Merge;
use crate::peft::proof::Proven;
use crate::studio::adapters::wire::{Id, Planned, Report};
use crate::studio::adapters::words::{list_of, proof};

impl Desk {
    fn open_base(&self) -> Result<std::rc::Rc<Checkpoint<File>>> {
        self.base().ok_or_else(|| Error::Data {
            what: tr!("merge"),
            expected: tr!("the base's files to be open"),
            got: tr!("none"),
        })
    }

    /// What a merge would do, or why there can be none, in words.
    pub(super) fn plan(&self, id: Id) -> std::result::Result<Planned, String> {
        let planned = || {
            let (adapter, base) = (self.adapter(id)?, self.open_base()?);
            let merge = Merge::new(&adapter, &base)?;
            let changes = merge.will_change();
            Ok(Planned { changes, left_out: merge.left_out, notes: merge.notes })
        };
        planned().map_err(|error: Error| error.to_string())
    }

    pub(super) async fn merge(&self, id: Id, handle: &JsValue) -> Result<Answer> {
        let permit = self.begin();
        let adapter = self.adapter(id)?;
        let base = self.open_base()?;
        let merge = Merge::new(&adapter, &base)?;
        let total: u64 = base.shards.iter().map(|shard| shard.source.size()).sum();
        let (mut changed, mut not_finite, mut before) = (0, Vec::new(), 0u64);
        let mut proven = Proven::default();
        let (mut saved, files) = (Vec::new(), Array::new());
        for (at, shard) in base.shards.iter().enumerate() {
            let mut out = match handle.is_object() {
                true => into(handle, shard.source.name()).await.map_err(|error| unwritten(&error))?.unchecked_into(),
                false => pieces(),
            };
            let mut told = f64::NEG_INFINITY;
            let mut progress = |bytes: u64| {
                before += bytes;
                if clock::now() - told > 4.0 * TURN {
                    told = clock::now();
                    self.scope.send(&Report::Progress { done: before as f64, of: total as f64 });
                }
                self.work.get() == permit.number
            };
            let written = merge.write(at, &mut out, &mut progress).await;
            let written = match written {
                Ok(written) => written,
                Err(error) => {
                    // Nothing half written is left; that it cannot even be thrown away changes nothing.
                    let _ = out.abort().await;
                    return Err(error);
                }
            };
            changed += written.changed;
            not_finite.extend(written.not_finite);
            proven.take(written.proven);
            let blob = out.close().await.map_err(|error| unwritten(&error))?;
            if !handle.is_object() {
                saved.push(shard.source.name().to_owned());
                files.push(&blob);
            }
        }
        let mut said =
            vec![tr!("Merged: {changed} weights changed, all others as they were.", changed), proof(&proven)];
        if !not_finite.is_empty() {
            said.push(tr!("Not finite in the base's dtype: {}.", list_of(&not_finite)));
        }
        said.extend(merge.notes.iter().map(|note| format!("{note}.")));
        if !merge.left_out.is_empty() {
            said.push(tr!("Not merged: {}.", list_of(&merge.left_out)));
        }
        Ok((Report::Done { saved, said }, files.into()))
    }
}
