//! Sentences about predicted floors: who is stuck at one, and whom routing takes below the floor of every single
//! weight.

use super::{LaneHistory, State, gates::routes_each_domain};
use crate::lang::tr;
use crate::{
    config::Task,
    method::description::Reach,
    protocol::{Binds, Floor},
    view::format::{list, three},
};

/// A lane is at a floor within this share of what the floor is without noise …
const NEAR: f64 = 0.03;
/// … and stuck there if the mean loss moved by no more than this share between the two windows.
const STILL: f64 = 0.05;
/// Floors below this share of the target's energy are as good as 0; nobody is stuck there.
const VISIBLE: f64 = 0.02;
/// Below this share of a floor no chance of the batches can explain the loss.
const BELOW: f64 = 0.9;

pub fn met(state: &State<'_>) -> Option<String> {
    let (stuck, held) = stuck(state);
    let any_weight = state
        .started
        .floors
        .iter()
        .filter(|floor| floor.share - floor.noise >= VISIBLE && floor.binds == Some(Binds::AnyWeight))
        .max_by(|a, b| a.share.total_cmp(&b.share));
    let routed = any_weight.map_or_else(Vec::new, |floor| {
        let low = state.recent().into_iter();
        let below = floor.noise + BELOW * (floor.share - floor.noise);
        // A lane stuck at a floor of its own is named there.
        low.filter(|&(i, loss)| is_gated(state, i) && !held.contains(&i) && loss < below).collect()
    });
    let routing = |(lane, loss): &(usize, f64)| {
        let how = match routes_each_domain(state, *lane) {
            true => tr!("routes each domain to its own expert"),
            false => tr!("goes below that by routing"),
        };
        tr!("{lane} {how}: {loss}", lane = state.name(*lane), how, loss = three(*loss))
    };
    let failing = any_weight.map_or_else(Vec::new, |floor| failing(state, floor));
    let routing = routed.iter().map(routing).chain(failing).collect::<Vec<_>>().join(&tr!("; "));
    match (stuck.is_empty(), routing.is_empty()) {
        (true, true) => None,
        (false, true) => Some(tr!("{}.", stuck.join(&tr!("; ")))),
        (false, false) => Some(tr!("{}; {routing}.", stuck.join(&tr!("; ")), routing)),
        (true, false) => {
            any_weight.map(|floor| tr!("no single weight gets below {}; {routing}.", three(floor.share), routing))
        }
    }
}

/// Lanes whose one gate for a sequence cannot tell the domains that are mixed in it, and that gain nothing by it.
fn failing(state: &State<'_>, floor: &Floor) -> Vec<String> {
    let mixes = matches!(&state.started.config.task, Task::Domains(task) if task.mixed && task.sequence > 1);
    let fails = |(lane, history): (usize, &LaneHistory)| {
        let pooled = matches!(state.frame.lanes[lane].lane.reach_at(0), Reach::Routed { per_sequence: true, .. });
        let (earlier, recent) = (history.earlier()?, history.recent()?);
        let still = (recent - earlier).abs() <= STILL * earlier;
        (mixes && pooled && still && recent - floor.noise >= BELOW * (floor.share - floor.noise)).then(|| {
            let (name, loss) = (state.name(lane), three(recent));
            tr!(
                "{name}'s one gate for a whole sequence cannot tell the tasks mixed in it, and stays at {loss}",
                name,
                loss
            )
        })
    };
    state.sound().filter_map(fails).collect()
}

/// One task: a single low-rank weight does all there is to do, and routing adds nothing to it.
pub fn one_task(state: &State<'_>) -> Option<String> {
    match &state.started.config.task {
        Task::Domains(task) if task.domains == 1 => {}
        _ => return None,
    }
    let noise = state.started.floors.first()?.noise;
    let losses: Vec<(usize, f64)> =
        state.sound().filter_map(|(lane, history)| history.earlier().and(Some((lane, history.recent()?)))).collect();
    let single = |lane: usize| matches!(state.frame.lanes[lane].lane.reach_at(0), Reach::Single { rank: Some(_) });
    let lowest = losses.iter().filter(|&&(lane, _)| single(lane)).min_by(|a, b| a.1.total_cmp(&b.1));
    let &(lane, loss) = lowest.filter(|(_, loss)| loss - noise < VISIBLE)?;
    let routed: Vec<_> = losses.iter().filter(|&&(lane, _)| is_gated(state, lane)).collect();
    // Nothing to gain where there is next to nothing left.
    let names: Vec<String> =
        routed.iter().map(|(lane, loss)| format!("{} {}", state.name(*lane), three(*loss))).collect();
    (!routed.is_empty()).then(|| {
        tr!(
            "one task: {} suffices, its loss is {}; routing has nothing to gain ({}).",
            state.name(lane),
            three(loss),
            list(&names)
        )
    })
}

