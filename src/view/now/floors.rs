//! Sentences about predicted floors: who is stuck at one, and whom routing takes below the floor of every single
//! weight.

use super::{State, gates::routes_each_domain};
use crate::{method::description::Reach, protocol::Floor, view::format::three};

/// A lane is at a floor within this share of it …
const NEAR: f64 = 0.03;
/// … and stuck there if the mean loss moved by no more than this share between the two windows.
const STILL: f64 = 0.05;
/// Floors below this share of the target's energy are as good as 0; nobody is stuck there.
const VISIBLE: f64 = 0.02;
/// Below this share of a floor no chance of the batches can explain the loss.
const BELOW: f64 = 0.9;

pub fn met(state: &State<'_>) -> Option<String> {
    let stuck = stuck(state);
    // A floor that binds full fine-tuning binds every single weight; one that binds LoRA alone may be its rank's.
    let any_weight = state
        .started
        .floors
        .iter()
        .filter(|floor| floor.share >= VISIBLE && binds_full(state, floor))
        .max_by(|a, b| a.share.total_cmp(&b.share));
    let routed = any_weight.map_or_else(Vec::new, |floor| {
        let low = state.recent().into_iter();
        low.filter(|&(i, loss)| is_gated(state, i) && loss < BELOW * floor.share).collect()
    });
    let routing = |(lane, loss): &(usize, f64)| {
        let how = match routes_each_domain(state, *lane) {
            true => "routes each domain to its own expert",
            false => "goes below that by routing",
        };
        format!("{} {how}: {}", state.name(*lane), three(*loss))
    };
    let routing = routed.iter().map(routing).collect::<Vec<_>>().join("; ");
    match (stuck.is_empty(), routed.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("{}.", stuck.join("; "))),
        (false, false) => Some(format!("{}; {routing}.", stuck.join("; "))),
        (true, false) => {
            any_weight.map(|floor| format!("no single weight gets below {}; {routing}.", three(floor.share)))
        }
    }
}

/// One clause per floor at which lanes are stuck.
fn stuck(state: &State<'_>) -> Vec<String> {
    let mut at: Vec<(usize, Vec<(usize, f64)>)> = Vec::new();
    for (lane, history) in state.sound() {
        let floors = state.started.floors.iter().enumerate();
        let binding =
            floors.filter(|(_, floor)| floor.lanes.contains(&lane)).max_by(|a, b| a.1.share.total_cmp(&b.1.share));
        let (Some((index, floor)), Some(recent), Some(earlier)) = (binding, history.recent(), history.earlier()) else {
            continue;
        };
        let near = (recent - floor.share).abs() <= NEAR * floor.share;
        let still = (recent - earlier).abs() <= STILL * earlier;
        // The floors are those of the sizes the run began with.
        let unchanged = state.started.config.lanes.get(lane) == Some(&state.frame.lanes[lane].lane);
        if floor.share >= VISIBLE && near && still && unchanged {
            match at.iter_mut().find(|(known, _)| *known == index) {
                Some((_, lanes)) => lanes.push((lane, recent)),
                None => at.push((index, vec![(lane, recent)])),
            }
        }
    }
    at.iter()
        .map(|(index, lanes)| {
            let floor = &state.started.floors[*index];
            let names: Vec<usize> = lanes.iter().map(|(lane, _)| *lane).collect();
            let mean = lanes.iter().map(|(_, loss)| loss).sum::<f64>() / lanes.len() as f64;
            format!(
                "{} {} stuck at {}, {} ({})",
                state.names(&names),
                if names.len() == 1 { "is" } else { "are" },
                three(mean),
                limit(state, floor),
                three(floor.share)
            )
        })
        .collect()
}

/// Whose floor it is, as far as the lanes bound by it tell.
fn limit(state: &State<'_>, floor: &Floor) -> String {
    if binds_full(state, floor) {
        return "the best any single weight can do".into();
    }
    let mut ranks = floor.lanes.iter().map(|&lane| match reach(state, lane) {
        Some(Reach::Single { rank }) => rank,
        _ => None,
    });
    match ranks.next().flatten() {
        Some(rank) if ranks.all(|other| other == Some(rank)) => {
            format!("the best a change of rank {rank} can do")
        }
        _ => "the predicted floor".into(),
    }
}

/// What theory knows of a lane on the first layer, the only one that there are floors for.
fn reach(state: &State<'_>, lane: usize) -> Option<Reach> {
    Some(state.frame.lanes.get(lane)?.lane.reach_at(0))
}

fn binds_full(state: &State<'_>, floor: &Floor) -> bool {
    let mut lanes = floor.lanes.iter();
    lanes.any(|&lane| reach(state, lane) == Some(Reach::Single { rank: None }))
}

fn is_gated(state: &State<'_>, lane: usize) -> bool {
    state.frame.lanes.get(lane).is_some_and(|lane| lane.lane.is_gated())
}
