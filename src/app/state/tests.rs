//! What the page does about what happens.

use super::*;
use crate::app::address::read;
use crate::config::Task;
use crate::method::match_size::lane_count;
use crate::protocol::text::Passage;
use crate::protocol::{Frame, Started};
use crate::task::network::LinearSite;

fn started_state() -> State {
    let (mut state, _) = State::start(read(""), false);
    let started = Started {
        config: Config::clone(&state.config),
        backend: "cpu".into(),
        adapter: "CPU".into(),
        fallback: None,
        tables: vec![],
        layers: vec![crate::protocol::LayerInfo {
            site: LinearSite::plain(&[(64, 64)]).remove(0),
            activation: String::new(),
        }],
        domains: vec![],
        energy: 1.0,
        true_rank: None,
        floors: vec![],
        text: None,
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
    let layers = LinearSite::plain(&[(64, 64)]);
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

/// Run does what the notice says; what failed for want of a file is tried again.
#[test]
fn run_begins_what_could_not_begin() {
    let (mut state, _) = State::start(read("?backend=webgpu&paused"), false);
    update(&mut state, Msg::Engine(Event::NoGpu { reason: "there is none".into() }));
    let effects = update(&mut state, Msg::Act(Action::Run));
    let Some(Effect::Send(Command::Start { config, paused: false, .. })) = effects.first() else {
        panic!("{effects:?}")
    };
    assert_eq!(config.backend, BackendChoice::Auto);
    let (mut state, _) = State::start(read("?task=digits"), false);
    update(&mut state, Msg::Engine(Event::Problem { message: "no file".into(), fatal: false }));
    assert!(state.run.failed && starts(&update(&mut state, Msg::Act(Action::Run))));
    assert!(!state.run.failed);
}

/// A choice that the trainer cannot carry out leaves everything as it was, with a sentence, whatever came meanwhile.
#[test]
fn a_choice_that_cannot_be_is_taken_back() {
    for event in [
        Event::Problem { message: "data/digits.csv: the site cannot be reached".into(), fatal: false },
        Event::NoGpu { reason: "there is none".into() },
    ] {
        let mut state = started_state();
        update(&mut state, Msg::Act(Action::SetRank { lane: 1, rank: 3 }));
        at_step(&mut state, 40);
        let (config, link) = (state.config.clone(), state.link());
        let digits = Config { task: Task::Digits(crate::config::Digits::default()), ..Config::clone(&config) };
        update(&mut state, Msg::Act(Action::Edit(digits)));
        assert!(starts(&update(&mut state, Msg::Act(Action::Restart))));
        assert!(state.run.started.is_none());
        // Of the run that goes on while the data are fetched.
        at_step(&mut state, 44);
        let effects = update(&mut state, Msg::Engine(event));
        assert!(!starts(&effects) && effects.contains(&Effect::Address(link)), "{effects:?}");
        assert!(effects.contains(&Effect::Send(Command::Watch(state.watch))));
        assert!(state.config == config && state.draft.is_none() && state.no_gpu.is_none() && !state.run.failed);
        assert_eq!((state.run.started.is_some(), state.run.step), (true, 44));
        assert!(state.problems.last().unwrap().ends_with("the run that was there is kept."), "{:?}", state.problems);
        // Of the next run there is nothing to go back from.
        at_step(&mut state, 45);
        update(&mut state, Msg::Engine(Event::Problem { message: "odd".into(), fatal: false }));
        assert_eq!((state.run.step, state.problems.last().unwrap().as_str()), (45, "odd"));
    }
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

#[test]
fn a_finished_run_can_be_had_longer() {
    let mut state = started_state();
    at_step(&mut state, 2000);
    assert_eq!(state.run.finished(), Some(2000));
    // What waits for the word to restart is had with it.
    let edited = reseeded(&state);
    update(&mut state, Msg::Act(Action::Edit(edited)));
    let effects = update(&mut state, Msg::Act(Action::Longer(4000)));
    let Some(Effect::Send(Command::Start { config, paused: false, .. })) = effects.first() else {
        panic!("{effects:?}")
    };
    assert_eq!((config.schedule.total, config.seed), (4000, 99));
    assert!(state.run.finished().is_none() && state.draft.is_none());
}

#[test]
fn a_language_model_begins_with_a_passage_and_leaves_it_behind() {
    let (mut state, effects) = State::start(read("?task=text&languages=swh~rus&lanes=lora~molora.l2-3"), false);
    let passage = Passage::Held { language: "swh".into(), number: 0 };
    // The first layer with gates.
    assert!(effects.contains(&Effect::Send(Command::Look(Look { passage, site: 14 }))), "{effects:?}");
    update(&mut state, Msg::Act(Action::Write(Some("Kila mtu".into()))));
    let effects = update(&mut state, Msg::Act(Action::Edit(Config::default())));
    assert_eq!((&state.look, &state.prompt), (&None, &None));
    assert!(effects.contains(&Effect::Send(Command::Write(None))), "{effects:?}");
}

/// A frame at `step` of these lanes, with what was changed since the one before.
fn told(state: &mut State, step: usize, lanes: &[crate::config::Lane], edits: Vec<Edit>) -> Vec<Effect> {
    let lane = |lane: &crate::config::Lane| crate::protocol::LaneFrame {
        lane: lane.clone(),
        parameters: 0,
        base_parameters: 0,
        formula: String::new(),
        diverged: None,
        since: 0,
        measured: None,
        losses_from: 0,
        losses: vec![],
        accuracy: None,
        spectrum: vec![],
    };
    let lanes = lanes.iter().map(lane).collect();
    let frame = Frame { step, lanes, edits, ..Frame::default() };
    update(state, Msg::Engine(Event::Frame(Box::new(frame))))
}

#[test]
fn a_shared_link_repeats_the_run_with_its_changes() {
    let mut state = started_state();
    let begun = state.config.lanes.clone();
    told(&mut state, 40, &begun, vec![]);
    update(&mut state, Msg::Act(Action::SetRank { lane: 1, rank: 3 }));
    // Until the trainer has answered, the slider stays where it was put.
    told(&mut state, 41, &begun, vec![]);
    assert_eq!(state.config.lanes[1].size(), Some(("rank", 3)));
    let started = Started::clone(state.run.started.as_ref().unwrap());
    update(&mut state, Msg::Engine(Event::Started(Box::new(started))));
    let (now, edit) = (state.config.lanes.clone(), crate::config::What::Lane(state.config.lanes[1].clone()));
    let effects = told(&mut state, 45, &now, vec![Edit { step: 42, lane: 1, what: edit }]);
    let link = "then=42.1.lora.r3".to_string();
    assert_eq!(effects, [Effect::Address(link.clone())]);
    assert_eq!(update(&mut state, Msg::Act(Action::Share)), [Effect::Share(link.clone())]);
    // Changed by hand, it begins again as it is now.
    let effects = update(&mut state, Msg::Act(Action::Reset));
    assert!(effects.contains(&Effect::Address("lanes=full~lora.r3~molora.n4.r2~mor1e.n8".into())), "{effects:?}");

    // Who opens the link has the same run: it makes the changes itself, and Reset makes them again.
    let (mut state, effects) = State::start(read(&format!("?{link}")), false);
    let starts = |effects: &[Effect]| {
        let Some(Effect::Send(Command::Start { config, then, .. })) = effects.first() else { panic!("{effects:?}") };
        (config.clone(), crate::config::then_text(then))
    };
    assert_eq!(starts(&effects), (Config::default(), "42.1.lora.r3".into()));
    assert_eq!(state.link(), link, "before its step");
    let started =
        Started { config: Config::default(), ..Started::clone(started_state().run.started.as_ref().unwrap()) };
    update(&mut state, Msg::Engine(Event::Started(Box::new(started))));
    told(&mut state, 42, &begun, vec![]);
    assert_eq!(state.link(), link, "at its step");
    let edits = state.then.clone();
    told(&mut state, 43, &now, edits);
    assert_eq!((state.config.lanes[1].size(), state.link()), (Some(("rank", 3)), link));
    let effects = update(&mut state, Msg::Act(Action::Reset));
    assert_eq!(starts(&effects), (Config::default(), "42.1.lora.r3".into()));
    assert_eq!(state.config.lanes[1].size(), Some(("rank", 8)));
}

#[test]
fn a_run_given_up_before_it_was_set_up_is_not_taken_for_the_one_waited_for() {
    let mut state = started_state();
    let Some(first) = state.run.started.clone() else { unreachable!() };
    let config = Config { seed: 99, ..Config::clone(&state.config) };
    update(&mut state, Msg::Act(Action::Open { config: config.clone(), then: Vec::new(), until: 0 }));
    update(&mut state, Msg::Engine(Event::Started(Box::new(Started::clone(&first)))));
    assert!(state.run.started.is_none());
    update(&mut state, Msg::Engine(Event::Started(Box::new(Started { config, ..Started::clone(&first) }))));
    assert_eq!(state.run.started.as_ref().map(|started| started.config.seed), Some(99));
}

#[test]
fn a_lesson_s_run_begins_without_a_question_and_pauses_where_it_is_told() {
    let mut state = started_state();
    at_step(&mut state, 40);
    let config = reseeded(&state);
    let effects = update(&mut state, Msg::Act(Action::Open { config: config.clone(), then: Vec::new(), until: 12 }));
    assert!(state.draft.is_none() && *state.config == config);
    let Some(Effect::Send(Command::Start { paused: true, .. })) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(effects.last(), Some(&Effect::Send(Command::Until(12))));
    // A change of a lane is the link's own; one of measurements leaves the lanes.
    let (edits, errors) = state.config.read_then("0.1.lora.r2~0.2.off0-3");
    assert!(errors.is_empty());
    let effects = update(&mut state, Msg::Act(Action::Change(edits)));
    let [Effect::Send(Command::Tune { lane: 1, to }), Effect::Send(Command::Ablate(Some(off)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((&state.config.lanes[1], off.expert), (to, 3));
}
