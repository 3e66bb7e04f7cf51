//! A shared snapshot, compared by identity: what components take as a property, so that one whose data did not
//! change is not drawn again. Knows nothing of what it holds.

use std::{ops::Deref, rc::Rc};

#[derive(Debug)]
pub struct Snap<T>(Rc<T>);

impl<T> Snap<T> {
    pub fn new(value: T) -> Self {
        Self(Rc::new(value))
    }
}

impl<T: Clone> Snap<T> {
    /// Changes the value; whoever holds the old snapshot keeps the old value.
    pub fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut value = T::clone(&self.0);
        change(&mut value);
        self.0 = Rc::new(value);
    }
}

impl<T: Default> Default for Snap<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Clone for Snap<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> PartialEq for Snap<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Snap<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
