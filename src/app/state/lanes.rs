//! Lanes that change without a new start, and lanes brought to one size.

use super::{Effect, State};
use crate::config::{Config, Edit, What};
use crate::method::match_size::{lane_count, match_parameters};
use crate::protocol::Command;
use crate::task::network::LinearSite;
use crate::view::snap::Snap;

/// What needs no new start is changed in the run under way.
pub fn tune(state: &mut State, config: &Config) -> Option<Vec<Effect>> {
    let whole = Config { lanes: state.config.lanes.clone(), ..config.clone() };
    let lanes = || state.config.lanes.iter().zip(&config.lanes);
    let same = state.config.lanes.len() == config.lanes.len() && whole == *state.config;
    if !same || !lanes().all(|(old, new)| old.tunes_to(new)) {
        return None;
    }
    let changed = lanes().enumerate().filter(|(_, (old, new))| old != new);
    let effects: Vec<Effect> =
        changed.map(|(lane, (_, to))| Effect::Send(Command::Tune { lane, to: to.clone() })).collect();
    state.config = Snap::new(config.clone());
    state.by_hand = true;
    state.waiting += effects.len();
    Some(effects)
}

/// Changes that a run under way takes, as a link's are.
pub fn change(state: &mut State, edits: Vec<Edit>) -> Vec<Effect> {
    let mut config = Config::clone(&state.config);
    for edit in &edits {
        if let (What::Lane(to), Some(own)) = (&edit.what, config.lanes.get_mut(edit.lane)) {
            *own = to.clone();
            state.by_hand = true;
            state.waiting += 1;
        }
    }
    state.config = Snap::new(config);
    edits.into_iter().map(|edit| Effect::Send(edit.command())).collect()
}

/// Lanes are what the run says they are, once it has heard of all that was asked for.
pub fn follow(state: &mut State) {
    let frames = &state.run.lanes;
    if frames.len() == state.config.lanes.len()
        && frames.iter().zip(&state.config.lanes).any(|(view, lane)| view.frame.lane != *lane)
    {
        let lanes = frames.iter().map(|view| view.frame.lane.clone()).collect();
        state.config = Snap::new(Config { lanes, ..Config::clone(&state.config) });
    }
}

/// The shown configuration with every lane brought to the size of its first adapter.
pub fn matched(state: &State) -> Option<Config> {
    let started = state.run.started.as_ref()?;
    let layers: Vec<LinearSite> = started.layers.iter().map(|layer| layer.site.clone()).collect();
    let mut config = Config::clone(state.shown());
    let first = config.lanes.iter().find(|l| l.size().is_some())?;
    let target = lane_count(first, &layers);
    config.lanes = match_parameters(&config.lanes, &layers, target);
    Some(config)
}
