//! What the page does about what happens.

use super::*;
use crate::app::address::read;
use crate::protocol::{Frame, Started};

fn started_state() -> State {
    let (mut state, _) = State::start(read(""), false);
    let started = Started {
        config: Config::clone(&state.config),
        backend: "cpu".into(),
        adapter: "CPU".into(),
        fallback: None,
        layers: vec![crate::protocol::LayerInfo {
            site: LinearSite::plain(&[(64, 64)]).remove(0),
            activation: String::new(),
        }],
        domains: vec![],
        energy: 1.0,
        true_rank: None,
        floors: vec![],
    };
    update(&mut state, Msg::Engine(Event::Started(Box::new(started))));
    state
}

fn at_step(state: &mut State, step: usize) {
    let frame = Frame { step, running: true, steps_per_second: 1.0, ..Frame::default() };
    update(state, Msg::Engine(Event::Frame(Box::new(frame))));
}

fn reseeded(state: &State) -> Config {
    Config { seed: 99, ..Config::clone(&state.config) }
}

fn starts(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::Send(Command::Start { .. })))
}

#[test]
fn the_page_starts_training_by_itself_unless_asked_not_to() {
    for (query, expected) in [("", false), ("?paused", true)] {
        let (_, effects) = State::start(read(query), false);
        let Some(Effect::Send(Command::Start { paused, .. })) = effects.first() else {
            panic!("the first effect starts the run: {effects:?}");
        };
        assert_eq!(*paused, expected, "{query}");
    }
}

#[test]
fn an_edit_at_step_0_restarts_at_once() {
    let mut state = started_state();
    let config = reseeded(&state);
    let effects = update(&mut state, Msg::Act(Action::Edit(config)));
    assert!(starts(&effects));
    assert!(effects.contains(&Effect::Address("seed=99".into())), "{effects:?}");
}

#[test]
fn an_edit_that_would_lose_progress_waits_for_the_word() {
    let mut state = started_state();
    at_step(&mut state, 40);
    let config = reseeded(&state);
    assert!(update(&mut state, Msg::Act(Action::Edit(config.clone()))).is_empty());
    assert_eq!(state.config.seed, 1);
    assert_eq!(state.shown().seed, 99);
    assert_eq!(state.run.step, 40);

    let mut kept = state.clone();
    assert!(update(&mut kept, Msg::Act(Action::KeepRunning)).is_empty());
    assert_eq!((kept.shown().seed, kept.run.step), (1, 40));

    assert!(starts(&update(&mut state, Msg::Act(Action::Restart))));
    assert_eq!((state.config.seed, state.run.step), (99, 0));
    assert!(state.draft.is_none());
}

#[test]
fn a_rank_moves_in_place() {
    let mut state = started_state();
    at_step(&mut state, 40);
    let effects = update(&mut state, Msg::Act(Action::SetRank { lane: 1, rank: 3 }));
    assert_eq!(effects[0], Effect::Send(Command::SetRank { lane: 1, rank: 3 }));
    assert!(!starts(&effects));
    assert_eq!(state.config.lanes[1], crate::config::Lane::from(&crate::method::LORA).with("rank", 3));
    assert_eq!(state.run.step, 40);
}

#[test]
fn the_trainer_hears_whether_somebody_looks_at_cut_lanes() {
    let mut state = started_state();
    for shown in [true, false] {
        let effects = update(&mut state, Msg::Act(Action::ShowCuts(shown)));
        assert_eq!(effects, [Effect::Send(Command::Cuts(shown))]);
    }
}

#[test]
fn what_is_not_allowed_is_said_and_changes_nothing() {
    let mut state = started_state();
    let before = state.config.clone();
    let effects = update(&mut state, Msg::Act(Action::SetRank { lane: 1, rank: 0 }));
    assert!(effects.is_empty());
    assert!(state.config == before);
    assert!(state.problems[0].contains("rank"), "{:?}", state.problems);
    update(&mut state, Msg::Act(Action::Dismiss(0)));
    assert!(state.problems.is_empty());
}

#[test]
fn matching_parameters_brings_lanes_to_one_size() {
    let mut state = started_state();
    update(&mut state, Msg::Act(Action::MatchParameters));
    let layers = [(64, 64)];
    let sizes: Vec<usize> = state.config.lanes.iter().map(|l| lane_count(l, &layers)).collect();
    assert_eq!(sizes[1], 1024, "the first adapter sets the size: {sizes:?}");
    assert!(sizes[2].abs_diff(1024) <= 512, "{sizes:?}");
}

#[test]
fn a_run_that_insists_on_a_gpu_goes_on_without_one() {
    let (mut state, _) = State::start(read("?backend=webgpu&seed=7"), false);
    update(&mut state, Msg::Engine(Event::NoGpu { reason: "there is none".into() }));
    assert_eq!(state.no_gpu.as_deref(), Some("there is none"));
    assert!(state.problems.is_empty() && state.run.failed);
    let effects = update(&mut state, Msg::Act(Action::WithoutGpu));
    assert_eq!((state.config.backend, state.config.seed), (BackendChoice::Auto, 7));
    assert!(starts(&effects) && effects.contains(&Effect::Address("seed=7".into())), "{effects:?}");
    assert_eq!((state.no_gpu, state.run.failed), (None, false));
}

#[test]
fn problems_do_not_pile_up() {
    let mut state = started_state();
    for k in 0..10 {
        let message = format!("problem {k}");
        update(&mut state, Msg::Engine(Event::Problem { message, fatal: false }));
    }
    assert_eq!(state.problems.len(), PROBLEMS);
    assert_eq!(state.problems[3], "problem 9");
}

#[test]
fn frames_of_the_run_before_do_not_show_in_the_next() {
    let mut state = started_state();
    at_step(&mut state, 40);
    update(&mut state, Msg::Act(Action::Reset));
    at_step(&mut state, 41);
    assert_eq!(state.run.step, 0);
}
