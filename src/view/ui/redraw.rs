//! Drawing a page anew: at once, or once per frame of the screen however often it is asked for. Knows nothing of what is
//! drawn.

use std::cell::RefCell;
use std::rc::Rc;

use gloo::render::{AnimationFrame, request_animation_frame};
use yew::Callback;

#[derive(Clone)]
pub struct Redraw {
    render: Callback<()>,
    frame: Rc<RefCell<Option<AnimationFrame>>>,
}

impl Redraw {
    pub fn new(render: Callback<()>) -> Self {
        Self { render, frame: Rc::default() }
    }

    pub fn now(&self) {
        self.render.emit(());
    }

    /// For what arrives faster than anybody reads.
    pub fn soon(&self) {
        let mut frame = self.frame.borrow_mut();
        if frame.is_none() {
            let own = self.clone();
            *frame = Some(request_animation_frame(move |_| {
                *own.frame.borrow_mut() = None;
                own.now();
            }));
        }
    }
}
