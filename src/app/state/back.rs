//! The way back from a choice that cannot be carried out, as where its data cannot be loaded: to the run that was there,
//! which the trainer has kept.

use super::{Effect, State};
use crate::lang::tr;
use crate::protocol::Command;

/// A choice that cannot be carried out is taken back, and why is said; `None` where there is nothing to go back to.
pub fn go_back(state: &mut State, reason: &str) -> Option<Vec<Effect>> {
    let before = *state.before.take()?;
    let tried = std::mem::replace(state, before);
    state.problems = tried.problems;
    (state.wants_to_run, state.speed, state.flow) = (tried.wants_to_run, tried.speed, tried.flow);
    (state.dark, state.share) = (tried.dark, tried.share);
    let reason = reason.trim_end_matches('.');
    state.problem(tr!("{reason}. So that choice is not made, and the run that was there is kept.", reason));
    let mut effects = vec![Effect::Address(state.link()), Effect::Send(Command::Watch(state.watch))];
    effects.extend(state.look.clone().map(|look| Effect::Send(Command::Look(look))));
    effects.push(Effect::Send(Command::Write(state.prompt.clone())));
    Some(effects)
}
