//! A run that several pages look at, any of which may begin another. Knows nothing of how they hear of it.

use super::{Effect, State};
use crate::config::Config;
use crate::view::run::Run;
use crate::view::snap::Snap;

/// A run begins that this page has not asked for, or it is come to late: from here on it is this page's too.
pub fn adopt(state: &mut State, config: Config) -> Vec<Effect> {
    // One that was asked for here is not set up yet, and begins as it was asked for.
    if state.embed.is_none() || state.run.started.is_none() && !state.is_given_up(&config) {
        return vec![];
    }
    state.begun = Snap::new(config);
    state.config = state.begun.clone();
    (state.draft, state.before, state.by_hand, state.gate) = (None, None, false, None);
    state.then.clear();
    state.waiting = 0;
    state.run = Run::default();
    vec![Effect::Address(state.link())]
}
