//! The worker that holds base and adapters: reads texts with all of them at once or with one, and adds several. It returns to its
//! event loop between batches, so that a newer order is heard. Knows nothing of what is shown.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::cases::languages::kinds::kind;
use crate::cases::languages::merging::{COUNTS, WAYS, alone, sums};
use crate::cases::languages::state::FIRST;
use crate::cases::languages::wire::{Merging, Order, Reading, Report, Switched};
use crate::cases::page::device::choose;
use crate::clock;
use crate::error::{Error, Result};
use crate::exec::gpu::Device;
use crate::files::{Memory, broken};
use crate::host::file::fetch;
use crate::host::scope::Scope;
use crate::lab::library::Library;
use crate::lab::many::Many;
use crate::lang::{marked, tr};
use crate::peft::draft::stopped;
use crate::peft::plain::Files;
use crate::task::text::{Model, Passages, small_model};

/// Tokens of a passage, as the adapters were measured; and of a short text's only one.
const PASSAGE: usize = 128;
const SHORT: usize = 64;
/// Rows of one batch: fifty adapters and the base are three, so that a switch has not long to wait.
const ROWS: usize = 17;
/// Held-out bytes that a sum is measured on.
const HELD: usize = 512;
const TEXTS: &str = "lm/texts.json";

/// Work at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
pub fn start() -> std::result::Result<(), JsValue> {
    let scope = Scope::own(|info| Report::Crashed(tr!("it failed: {info}", info)))?;
    let desk = Rc::new(Desk::new(scope.clone()));
    scope.listen(move |message| {
        let desk = desk.clone();
        spawn_local(async move {
            let done = match message {
                Ok((order, _)) => desk.carry_out(order).await,
                Err(error) => {
                    return desk
                        .scope
                        .send(&Report::Failed(tr!("the worker was sent something that is no order: {error}", error)));
                }
            };
            if let Err(error) = done {
                desk.scope.send(&Report::Failed(error.to_string()));
            }
        });
    });
    scope.send(&Report::Listening);
    Ok(())
}

/// A language's text; what is trained on is not needed here.
#[derive(Deserialize)]
struct Text {
    held: String,
}

/// What outlives an order.
struct Desk {
    scope: Scope,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
    library: RefCell<Option<Rc<Library>>>,
    device: RefCell<Option<Device>>,
    /// By passages and tokens.
    many: RefCell<BTreeMap<(usize, usize), Rc<Many>>>,
    /// A batch is under way; and how many reads with one adapter wait for its end.
    busy: Cell<bool>,
    switching: Cell<usize>,
    /// Numbers of the text and of the sum that were ordered last: work of an older one gives up.
    reading: Cell<u32>,
    merging: Cell<u32>,
}

impl Desk {
    fn new(scope: Scope) -> Self {
        Self {
            scope,
            files: RefCell::default(),
            library: RefCell::default(),
            device: RefCell::default(),
            many: RefCell::default(),
            busy: Cell::new(false),
            switching: Cell::new(0),
            reading: Cell::new(0),
            merging: Cell::new(0),
        }
    }

    async fn carry_out(&self, order: Order) -> Result<()> {
        match order {
            Order::Load { webgpu } => self.load(webgpu).await,
            Order::Read { number, text } => self.read(number, &text).await,
            Order::Switch { number, text, adapter } => self.switch(number, &text, adapter).await,
            Order::Give { adapters } => self.give(&adapters).await,
            Order::Merge { number, language, others, share } => self.merge(number, language, others, share).await,
        }
    }

    /// Lets messages in.
    async fn turn(&self) {
        self.scope.sleep(0).await;
    }

