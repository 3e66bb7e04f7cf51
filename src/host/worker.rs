//! The worker's side: commands arrive as messages, events leave as messages, both postcard bytes. Knows nothing of what
//! they say.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

use super::scope::{fetch, send};
use crate::error::Result;
use crate::protocol::{Command, Event};
use crate::trainer::{self, Transport};

/// Train at the bidding of the page; to be called once, in a dedicated worker.
///
/// # Errors
/// If this is no dedicated worker.
#[wasm_bindgen]
pub fn start_worker() -> std::result::Result<(), JsValue> {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().dyn_into()?;
    let on_panic = scope.clone();
    std::panic::set_hook(Box::new(move |info| {
        console_error_panic_hook::hook(info);
        send(&on_panic, &Event::Problem { message: format!("the trainer failed: {info}"), fatal: true });
    }));
    let queue = Rc::new(RefCell::new(Queue::default()));
    let (incoming, answering) = (queue.clone(), scope.clone());
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        let bytes = Uint8Array::new(&message.data()).to_vec();
        match postcard::from_bytes(&bytes) {
            Ok(command) => incoming.borrow_mut().push(command),
            Err(error) => {
                let message = format!("the trainer was sent something that is no command: {error}");
                send(&answering, &Event::Problem { message, fatal: false });
            }
        }
    });
    scope.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    // Lives as long as the worker.
    on_message.forget();
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
    scope: DedicatedWorkerGlobalScope,
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
        send(&self.scope, &event);
    }

    async fn sleep(&mut self, milliseconds: u32) {
        let timer = Promise::new(&mut |resolve, _| {
            let set = self.scope.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, milliseconds as i32);
            if set.is_err() {
                // Without timers, at least let the queue of promises go on.
                let _ = resolve.call0(&JsValue::UNDEFINED);
            }
        });
        // Resolves only, with nothing to tell.
        let _ = JsFuture::from(timer).await;
    }

    async fn digits(&mut self) -> Result<String> {
        fetch(&self.scope, "data/digits.csv").await
    }
}