/// One clause per floor at which lanes are stuck, and those lanes.
fn stuck(state: &State<'_>) -> (Vec<String>, Vec<usize>) {
    let mut at: Vec<(usize, Vec<(usize, f64)>)> = Vec::new();
    for (lane, history) in state.sound() {
        let floors = state.started.floors.iter().enumerate();
        let binding =
            floors.filter(|(_, floor)| floor.lanes.contains(&lane)).max_by(|a, b| a.1.share.total_cmp(&b.1.share));
        let (Some((index, floor)), Some(recent), Some(earlier)) = (binding, history.recent(), history.earlier()) else {
            continue;
        };
        let reducible = floor.share - floor.noise;
        let near = (recent - floor.share).abs() <= NEAR * reducible;
        let still = (recent - earlier).abs() <= STILL * earlier;
        // The floors are those of the sizes the run began with.
        let unchanged = state.started.config.lanes.get(lane) == Some(&state.frame.lanes[lane].lane);
        if reducible >= VISIBLE && near && still && unchanged {
            match at.iter_mut().find(|(known, _)| *known == index) {
                Some((_, lanes)) => lanes.push((lane, recent)),
                None => at.push((index, vec![(lane, recent)])),
            }
        }
    }
    let held = at.iter().flat_map(|(_, lanes)| lanes.iter().map(|&(lane, _)| lane)).collect();
    let clauses = at
        .iter()
        .map(|(index, lanes)| {
            let floor = &state.started.floors[*index];
            let names: Vec<usize> = lanes.iter().map(|(lane, _)| *lane).collect();
            let mut losses: Vec<String> = lanes.iter().map(|&(_, loss)| three(loss)).collect();
            if losses.iter().all(|loss| *loss == losses[0]) {
                losses.truncate(1);
            }
            tr!(
                "{lanes} is stuck at {losses}, {limit} ({floor})"
                    | "{lanes} are stuck at {losses}, {limit} ({floor})" % names.len(),
                lanes = state.names(&names),
                losses = list(&losses),
                limit = limit(floor),
                floor = three(floor.share)
            )
        })
        .collect();
    (clauses, held)
}

/// The floor by the name that the chart gives it.
pub fn limit(floor: &Floor) -> String {
    match floor.binds {
        Some(Binds::AnyWeight) => tr!("the best any single weight can do"),
        Some(Binds::Rank(rank)) => tr!("the best a change of rank {rank} can do", rank),
        Some(Binds::Routed) => tr!("the best these experts can do, whatever their gates"),
        None => tr!("the predicted floor"),
    }
}

/// Lanes whose loss, now and in the window before, is above what the frozen weight alone has: 1, and the targets' noise.
pub fn worse_than_nothing(state: &State<'_>) -> Option<String> {
    let Task::Domains(task) = &state.started.config.task else {
        return None;
    };
    let noise = match state.started.floors.first() {
        Some(floor) => floor.noise,
        None if task.noise == 0.0 => 0.0,
        None => return None,
    };
    let nothing = 1.0 + noise;
    let above = |loss: f64| loss > (1.0 + STILL) * nothing;
    let worse: Vec<(usize, f64)> = state
        .sound()
        .filter_map(|(i, history)| Some((i, history.earlier()?, history.recent()?)))
        .filter(|&(_, earlier, recent)| above(earlier) && above(recent))
        .map(|(i, _, recent)| (i, recent))
        .collect();
    let lanes: Vec<usize> = worse.iter().map(|&(lane, _)| lane).collect();
    let losses: Vec<String> = worse.iter().map(|&(_, loss)| three(loss)).collect();
    (!worse.is_empty()).then(|| {
        tr!(
            "{lanes} is worse than doing nothing: mean loss {losses}, where the frozen weight alone has {nothing}."
                | "{lanes} are worse than doing nothing: mean loss {losses}, where the frozen weight alone has {nothing}."
                % lanes.len(),
            lanes = state.names(&lanes),
            losses = list(&losses),
            nothing = three(nothing)
        )
    })
}

fn is_gated(state: &State<'_>, lane: usize) -> bool {
    state.frame.lanes.get(lane).is_some_and(|lane| lane.lane.is_gated())
}
