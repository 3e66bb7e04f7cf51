//! What a person looks at, and in which colours. Knows nothing of the run.

use super::{Effect, State};
use crate::protocol::Command;

/// The theme is this one from now on, whatever the system's.
pub fn theme(state: &mut State, dark: bool) -> Vec<Effect> {
    (state.dark, state.themed) = (dark, true);
    vec![Effect::Theme { dark }]
}

/// The drawing is of this token, while it is in view.
pub fn flow(state: &mut State, (shown, token): (bool, usize)) -> Vec<Effect> {
    let old = std::mem::replace(&mut state.flow, (shown, token));
    if old == state.flow { vec![] } else { vec![Effect::Send(Command::Flow(shown.then_some(token)))] }
}
