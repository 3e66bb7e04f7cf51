//! The worker that holds the open files: carries orders out and reports. It returns to its event loop between modules,
//! so that a look or a wish to stop is heard while a long work is under way. Knows nothing of what is shown.

mod merging;
mod opening;
mod sink;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::wire::{Change, Id, Listed, Look, Order, Pair, Region, Report, Whole};
use super::words::{list_of, made};
use crate::clock;
use crate::error::{Error, Result};
use crate::files::blob::File;
use crate::files::{Checkpoint, Dtype};
use crate::host::scope::Scope;
use crate::lang::{marked, tr};
use crate::peft::combine::{Combination, combine};
use crate::peft::compare::{compared, pairs};
use crate::peft::draft::stopped;
use crate::peft::edit::{Edit, edit};
use crate::peft::intruders::{Search, intruders};
use crate::peft::overview::overview;
use crate::peft::view::{Weight, directions, survey, tile};
use crate::peft::{Adapter, Loaded, Target};
use opening::{Found, nothing, open};
use sink::{pieces, turn, unwritten};

/// Milliseconds of work between two returns to the event loop.
const TURN: f64 = 30.0;
/// Milliseconds between two reports of what is measured.
const BATCH: f64 = 400.0;
/// Cells along each side of a picture.
const CELLS: usize = 128;
/// Singular vectors that are shown.
const SHOWN: usize = 32;
/// Steps in which a work without modules tells how far it is.
const STEPS: f64 = 1000.0;

/// Work at the bidding of the studio's page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
pub fn start() -> std::result::Result<(), JsValue> {
    let scope = Scope::own(|info| Report::Crashed(tr!("it failed: {info}", info)))?;
    let desk = Rc::new(Desk {
        scope: scope.clone(),
        open: RefCell::default(),
        base: RefCell::default(),
        ids: Cell::new(0),
        work: Cell::new(0),
        look: Cell::new(0),
    });
    scope.listen(move |message| {
        let desk = desk.clone();
        spawn_local(async move {
            let (order, beside): (Order, JsValue) = match message {
                Ok(message) => message,
                Err(error) => {
                    let message = tr!("the worker was sent something that is no order: {error}", error);
                    return desk.scope.send(&Report::Failed { message, long: false });
                }
            };
            let long = order.is_long();
            let (report, beside) = match desk.carry_out(order, &beside).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return,
                Err(error) if error == stopped() => (Report::Stopped, JsValue::UNDEFINED),
                Err(error) => (Report::Failed { message: error.to_string(), long }, JsValue::UNDEFINED),
            };
            desk.scope.send_with(&report, &beside);
        });
    });
    scope.send(&Report::Ready);
    Ok(())
}

type Answer = (Report, JsValue);

/// What is open, and which work counts.
struct Desk {
    scope: Scope,
    open: RefCell<Vec<Open>>,
    base: RefCell<Option<Rc<Checkpoint<File>>>>,
    ids: Cell<Id>,
    /// Number of the long work, and of the look, that was ordered last: one of an older number gives up.
    work: Cell<u32>,
    look: Cell<u32>,
}

struct Open {
    id: Id,
    name: String,
    adapter: Rc<Adapter<File>>,
}

/// A long work's right to go on.
struct Permit<'a> {
    desk: &'a Desk,
    number: u32,
    since: f64,
}

impl Permit<'_> {
    /// Lets messages in now and then; an error once it is to stop.
    async fn go_on(&mut self, done: usize, of: usize) -> Result<()> {
        if clock::now() - self.since >= TURN {
            self.desk.scope.send(&Report::Progress { done: done as f64, of: of as f64 });
            turn().await;
            self.since = clock::now();
        }
        if self.desk.work.get() == self.number { Ok(()) } else { Err(stopped()) }
    }
}

