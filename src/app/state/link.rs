//! What a run is called by: its link, and whether another is the same. Knows nothing of what happens to it.

use super::State;
use crate::config::{Config, Edit, then_text};

impl State {
    /// The query that repeats this run: how it began, what was changed since, and what is still to be.
    pub fn link(&self) -> String {
        let run = &self.run;
        let is_left = |edit: &&Edit| edit.step > run.step || edit.step == run.step && !run.edits.contains(edit);
        let edits: Vec<Edit> = run.edits.iter().chain(self.then.iter().filter(is_left)).cloned().collect();
        let mut query = self.begun.to_query();
        if !edits.is_empty() {
            query += if query.is_empty() { "then=" } else { "&then=" };
            query += &then_text(&edits);
        }
        query
    }

    /// Whether a run that is now set up is another than the one waited for.
    pub(super) fn is_given_up(&self, config: &Config) -> bool {
        let what = |config: &Config| {
            (config.seed, config.task.clone(), config.lanes.clone(), config.optimizer, config.schedule)
        };
        self.run.started.is_none() && what(config) != what(&self.begun)
    }
}
