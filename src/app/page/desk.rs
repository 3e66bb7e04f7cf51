//! The lab's other hand: how what stands beside the panels reads their run and acts on it. Knows nothing of who that is.

use std::cell::RefCell;

use yew::Callback;

use super::Handle;
use crate::app::state::{Msg, State};
use crate::view::action::Action;

/// By name.
pub type Files = Vec<(String, Vec<u8>)>;

thread_local! {
    static LAB: RefCell<Option<Handle>> = const { RefCell::new(None) };
    static TAKER: RefCell<Option<Callback<Files>>> = const { RefCell::new(None) };
    static LISTENERS: RefCell<Vec<Callback<()>>> = const { RefCell::new(Vec::new()) };
}

/// The lab is there.
pub(super) fn place(lab: &Handle) {
    LAB.with(|place| *place.borrow_mut() = Some(lab.clone()));
}

/// Something has happened in the lab.
pub(super) fn tell() {
    let listeners = LISTENERS.with(|listeners| listeners.borrow().clone());
    listeners.iter().for_each(|listener| listener.emit(()));
}

/// From now on `listener` is called whenever something has happened in the lab.
pub fn listen(listener: Callback<()>) {
    LISTENERS.with(|listeners| listeners.borrow_mut().push(listener));
}

/// Does what a person could have done.
pub fn act(action: Action) {
    let lab = LAB.with(|lab| lab.borrow().clone());
    if let Some(lab) = lab {
        lab.handle(Msg::Act(action));
    }
}

/// What `look` finds in the lab's state; `None` as long as there is no lab.
pub fn read<T>(look: impl FnOnce(&State) -> T) -> Option<T> {
    let lab = LAB.with(|lab| lab.borrow().clone())?;
    let core = lab.core.borrow();
    Some(look(&core.state))
}

/// From now on `taker` is given the files that the page around has asked for.
pub fn take(taker: Callback<Files>) {
    TAKER.with(|place| *place.borrow_mut() = Some(taker));
}

pub(super) fn hand_over(files: Files) {
    let taker = TAKER.with(|taker| taker.borrow().clone());
    if let Some(taker) = taker {
        taker.emit(files);
    }
}
