//! Sentences about gates: uniform because nothing moves them yet, uniform still, experts that nobody uses.

use super::{NEWS, State, history::Unused};
use crate::lang::tr;
use crate::{
    method::description::{Change, Reach, Widths},
    protocol::GateFrame,
    view::format::{count, list, three},
    view::words::site_name,
};

/// Entropy, as a share of its maximum, from which a gate is called uniform.
const UNIFORM: f32 = 0.99;
/// Mean gate from which a domain is said to be routed to an expert.
const ROUTED: f32 = 0.5;

/// The lane's gates, unless an expert is switched off by hand, which would be mistaken for the lane's own doing, or they are
/// no shares of 1, of which nothing here is true.
fn gates<'a>(state: &State<'a>, lane: usize) -> Vec<&'a GateFrame> {
    let all = state.frame.gates.iter().filter(|gate| gate.lane == lane);
    let own: Vec<&GateFrame> = all.collect();
    match own.iter().any(|gate| gate.ablation.is_some() || !gate.is_shares()) {
        true => Vec::new(),
        false => own,
    }
}

/// The smallest entropy of the lane's gates where all are uniform and there is something to choose from.
fn uniform_entropy(state: &State<'_>, lane: usize) -> Option<f64> {
    let gates = gates(state, lane);
    let lowest = gates.iter().map(|gate| gate.entropy).min_by(f32::total_cmp)?;
    let choice = gates.iter().all(|gate| gate.experts > 1);
    (choice && lowest >= UNIFORM).then_some(f64::from(lowest))
}

/// ΔW of the lane is exactly zero. Only a layer that is adapted and watched can tell.
fn is_zero(state: &State<'_>, lane: usize) -> bool {
    let watched = match &state.frame.weight {
        Some(weight) => Some(weight.watch.layer),
        None => (state.started.layers.len() == 1).then_some(0),
    };
    let told = gates(state, lane).iter().any(|gate| Some(gate.layer) == watched);
    let spectrum = &state.frame.lanes[lane].spectrum;
    told && !spectrum.is_empty() && spectrum.iter().all(|&value| value == 0.0)
}

/// Gates uniform because the factor behind them is zero.
pub fn at_zero(state: &State<'_>) -> Option<String> {
    let lanes: Vec<(usize, f64)> = state
        .sound()
        .filter(|&(lane, _)| is_zero(state, lane))
        .filter_map(|(lane, _)| Some((lane, uniform_entropy(state, lane)?)))
        .collect();
    if lanes.is_empty() {
        return None;
    }
    let mut factors: Vec<String> = Vec::new();
    for &(lane, _) in &lanes {
        let own = &state.frame.lanes[lane].lane;
        let change = (own.method.change)(&own.settings, Widths { inputs: 1, outputs: 1 });
        if let Change::Product(product) = change {
            let name = product.b.trim_start_matches("lora_").to_owned();
            if !factors.contains(&name) {
                factors.push(name);
            }
        }
    }
    let zero = match factors.as_slice() {
        [one] => tr!("{one} is zero", one),
        all => tr!("{} are zero", list(all)),
    };
    let names: Vec<usize> = lanes.iter().map(|&(lane, _)| lane).collect();
    let entropies: Vec<String> = lanes.iter().map(|&(_, entropy)| three(entropy)).collect();
    Some(tr!(
        "The gates of {} are still uniform (entropy {} of 1): {zero}, so the task's loss gives them no gradient yet.",
        state.names(&names),
        list(&entropies),
        zero
    ))
}

/// Gates that training has not moved from uniform.
pub fn uniform(state: &State<'_>) -> Option<String> {
    if state.frame.step <= state.started.config.schedule.warmup {
        return None;
    }
    state.sound().find_map(|(lane, _)| {
        let entropy = uniform_entropy(state, lane)?;
        let rank = match state.frame.lanes[lane].lane.reach_at(0) {
            Reach::Routed { experts, rank, top_k, .. } if top_k == 0 || top_k == experts => experts * rank,
            // Which gates are kept still depends on the token.
            _ => return None,
        };
        Some(tr!(
            "{}'s gates are nearly uniform (entropy {} of 1), so it acts almost as one LoRA of rank {rank}.",
            state.name(lane),
            three(entropy),
            rank
        ))
    })
}

/// An expert that nobody uses, one that was used until lately before others.
pub fn unused(state: &State<'_>) -> Option<String> {
    let recent = |unused: &Unused| unused.was_used && state.frame.step.saturating_sub(unused.since) <= NEWS;
    say_unused(state, recent).or_else(|| say_unused(state, |_| true))
}

fn say_unused(state: &State<'_>, which: impl Fn(&Unused) -> bool) -> Option<String> {
    if state.frame.step <= state.started.config.schedule.warmup {
        return None;
    }
    state.sound().find_map(|(lane, history)| {
        let unused = history.unused().find(&which)?;
        let shown = gates(state, lane);
        let gate = shown.iter().find(|gate| gate.layer == unused.layer)?;
        let mean = gate.mean.get(unused.expert)?;
        let layer = match state.started.layers.len() {
            1 => String::new(),
            _ => {
                let site = &state.started.layers.get(unused.layer)?.site;
                tr!(" in {}", site_name(site, unused.layer))
            }
        };
        // Whether it ever leads again is not known before the end.
        let since = match unused.was_used {
            true => tr!("has been unused since step {}", count(unused.since)),
            false => tr!("is unused"),
        };
        Some(tr!(
            "{}'s expert {}{layer} {since}: no probe token prefers it and its mean gate is {}.",
            state.name(lane),
            unused.expert + 1,
            three(f64::from(*mean)),
            layer,
            since
        ))
    })
}

/// Every domain has an expert that takes most of it, and no two domains share theirs.
pub fn routes_each_domain(state: &State<'_>, lane: usize) -> bool {
    let domains = state.started.domains.len();
    let shown = gates(state, lane);
    let [gate] = shown.as_slice() else {
        return false;
    };
    if domains < 2 || gate.experts == 0 || gate.domains.len() != domains * gate.experts {
        return false;
    }
    let mut taken = vec![false; gate.experts];
    gate.domains.chunks(gate.experts).all(|shares| {
        let top = shares.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        top.is_some_and(|(expert, &share)| share >= ROUTED && !std::mem::replace(&mut taken[expert], true))
    })
}
