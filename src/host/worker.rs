//! The trainer's worker: commands arrive as messages, events leave as messages. Knows nothing of what they say.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

use futures_util::future::LocalBoxFuture;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::scope::Scope;
use crate::error::{Error, Result};
use crate::files::blob::File;
use crate::lab::begun::Begun;
use crate::lang::tr;
use crate::protocol::text::Bring;
use crate::protocol::{Command, Event};
use crate::task::table::Table;
use crate::task::text::own::{OwnModel, Parts};
use crate::trainer::{self, Transport};

/// Opens what a visitor brings, a model and an adapter: code that is fetched when it is called.
#[derive(Clone, Copy)]
pub struct Open {
    pub model: fn(Parts<File>) -> LocalBoxFuture<'static, Result<OwnModel<File>>>,
    pub adapter: fn((String, File, File)) -> LocalBoxFuture<'static, Result<Begun>>,
    pub table: fn(File) -> LocalBoxFuture<'static, std::result::Result<Table, Vec<Error>>>,
}

/// Train at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
pub fn start(open: Open) -> std::result::Result<(), JsValue> {
    serve(Scope::own(|info| Event::Problem { message: tr!("the trainer failed: {info}", info), fatal: true })?, open);
    Ok(())
}

/// The same in the page itself, where it may have no worker: `port` leads to the page and has a worker's `setTimeout`.
pub fn start_here(port: web_sys::DedicatedWorkerGlobalScope, open: Open) {
    serve(Scope::stand_in(port), open);
}

fn serve(scope: Scope, open: Open) {
    let queue = Rc::new(RefCell::new(Queue::default()));
    let (incoming, answering) = (queue.clone(), scope.clone());
    scope.listen(move |message| match message {
        Ok((command, beside)) => incoming.borrow_mut().push((command, beside)),
        Err(error) => {
            let message = tr!("the trainer was sent something that is no command: {error}", error);
            answering.send(&Event::Problem { message, fatal: false });
        }
    });
    spawn_local(trainer::run(Page { scope, queue, beside: JsValue::UNDEFINED, open }));
}

/// A command, and what lay beside it.
type Heard = (Command, JsValue);

#[derive(Default)]
struct Queue {
    commands: VecDeque<Heard>,
    waiting: Option<Waker>,
}

impl Queue {
    fn push(&mut self, command: Heard) {
        self.commands.push_back(command);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

struct Page {
    scope: Scope,
    queue: Rc<RefCell<Queue>>,
    /// What lay beside the command heard last.
    beside: JsValue,
    open: Open,
}

impl Page {
    fn take(&mut self, (command, beside): Heard) -> Command {
        self.beside = beside;
        command
    }
}

impl Transport for Page {
    type File = File;

    fn poll(&mut self) -> Poll<Option<Command>> {
        let heard = self.queue.borrow_mut().commands.pop_front();
        heard.map_or(Poll::Pending, |heard| Poll::Ready(Some(self.take(heard))))
    }

    async fn next(&mut self) -> Option<Command> {
        let heard = std::future::poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            match queue.commands.pop_front() {
                Some(heard) => Poll::Ready(heard),
                None => {
                    queue.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        Some(self.take(heard))
    }

    fn left(&mut self) -> bool {
        let commands = &mut self.queue.borrow_mut().commands;
        let before = commands.len();
        commands.retain(|(command, _)| !matches!(command, Command::Bring(Bring::Leave)));
        commands.len() < before
    }

    fn emit(&mut self, event: Event) {
        self.scope.send(&event);
    }

    async fn sleep(&mut self, milliseconds: u32) {
        self.scope.sleep(milliseconds).await;
    }

    async fn file(&mut self, name: &str) -> Result<Vec<u8>> {
        super::file::fetch(&format!("data/{name}")).await
    }

    fn files(&mut self, paths: &[String]) -> Result<Vec<File>> {
        let files = js_sys::Array::from(&std::mem::replace(&mut self.beside, JsValue::UNDEFINED));
        paths.iter().zip(files.iter()).map(|(path, file)| File::new(path, &file)).collect()
    }

    async fn open_model(&mut self, parts: Parts<File>) -> Result<OwnModel<File>> {
        (self.open.model)(parts).await
    }

    async fn open_adapter(&mut self, parts: (String, File, File)) -> Result<Begun> {
        (self.open.adapter)(parts).await
    }

    async fn open_table(&mut self, file: File) -> std::result::Result<Table, Vec<Error>> {
        (self.open.table)(file).await
    }
}
