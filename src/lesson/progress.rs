//! Which steps a visitor has been through, as text for the browser's store. Pure; what cannot be read is as if there were
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Progress {
    /// By lesson: its steps gone through, by id.
    #[serde(default)]
    done: BTreeMap<String, BTreeSet<String>>,
    /// How many steps a lesson has, as far as it was opened.
    #[serde(default)]
    steps: BTreeMap<String, usize>,
}

impl Progress {
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn finish(&mut self, lesson: &str, step: &str, steps: usize) {
        self.done.entry(lesson.into()).or_default().insert(step.into());
        self.steps.insert(lesson.into(), steps);
    }

    pub fn is_done(&self, lesson: &str, step: &str) -> bool {
        self.done.get(lesson).is_some_and(|done| done.contains(step))
    }

    /// Steps gone through, and how many there are; `None` where it was never opened.
    pub fn of(&self, lesson: &str) -> Option<(usize, usize)> {
        Some((self.done.get(lesson)?.len(), *self.steps.get(lesson)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_outlives_the_visit_and_nonsense_does_no_harm() {
        let mut progress = Progress::default();
        progress.finish("rank", "cut", 4);
        progress.finish("rank", "cut", 4);
        let read = Progress::read(&progress.write());
        assert_eq!((read.of("rank"), read.of("merge")), (Some((1, 4)), None));
        assert!(read.is_done("rank", "cut") && !read.is_done("rank", "tail"));
        assert_eq!(Progress::read("nonsense"), Progress::default());
    }
}
