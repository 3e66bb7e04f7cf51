//! The trainer's worker: commands arrive as messages, events leave as messages. Knows nothing of what they say.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::scope::Scope;
use crate::error::Result;
use crate::protocol::{Command, Event};
use crate::trainer::{self, Transport};

/// Train at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
#[wasm_bindgen]
pub fn trainer_worker() -> std::result::Result<(), JsValue> {
    let scope = Scope::own(|info| Event::Problem { message: format!("the trainer failed: {info}"), fatal: true })?;
    let queue = Rc::new(RefCell::new(Queue::default()));
    let (incoming, answering) = (queue.clone(), scope.clone());
    scope.listen(move |message| match message {
        Ok((command, _)) => incoming.borrow_mut().push(command),
        Err(error) => {
            let message = format!("the trainer was sent something that is no command: {error}");
            answering.send(&Event::Problem { message, fatal: false });
        }
    });
    spawn_local(trainer::run(Page { scope, queue }));
    Ok(())
}

#[derive(Default)]
struct Queue {
    commands: VecDeque<Command>,
    waiting: Option<Waker>,
}

impl Queue {
    fn push(&mut self, command: Command) {
        self.commands.push_back(command);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

struct Page {
    scope: Scope,
    queue: Rc<RefCell<Queue>>,
}

impl Transport for Page {
    fn poll(&mut self) -> Poll<Option<Command>> {
        self.queue.borrow_mut().commands.pop_front().map_or(Poll::Pending, |command| Poll::Ready(Some(command)))
    }

    async fn next(&mut self) -> Option<Command> {
        std::future::poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            match queue.commands.pop_front() {
                Some(command) => Poll::Ready(Some(command)),
                None => {
                    queue.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
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
}
