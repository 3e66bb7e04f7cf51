//! The state machine, from the first order to the last report.

use std::rc::Rc;

use super::state::{Effect, Msg, State, update};
use super::sweep::tests::plan;
use super::wire::{Order, Report};
use crate::experiments::{Progress, Where, all, prose};

fn ready() -> State {
    let mut state = State::new(Rc::from(all()), vec![]);
    update(&mut state, Msg::Prose(Ok((Rc::new(prose()), Rc::new([])))), 0.0);
    update(&mut state, Msg::Report(Report::Ready(Ok("a GPU".into()))), 0.0);
    state
}

fn measured(state: &mut State, now: f64) -> Vec<Effect> {
    let values = vec![0.5; 40];
    update(state, Msg::Report(Report::Measured { values, place: Where::Cpu }), now)
}

fn order(effects: &[Effect]) -> Option<&Order> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(order) => Some(order),
        _ => None,
    })
}

fn seed_of(effects: &[Effect]) -> Option<(String, u32)> {
    match order(effects)? {
        Order::Measure { id, seed, .. } => Some((id.clone(), *seed)),
        Order::Train { .. } => None,
    }
}

#[test]
fn claims_run_seed_by_seed_and_one_after_the_other() {
    let mut state = ready();
    let ids: Vec<_> = state.experiments.iter().map(|e| e.id.to_owned()).collect();
    let first = update(&mut state, Msg::Measure(vec![0, 1, 0]), 1000.0);
    assert_eq!(seed_of(&first), Some((ids[0].clone(), 1)));
    assert!(state.queued(1) && state.waiting() == 1, "asked for twice, run once");
    assert_eq!(seed_of(&measured(&mut state, 1500.0)), Some((ids[0].clone(), 2)));
    assert_eq!(state.record(0).map(|record| record.seeds.len()), Some(1), "seeds are shown as they come");
    measured(&mut state, 2000.0);
    let effects = measured(&mut state, 3000.0);
    assert!(effects.contains(&Effect::Keep));
    assert_eq!(seed_of(&effects), Some((ids[1].clone(), 1)));
    assert_eq!(state.records[0].as_ref().map(|r| (r.seconds, r.seeds.len())), Some((2.0, 3)));
    for _ in 0..3 {
        measured(&mut state, 4000.0);
    }
    assert!(!state.busy());
}

#[test]
fn nothing_is_sent_before_the_worker_listens() {
    let mut state = State::new(Rc::from(all()), vec![]);
    assert!(update(&mut state, Msg::Measure(vec![3]), 0.0).is_empty());
    assert!(state.queued(3) && !state.busy());
    let effects = update(&mut state, Msg::Report(Report::Ready(Err("no adapter".into()))), 0.0);
    assert!(matches!(order(&effects), Some(Order::Measure { webgpu: false, .. })), "the CPU where there is no GPU");
}

#[test]
fn webgpu_is_the_default_and_the_choice_is_kept_for_the_next_job() {
    let mut state = ready();
    assert!(state.webgpu());
    let effects = update(&mut state, Msg::Measure(vec![0]), 0.0);
    assert!(matches!(order(&effects), Some(Order::Measure { webgpu: true, .. })));
    update(&mut state, Msg::Backend(false), 0.0);
    let effects = measured(&mut state, 0.0);
    assert!(matches!(order(&effects), Some(Order::Measure { webgpu: true, .. })), "seeds are of one backend");
    assert!(!state.webgpu());
}

#[test]
fn cancelling_keeps_what_was_measured_before() {
    let mut state = ready();
    update(&mut state, Msg::Measure(vec![0, 1]), 0.0);
    for _ in 0..4 {
        measured(&mut state, 0.0);
    }
    assert_eq!(state.measuring(), Some(1));
    assert_eq!(update(&mut state, Msg::Cancel, 0.0), [Effect::Renew]);
    assert!(!state.busy() && state.waiting() == 0);
    assert!(state.records[0].is_some() && state.record(1).is_none());
    // What the ended worker still had to say is of no job.
    assert!(measured(&mut state, 0.0).is_empty());
    assert!(update(&mut state, Msg::Cancel, 0.0).is_empty(), "nothing to cancel");
}

#[test]
fn a_failure_is_said_once_and_ends_the_queue() {
    let mut state = ready();
    update(&mut state, Msg::Measure(vec![0, 1, 2]), 0.0);
    update(&mut state, Msg::Report(Report::Failed("the GPU device was lost: unplugged".into())), 0.0);
    let problem = state.problem.clone().unwrap();
    assert!(problem.contains(state.title(0)) && problem.contains("unplugged") && problem.contains("waiting"));
    assert!(!state.busy() && state.waiting() == 0);
    update(&mut state, Msg::Measure(vec![0]), 0.0);
    assert!(state.problem.is_none() && state.busy());
    let crash = || Msg::Report(Report::Crashed("it crashed.".into()));
    assert_eq!(update(&mut state, crash(), 0.0), [Effect::Renew]);
    assert!(state.problem.as_deref().is_some_and(|p| p.ends_with("it crashed.")), "{:?}", state.problem);
    assert!(update(&mut state, crash(), 0.0).is_empty(), "the new one crashed too: no third");
    assert!(
        state.stopped && state.problem.as_deref().is_some_and(|p| p.contains("starts another")),
        "{:?}",
        state.problem
    );
}

#[test]
fn a_sweep_fills_its_grid_and_tells_how_far_it_is() {
    let mut state = ready();
    update(&mut state, Msg::Sweep(Box::new(plan())), 0.0);
    assert!(state.sweeping());
    update(&mut state, Msg::Report(Report::Progress(Progress { done: 10, expected: 20 })), 0.0);
    let share = state.running.as_ref().unwrap().share();
    assert!((share - 0.5 / 12.0).abs() < 1e-9, "{share}");
    for run in 1..=12 {
        let effects = measured(&mut state, 100.0);
        assert_eq!(matches!(order(&effects), Some(Order::Train { .. })), run < 12);
    }
    assert!(state.swept.as_ref().is_some_and(|swept| swept.complete() && swept.place == Where::Cpu));
}

#[test]
fn a_sweep_that_cannot_be_run_runs_nothing() {
    let mut state = ready();
    let effects = update(&mut state, Msg::Sweep(Box::new(super::sweep::Plan { seeds: 1000, ..plan() })), 0.0);
    assert!(effects.is_empty() && !state.busy());
    assert!(state.problem.is_some());
}