    /// A file under data/, fetched once.
    async fn file(&self, name: &str) -> Result<Vec<u8>> {
        let kept = self.files.borrow().get(name).cloned();
        if let Some(bytes) = kept {
            return Ok(bytes);
        }
        let bytes = fetch(&format!("data/{name}")).await?;
        self.files.borrow_mut().insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    async fn load(&self, webgpu: Option<bool>) -> Result<()> {
        let begun = clock::now();
        let say = |what: String| self.scope.send(&Report::Preparing(what));
        self.many.borrow_mut().clear();
        if self.library.borrow().is_none() {
            say(tr!("Fetching the fifty adapters, 2.9 MB"));
            let bytes = fetch("data/lm/adapters.safetensors").await?;
            let library = Library::open(Memory::new("adapters.safetensors", bytes)).await?;
            *self.library.borrow_mut() = Some(Rc::new(library));
        }
        say(tr!("Fetching the base, 0.9 MB"));
        self.model().await?;
        say(tr!("Making base and adapters ready"));
        let (device, name) = choose(webgpu).await;
        let on_gpu = device.is_some();
        *self.device.borrow_mut() = device;
        // What a text takes first is made now.
        self.many(ROWS, PASSAGE).await?;
        self.many(1, PASSAGE).await?;
        self.scope.send(&Report::Ready { webgpu: on_gpu, name, milliseconds: clock::now() - begun });
        Ok(())
    }

    async fn model(&self) -> Result<Model> {
        small_model(async |name: &str| self.file(name).await).await
    }

    fn library(&self) -> Result<Rc<Library>> {
        let missing =
            || Error::Missing { what: marked!("file"), name: "adapters".into(), hint: tr!("reload the page") };
        self.library.borrow().clone().ok_or_else(missing)
    }

    /// Base and adapters with room for so many passages of so many tokens: made once.
    async fn many(&self, passages: usize, tokens: usize) -> Result<Rc<Many>> {
        let kept = self.many.borrow().get(&(passages, tokens)).cloned();
        if let Some(many) = kept {
            return Ok(many);
        }
        let model = self.model().await?;
        let device = self.device.borrow().clone();
        let many = Rc::new(Many::new(model, &*self.library()?, (passages, tokens), device)?);
        self.many.borrow_mut().insert((passages, tokens), many.clone());
        Ok(many)
    }

    /// Nats of a passage by row, each with an adapter of its own, in batches of so many; and the milliseconds they took. Between
    /// two batches newer orders are heard and a read with one adapter goes first; `None` once this work is not wanted any more.
    async fn batches(
        &self,
        many: &Many,
        (rows, passage): (&[Option<usize>], &[u8]),
        wanted: impl Fn() -> bool,
    ) -> Result<Option<(Vec<f32>, f64)>> {
        let (room, tokens) = many.room();
        let (mut all, mut spent) = (Vec::new(), 0.0);
        for rows in rows.chunks(room) {
            self.turn().await;
            while self.busy.get() || self.switching.get() > 0 {
                self.turn().await;
            }
            if !wanted() {
                return Ok(None);
            }
            self.busy.set(true);
            let begun = clock::now();
            let nats = match many.choose(rows) {
                Ok(()) => many.nats(&repeated(passage, tokens, rows.len())).await,
                Err(error) => Err(error),
            };
            self.busy.set(false);
            spent += clock::now() - begun;
            all.extend(nats?);
        }
        Ok(Some((all, spent)))
    }

    /// The same passage read with every adapter, and without.
    async fn read(&self, number: u32, text: &[u8]) -> Result<()> {
        self.reading.set(number);
        let count = self.library()?.names.len();
        let tokens = if text.len() <= SHORT { SHORT } else { PASSAGE };
        let many = self.many(ROWS, tokens).await?;
        let rows: Vec<Option<usize>> = (0..count).map(Some).chain([None]).collect();
        let mut sums = vec![(0.0, 0.0); rows.len()];
        let (mut read, mut spent) = (0, 0.0);
        for passage in text.chunks(tokens) {
            let Some((nats, took)) = self.batches(&many, (&rows, passage), || self.reading.get() == number).await?
            else {
                return Ok(());
            };
            spent += took;
            for (sum, nats) in sums.iter_mut().zip(nats.chunks(tokens)) {
                for (at, &nats) in nats[..passage.len()].iter().enumerate() {
                    let bits = f64::from(nats) / std::f64::consts::LN_2;
                    sum.0 += bits;
                    sum.1 += if read + at < FIRST { bits } else { 0.0 };
                }
            }
            read += passage.len();
            let (all, first) = (read as f64, read.min(FIRST) as f64);
            self.scope.send(&Report::Read(Reading {
                number,
                read,
                of: text.len(),
                bits: sums.iter().map(|(sum, _)| sum / all).collect(),
                first: sums.iter().map(|(_, sum)| sum / first).collect(),
                milliseconds: spent,
            }));
        }
        Ok(())
    }

    async fn switch(&self, number: u32, text: &[u8], adapter: Option<usize>) -> Result<()> {
        self.switching.set(self.switching.get() + 1);
        while self.busy.get() {
            self.turn().await;
        }
        self.busy.set(true);
        let done = self.alone(number, text, adapter).await;
        self.busy.set(false);
        self.switching.set(self.switching.get() - 1);
        done
    }

    async fn alone(&self, number: u32, text: &[u8], adapter: Option<usize>) -> Result<()> {
        let many = self.many(1, PASSAGE).await?;
        let (mut bits, mut switch, mut spent) = (Vec::new(), None, 0.0);
        for passage in text.chunks(PASSAGE) {
            let begun = clock::now();
            many.choose(&[adapter])?;
            let chosen = clock::now();
            let nats = many.nats(&repeated(passage, PASSAGE, 1)).await?;
            switch.get_or_insert(chosen - begun);
            spent += clock::now() - chosen;
            bits.extend(nats[..passage.len()].iter().map(|nats| nats / std::f32::consts::LN_2));
            if self.reading.get() != number {
                return Ok(());
            }
        }
        let switch = switch.unwrap_or(0.0);
        self.scope.send(&Report::Switched(Switched { number, adapter, switch, read: spent, bits }));
        Ok(())
    }

    async fn give(&self, adapters: &[usize]) -> Result<()> {
        let library = self.library()?;
        let files = Array::new();
        let bytes = |bytes: &[u8]| JsValue::from(Uint8Array::from(bytes));
        for &adapter in adapters {
            let Files { adapter: tensors, config } = alone(&library, adapter).await?;
            let folder = kind(&library.names[adapter]).name;
            for (name, content) in
                [("adapter_model.safetensors", bytes(&tensors)), ("adapter_config.json", config.into())]
            {
                files.push(&Array::of2(&format!("{folder}/{name}").into(), &content));
            }
        }
        let base = self.file("lm/model.safetensors").await?;
        files.push(&Array::of2(&"base/model.safetensors".into(), &bytes(&base)));
        self.scope.send_with(&Report::Given, &files);
        Ok(())
    }

    async fn merge(&self, number: u32, language: usize, others: Vec<usize>, share: bool) -> Result<()> {
        self.merging.set(number);
        let begun = clock::now();
        let library = self.library()?;
        let texts: BTreeMap<String, Text> = serde_json::from_slice(&self.file(TEXTS).await?)
            .map_err(|error| broken(TEXTS, tr!("is not understood: {error}", error)))?;
        let code = &library.names[language];
        let text = texts.get(code).ok_or_else(|| broken(TEXTS, tr!("has no text in \"{code}\"", code)))?;
        let held = &text.held.as_bytes()[..text.held.len().min(HELD)];
        let adapters: Vec<usize> = [language].into_iter().chain(others).collect();
        let mut merging =
            Merging { number, language, share, points: Vec::new(), base: 0.0, done: 0, of: 1, milliseconds: 0.0 };
        let passages = held.len().div_ceil(PASSAGE);
        // Making the sums is a half of it, reading with them the other.
        let merged = sums(&library, &adapters, share, async |done, of| {
            self.scope.send(&Report::Merged(Merging { done, of: of + passages + 1, ..merging.clone() }));
            self.turn().await;
            if self.merging.get() == number { Ok(()) } else { Err(stopped()) }
        })
        .await;
        let merged = match merged {
            Err(error) if error == stopped() => return Ok(()),
            merged => merged?,
        };
        let (count, device) = (merged.names.len(), self.device.borrow().clone());
        merging.of = count + passages + 1;
        let many = Many::new(self.model().await?, &merged, (ROWS, PASSAGE), device)?;
        let rows: Vec<Option<usize>> = (0..count).map(Some).chain([None]).collect();
        let mut bits = vec![0.0; rows.len()];
        for (at, passage) in held.chunks(PASSAGE).enumerate() {
            let Some((nats, _)) = self.batches(&many, (&rows, passage), || self.merging.get() == number).await? else {
                return Ok(());
            };
            for (bits, nats) in bits.iter_mut().zip(nats.chunks(PASSAGE)) {
                let sum: f64 = nats[..passage.len()].iter().map(|&nats| f64::from(nats)).sum();
                *bits += sum / held.len() as f64 / std::f64::consts::LN_2;
            }
            merging.done = count + at + 1;
            self.scope.send(&Report::Merged(merging.clone()));
        }
        merging.base = bits.last().copied().unwrap_or(0.0);
        let ways = |at: usize| std::array::from_fn(|way| bits[at * WAYS.len() + way]);
        merging.points = COUNTS.into_iter().take(count / WAYS.len()).enumerate().map(|(at, n)| (n, ways(at))).collect();
        merging.done = merging.of;
        merging.milliseconds = clock::now() - begun;
        self.scope.send(&Report::Merged(merging));
        Ok(())
    }
}

/// A batch of one passage, so many times.
fn repeated(passage: &[u8], tokens: usize, times: usize) -> Passages {
    let text: Vec<u32> = passage.iter().map(|&byte| byte.into()).collect();
    let one = Passages::of_all(&text, tokens, 0);
    Passages { x: one.x.repeat(times), y: one.y.repeat(times) }
}
