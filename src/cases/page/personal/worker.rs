//! The personal model's worker: holds base, texts, the last teacher and every run's files, and trains at the bidding of the page. It
//! returns to its event loop between slices of steps, so that it is heard when work is given up. Knows nothing of what is shown.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::cases::page::device::choose;
use crate::cases::personal::class::{Class, Files, Teacher};
use crate::cases::personal::text::{self, FILE};
use crate::cases::personal::wire::{Doing, Order, Plan, Report};
use crate::clock;
use crate::error::{Error, Result};
use crate::files::{Checkpoint, Memory};
use crate::host::file::fetch;
use crate::host::scope::Scope;
use crate::lang::{marked, tr};
use crate::peft::draft::stopped;
use crate::task::text::small_model;

const WEIGHTS: &str = "lm/model.safetensors";
const CONFIG: &str = "lm/config.json";

/// Work at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
pub fn start() -> std::result::Result<(), JsValue> {
    let scope = Scope::own(|info| Report::Crashed(tr!("it failed: {info}", info)))?;
    let desk = Rc::new(Desk {
        scope: scope.clone(),
        files: RefCell::default(),
        class: RefCell::default(),
        teacher: RefCell::default(),
        runs: RefCell::default(),
        wanted: Cell::new(None),
        busy: Cell::new(false),
    });
    scope.listen(move |message| {
        let desk = desk.clone();
        spawn_local(async move {
            match message {
                Ok((order, _)) => desk.carry_out(order).await,
                Err(error) => desk.fail(None, tr!("the worker was sent something that is no order: {error}", error)),
            }
        });
    });
    scope.send(&Report::Listening);
    Ok(())
}

/// What outlives an order.
struct Desk {
    scope: Scope,
    files: RefCell<BTreeMap<&'static str, Vec<u8>>>,
    class: RefCell<Option<Rc<Class>>>,
    teacher: RefCell<Option<Teacher>>,
    /// Files of every run, by its number.
    runs: RefCell<Vec<Files>>,
    /// The work that is wanted; any other gives up.
    wanted: Cell<Option<u32>>,
    busy: Cell<bool>,
}

impl Desk {
    async fn carry_out(&self, order: Order) {
        match order {
            Order::Load { webgpu } => {
                self.give_up().await;
                if let Err(error) = self.load(webgpu).await {
                    self.fail(None, error.to_string());
                }
            }
            Order::Train { number, plan } => {
                self.give_up().await;
                self.wanted.set(Some(number));
                self.busy.set(true);
                let done = self.train(number, &plan).await;
                self.busy.set(false);
                match done {
                    Err(error) if error != stopped() => self.fail(Some(number), error.to_string()),
                    _ => self.scope.send(&Report::Done { number }),
                }
            }
            Order::Stop => self.wanted.set(None),
            Order::Save { run } => self.give(run),
        }
    }

    fn fail(&self, number: Option<u32>, problem: String) {
        self.scope.send(&Report::Failed { number, problem });
    }

    /// Waits for the end of what is being trained, which nobody wants any more.
    async fn give_up(&self) {
        self.wanted.set(None);
        while self.busy.get() {
            self.scope.sleep(5).await;
        }
    }

    /// A file under data/, fetched once.
    async fn file(&self, name: &'static str) -> Result<Vec<u8>> {
        let kept = self.files.borrow().get(name).cloned();
        if let Some(bytes) = kept {
            return Ok(bytes);
        }
        let bytes = fetch(&format!("data/{name}")).await?;
        self.files.borrow_mut().insert(name, bytes.clone());
        Ok(bytes)
    }

    async fn load(&self, webgpu: Option<bool>) -> Result<()> {
        let begun = clock::now();
        let say = |what: String| self.scope.send(&Report::Preparing(what));
        say(tr!("Fetching the base, 0.9 MB"));
        let weights = self.file(WEIGHTS).await?;
        let model =
            small_model(async |name: &str| self.file(if name == WEIGHTS { WEIGHTS } else { CONFIG }).await).await?;
        say(tr!("Fetching the texts, 0.9 MB"));
        let texts = text::read(&self.file(FILE).await?)?;
        let (device, name) = choose(webgpu).await;
        let on_gpu = device.is_some();
        let weights = Checkpoint::open(vec![Memory::new("model.safetensors", weights)]).await?;
        let class = Class::new(model, weights, texts, device);
        say(tr!("Writing every student's file"));
        let students = class.sizes().await?;
        *self.class.borrow_mut() = Some(Rc::new(class));
        // What was trained on another backend stays there.
        *self.teacher.borrow_mut() = None;
        self.scope.send(&Report::Ready { webgpu: on_gpu, name, students, milliseconds: clock::now() - begun });
        Ok(())
    }

    async fn train(&self, number: u32, plan: &Plan) -> Result<()> {
        let missing = || Error::Missing { what: marked!("file"), name: WEIGHTS.into(), hint: tr!("reload the page") };
        let class = self.class.borrow().clone().ok_or_else(missing)?;
        let told = Cell::new(f64::NEG_INFINITY);
        let hear = async |doing: Doing, done: usize, of: usize| {
            // No more often than it is drawn.
            if clock::now() - told.get() > 60.0 || done == of {
                told.set(clock::now());
                self.scope.send(&Report::At { number, doing, done, of });
            }
            self.scope.sleep(0).await;
            if self.wanted.get() == Some(number) { Ok(()) } else { Err(stopped()) }
        };
        let before = self.teacher.borrow_mut().take();
        let mut teacher = class.teacher(before, plan, &hear).await?;
        self.scope.send(&Report::Taught { number, teacher: teacher.bounds });
        let done = self.students(number, plan, (&class, &mut teacher), &hear).await;
        // It is whole, whatever became of its students.
        *self.teacher.borrow_mut() = Some(teacher);
        done
    }

    async fn students(
        &self,
        number: u32,
        plan: &Plan,
        (class, teacher): (&Class, &mut Teacher),
        hear: &impl crate::cases::personal::class::Hears,
    ) -> Result<()> {
        for &student in &plan.students {
            for &way in &plan.ways {
                let id = self.runs.borrow().len();
                let (run, files) = class.run(teacher, plan, (id, student, way), hear).await?;
                self.runs.borrow_mut().push(files);
                self.scope.send(&Report::Ran { number, run: Box::new(run) });
            }
        }
        Ok(())
    }

    fn give(&self, run: usize) {
        let runs = self.runs.borrow();
        let Some(files) = runs.get(run) else {
            return self.fail(None, tr!("this run's files are not there any more; train it again"));
        };
        let pairs: Array =
            files.iter().map(|(name, bytes)| Array::of2(&name.into(), &Uint8Array::from(&bytes[..]))).collect();
        self.scope.send_with(&Report::Given, &pairs);
    }
}