impl Desk {
    fn adapter(&self, id: Id) -> Result<Rc<Adapter<File>>> {
        let open = self.open.borrow();
        let found = open.iter().find(|open| open.id == id).map(|open| open.adapter.clone());
        found.ok_or_else(|| Error::Missing {
            what: marked!("adapter"),
            name: id.to_string(),
            hint: tr!("it has been closed"),
        })
    }

    fn base(&self) -> Option<Rc<Checkpoint<File>>> {
        self.base.borrow().clone()
    }

    fn begin(&self) -> Permit<'_> {
        self.work.set(self.work.get() + 1);
        Permit { desk: self, number: self.work.get(), since: clock::now() }
    }

    async fn carry_out(&self, order: Order, beside: &JsValue) -> Result<Option<Answer>> {
        let quietly = |report| Ok(Some((report, JsValue::UNDEFINED)));
        match order {
            Order::Open(paths) => quietly(self.opened(paths, beside).await),
            Order::Close(id) => {
                self.open.borrow_mut().retain(|open| open.id != id);
                Ok(None)
            }
            Order::CloseBase => {
                *self.base.borrow_mut() = None;
                Ok(None)
            }
            Order::Stop => {
                self.work.set(self.work.get() + 1);
                Ok(None)
            }
            Order::Measure { adapter, base } => {
                self.measure(adapter, base).await?;
                quietly(Report::Done { saved: vec![], said: vec![] })
            }
            Order::Look { adapter, row, region } => Ok(self
                .look(adapter, row, region)
                .await?
                .map(|look| (Report::Looked(Box::new(look)), JsValue::UNDEFINED))),
            Order::Intruders { adapter: id, row } => {
                let mut permit = self.begin();
                let (adapter, base) = (self.adapter(id)?, self.base());
                let loaded = Loaded::of(&adapter, target(&adapter, row)?, base.as_deref()).await?;
                let mut going = async |share: f64| permit.go_on((share * STEPS) as usize, STEPS as usize).await;
                let directions = intruders(&loaded, Search::default(), &mut going).await?;
                self.scope.send(&Report::Intruders { adapter: id, row, directions });
                quietly(Report::Done { saved: vec![], said: vec![] })
            }
            Order::Compare { first, second } => {
                self.compare(first, second).await?;
                quietly(Report::Done { saved: vec![], said: vec![] })
            }
            Order::Combine { parts, how, dtype, name } => {
                let said = self.combine(&parts, how, dtype.as_deref(), name).await?;
                quietly(Report::Done { saved: vec![], said })
            }
            Order::Save { adapter, change } => self.save(adapter, &change).await.map(Some),
            Order::Merge(adapter) => self.merge(adapter, beside).await.map(Some),
            Order::Plan(adapter) => quietly(Report::Planned { adapter, plan: self.plan(adapter) }),
        }
    }

    async fn opened(&self, paths: Vec<String>, files: &JsValue) -> Report {
        let files: Array = Array::from(files);
        let named = paths.into_iter().zip(files.iter()).collect();
        let Found { adapters, base, mut refused, passed_over } = open(named).await;
        let mut listed = Vec::new();
        let base = base.map(|base| {
            let told = opening::described(&base);
            listed = self.shapes_from(&base);
            *self.base.borrow_mut() = Some(Rc::new(base));
            told
        });
        for (name, mut adapter) in adapters {
            if let Some(base) = self.base() {
                adapter.take_shapes(&base);
            }
            listed.push(self.keep(name, adapter));
        }
        if listed.is_empty() && base.is_none() && refused.is_empty() {
            refused.push(nothing(&passed_over));
        }
        Report::Opened { adapters: listed, base, refused, passed_over }
    }

    /// An adapter that is open from now on.
    fn keep(&self, name: String, adapter: Adapter<File>) -> Listed {
        let id = self.ids.get();
        self.ids.set(id + 1);
        let listed = opening::listed(id, name.clone(), &adapter);
        self.open.borrow_mut().push(Open { id, name, adapter: Rc::new(adapter) });
        listed
    }

    /// Open adapters with the shapes that only a base can say; a work under way keeps those it began with.
    fn shapes_from(&self, base: &Checkpoint<File>) -> Vec<Listed> {
        let mut open = self.open.borrow_mut();
        let asking = open.iter_mut().filter(|open| open.adapter.takes_shapes());
        let taken = asking.map(|open| {
            let adapter = Rc::make_mut(&mut open.adapter);
            adapter.take_shapes(base);
            opening::listed(open.id, open.name.clone(), adapter)
        });
        taken.collect()
    }

    async fn measure(&self, id: Id, with_base: bool) -> Result<()> {
        let mut permit = self.begin();
        let (adapter, base) = (self.adapter(id)?, self.base().filter(|_| with_base));
        let count = adapter.targets();
        let (mut ready, mut told, mut failed) = (Vec::new(), clock::now(), Vec::new());
        for row in 0..count {
            permit.go_on(row, count).await?;
            match overview(&adapter, base.as_deref(), row).await {
                Ok(found) => ready.extend(found.map(|found| (row, found))),
                // The same base is wrong for all of them alike: one says it.
                Err(error) => failed.push(error.to_string()),
            }
            // The page draws hundreds of rows anew each time.
            if clock::now() - told > BATCH {
                told = clock::now();
                self.scope.send(&Report::Measured { adapter: id, rows: std::mem::take(&mut ready), problem: None });
            }
        }
        let more = if failed.len() > 1 { tr!(" ({} more modules alike)", failed.len() - 1) } else { String::new() };
        let problem = failed.first().map(|first| format!("{first}{more}"));
        self.scope.send(&Report::Measured { adapter: id, rows: ready, problem });
        Ok(())
    }

    /// `None` where a newer look has been asked for meanwhile.
    async fn look(&self, id: Id, row: usize, region: Option<Region>) -> Result<Option<Look>> {
        self.look.set(self.look.get() + 1);
        let number = self.look.get();
        // Whoever asks twice in a moment means the second.
        turn().await;
        let (adapter, base) = (self.adapter(id)?, self.base());
        let loaded = Loaded::of(&adapter, target(&adapter, row)?, base.as_deref()).await?;
        let shape = (loaded.rows, loaded.columns);
        let all = Region { row: 0, col: 0, rows: shape.0, cols: shape.1 };
        let region = region.unwrap_or(all);
        let mut whole = (region == all).then(Whole::default);
        let part = || (region.row..region.row + region.rows, region.col..region.col + region.cols);
        let mut look = Look {
            adapter: id,
            row,
            shape,
            region,
            cells: (0, 0),
            base: None,
            change: None,
            merged: None,
            whole: None,
        };
        let mut since = clock::now();
        let mut going = async || {
            if clock::now() - since >= TURN {
                turn().await;
                since = clock::now();
            }
            if self.look.get() == number { Ok(()) } else { Err(stopped()) }
        };
        for weight in [Weight::Change, Weight::Base, Weight::Merged] {
            let known = loaded.is_known() || loaded.change.is_some() && weight == Weight::Change;
            if weight != Weight::Base && !known {
                continue;
            }
            let tile = match &mut whole {
                None => tile(&loaded, weight, part(), (CELLS, CELLS), &mut going).await,
                Some(whole) => survey(&loaded, weight, (CELLS, CELLS), &mut going).await.map(|found| {
                    found.map(|(tile, norms)| {
                        *whole.norms_of(weight) = Some(norms);
                        tile
                    })
                }),
            };
            let tile = match tile {
                Err(error) if error == stopped() => return Ok(None),
                tile => tile?,
            };
            let Some(tile) = tile else { continue };
            look.cells = tile.cells;
            match weight {
                Weight::Change => look.change = Some(tile.values),
                Weight::Base => look.base = Some(tile.values),
                Weight::Merged => look.merged = Some(tile.values),
            }
        }
        look.whole = whole.map(|whole| Whole { directions: directions(&loaded, SHOWN), ..whole });
        Ok(Some(look))
    }

    async fn compare(&self, first: Id, second: Id) -> Result<()> {
        let mut permit = self.begin();
        let (a, b) = (self.adapter(first)?, self.adapter(second)?);
        a.check_shapes()?;
        b.check_shapes()?;
        let pairs = pairs(&a, &b);
        let count = pairs.len();
        let mut ready = Vec::new();
        for (at, (name, i, j)) in pairs.into_iter().enumerate() {
            permit.go_on(at, count).await?;
            ready.push(Pair { name: name.to_owned(), comparison: compared(&a, &b, (i, j)).await });
        }
        self.scope.send(&Report::Compared(ready));
        Ok(())
    }

    /// The weighted sum becomes one more open adapter, in memory; what is to be said of it.
    async fn combine(
        &self,
        parts: &[(Id, f64)],
        how: Combination,
        dtype: Option<&str>,
        name: String,
    ) -> Result<Vec<String>> {
        let mut permit = self.begin();
        let mut adapters = Vec::new();
        for &(id, weight) in parts {
            adapters.push((self.adapter(id)?, weight));
        }
        let parts: Vec<_> = adapters.iter().map(|(adapter, weight)| (&**adapter, *weight)).collect();
        let draft = combine(&parts, how, dtype.and_then(Dtype::parse))?;
        permit.go_on(0, draft.modules.len()).await?;
        let mut out = pieces();
        let errors = draft.write(&mut out, &mut |at| self.wrote(at, draft.modules.len(), permit.number)).await?;
        let blob = out.close().await.map_err(|error| unwritten(&error))?;
        let mut adapter = Adapter::open(File::new(&name, &blob)?, draft.config().as_deref().map(str::as_bytes)).await?;
        adapter.left_behind(&draft.left_out);
        let mut said = vec![made(&name, how, &errors)];
        if !draft.left_out.is_empty() {
            said.push(tr!("Left out, as they cannot be added: {}.", list_of(&draft.left_out)));
        }
        let adapters = vec![self.keep(name, adapter)];
        self.scope.send(&Report::Opened { adapters, base: None, refused: vec![], passed_over: vec![] });
        Ok(said)
    }

    /// Reports a module that is written; whether to go on.
    fn wrote(&self, at: usize, of: usize, number: u32) -> bool {
        self.scope.send(&Report::Progress { done: at as f64, of: of as f64 });
        self.work.get() == number
    }

    async fn save(&self, id: Id, change: &Change) -> Result<Answer> {
        let mut permit = self.begin();
        let adapter = self.adapter(id)?;
        let dtype = change.dtype.as_deref().and_then(Dtype::parse);
        let change = Edit { rank: change.rank, scale: change.scale, drop: change.drop.clone(), dtype };
        let draft = edit(&adapter, &change)?;
        permit.go_on(0, draft.modules.len()).await?;
        let mut out = pieces();
        draft.write(&mut out, &mut |at| self.wrote(at, draft.modules.len(), permit.number)).await?;
        let blob = out.close().await.map_err(|error| unwritten(&error))?;
        let files = Array::of1(&blob);
        let mut saved = vec!["adapter_model.safetensors".to_owned()];
        if let Some(config) = draft.config() {
            saved.push("adapter_config.json".into());
            files.push(&config.into());
        }
        let names = match saved.as_slice() {
            [first, last] => tr!("{} and {last}", first, last),
            _ => saved.concat(),
        };
        let mut said = vec![tr!("Saved {}.", names)];
        if !draft.left_out.is_empty() {
            said.push(tr!("Left out: {}.", list_of(&draft.left_out)));
        }
        Ok((Report::Done { saved, said }, files.into()))
    }
}

fn target(adapter: &Adapter<File>, row: usize) -> Result<Target<'_>> {
    adapter.target(row).ok_or_else(|| Error::Missing {
        what: marked!("module"),
        name: row.to_string(),
        hint: tr!("open the adapter again"),
    })
}
