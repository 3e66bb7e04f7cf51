//! Files that one part of the page hands to another: put there by the first, taken by the second when it is shown. Pairs of a path
//! and a file or its bytes. Knows nothing of what is in them.

use std::cell::RefCell;

use js_sys::Array;

thread_local! {
    static SHELF: RefCell<Option<Array>> = const { RefCell::new(None) };
}

/// In the place of what nobody has taken.
pub fn put(files: Array) {
    SHELF.with(|shelf| *shelf.borrow_mut() = Some(files));
}

pub fn take() -> Option<Array> {
    SHELF.with(|shelf| shelf.borrow_mut().take())
}
