//! Numbers that nobody changes, held once by all who read them: a frozen base has its run, its displays and the CPU that it runs
//! on as readers. Knows nothing of what they are.

use std::ops::Deref;
use std::rc::Rc;

/// See the module. A clone is the same numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fixed<F = f32>(Rc<Vec<F>>);

impl<F: Clone> Fixed<F> {
    /// For one who has them alone, as where they are made; otherwise a copy takes their place.
    pub fn to_mut(&mut self) -> &mut Vec<F> {
        Rc::make_mut(&mut self.0)
    }

    /// Whether these are the very same numbers, in the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<F> From<Vec<F>> for Fixed<F> {
    fn from(values: Vec<F>) -> Self {
        Self(Rc::new(values))
    }
}

impl<F> Deref for Fixed<F> {
    type Target = Vec<F>;
    fn deref(&self) -> &Vec<F> {
        &self.0
    }
}
