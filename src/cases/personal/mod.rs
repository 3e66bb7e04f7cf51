//! A personal model under a budget: a text of one's own, students that learn it, a teacher that has read more, and files that are
//! measured by being read again. All but the view, which is the page's, and the worker, which is too.

pub mod class;
pub mod state;
pub mod students;
pub mod text;
pub mod wire;
pub mod words;
