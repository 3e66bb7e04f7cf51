//! Views that appear at once come one after another, each in a task of the browser's own, so that none of the tasks is long
//! and what the visitor does meanwhile is answered. Knows nothing of the views but their names.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// Which views are in the page.
#[derive(Default)]
pub struct Turns {
    shown: RefCell<BTreeSet<&'static str>>,
    asked: RefCell<BTreeSet<&'static str>>,
    is_given: Cell<bool>,
    is_left: Cell<bool>,
}

impl Turns {
    /// Before the views of a page are asked for.
    pub fn begin(&self) {
        self.asked.borrow_mut().clear();
        self.is_given.set(false);
        self.is_left.set(false);
    }

    /// Whether a view that belongs into the page may be in it by now: one more each time.
    pub fn has(&self, view: &'static str) -> bool {
        self.asked.borrow_mut().insert(view);
        let mut shown = self.shown.borrow_mut();
        let has = shown.contains(view) || !self.is_given.replace(true) && shown.insert(view);
        self.is_left.set(self.is_left.get() || !has);
        has
    }

    /// After all were asked for: whether some still wait. A view that went out of the page waits for a turn again.
    pub fn end(&self) -> bool {
        let asked = self.asked.borrow();
        self.shown.borrow_mut().retain(|view| asked.contains(view));
        self.is_left.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(turns: &Turns, wanted: &[&'static str]) -> (Vec<&'static str>, bool) {
        turns.begin();
        let shown = wanted.iter().copied().filter(|view| turns.has(view)).collect();
        (shown, turns.end())
    }

    #[test]
    fn one_more_each_time() {
        let turns = Turns::default();
        assert_eq!(render(&turns, &["lanes"]), (vec!["lanes"], false));
        assert_eq!(render(&turns, &["lanes", "loss", "gates"]), (vec!["lanes", "loss"], true));
        assert_eq!(render(&turns, &["lanes", "loss", "gates"]), (vec!["lanes", "loss", "gates"], false));
        // One that left comes back in its turn, and what stands is not taken away meanwhile.
        assert_eq!(render(&turns, &["lanes", "gates"]), (vec!["lanes", "gates"], false));
        assert_eq!(render(&turns, &["text", "lanes", "loss", "gates"]), (vec!["text", "lanes", "gates"], true));
        assert_eq!(
            render(&turns, &["text", "lanes", "loss", "gates"]),
            (vec!["text", "lanes", "loss", "gates"], false)
        );
    }
}
