//! What a step asks of the lab, as the lab's own actions: its run, how far it is trained, what is changed with the answer. The
//! page and the lessons' test both go by it. Pure.

use super::data::{Lesson, Step};
use crate::config::{Config, Edit};
use crate::protocol::{MergeMode, Watch};
use crate::view::action::Action;

/// The run on which a step stands, as it is before the step's question.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    pub config: Config,
    /// The link's own changes, and those of steps between.
    pub then: Vec<Edit>,
    /// To where it is trained.
    pub until: usize,
}

/// The run that step `at` begins from: of itself or of the last step before it that sets one, with all that the steps
/// between do to it.
pub fn scene(lesson: &Lesson, at: usize) -> Scene {
    let from = (0..=at).rev().find(|&step| lesson.steps.get(step).is_some_and(|step| step.run.is_some())).unwrap_or(0);
    let query = lesson.steps.get(from).and_then(|step| step.run.as_deref()).unwrap_or_default();
    let config = Config::read_link(query).config;
    let own = query.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("then="));
    let mut then = own.map(|text| config.read_then(text).0).unwrap_or_default();
    let mut until = 0;
    for step in lesson.steps.get(from..at).unwrap_or_default() {
        until = until.max(step.hold);
        if let Some(ask) = &step.ask {
            then.extend(acts(&config, step, until));
            until = until.max(ask.at);
        }
    }
    until = until.max(lesson.steps.get(at).map_or(0, |step| step.hold));
    Scene { config, then, until }
}

/// What is changed with a step's answer, at this step of the run.
pub fn acts(config: &Config, step: &Step, now: usize) -> Vec<Edit> {
    let text = step.ask.as_ref().and_then(|ask| ask.act.as_deref());
    let edits = text.map(|text| config.read_then(text).0).unwrap_or_default();
    edits.into_iter().map(|edit| Edit { step: now, ..edit }).collect()
}

/// What brings the lab to where step `at` begins.
pub fn restore(lesson: &Lesson, at: usize) -> Vec<Action> {
    let Scene { config, then, until } = scene(lesson, at);
    let mut actions = vec![Action::Open { config, then, until }];
    actions.extend(lesson.steps.get(at).map(watch).unwrap_or_default());
    actions
}

/// The same where the run is what the step before left.
pub fn go_on(step: &Step, now: usize) -> Vec<Action> {
    let until = (step.hold > now).then_some(Action::Until(step.hold));
    watch(step).into_iter().chain(until).collect()
}

/// What follows an answer.
pub fn answered(step: &Step, config: &Config, now: usize) -> Vec<Action> {
    let Some(ask) = &step.ask else { return vec![] };
    let acts = acts(config, step, now);
    let mut actions: Vec<Action> = (!acts.is_empty()).then_some(Action::Change(acts)).into_iter().collect();
    if ask.at > now {
        actions.push(Action::Until(ask.at));
    }
    actions
}

/// The lane that inspector and gates show; one without a gate leaves the gates as they are.
fn watch(step: &Step) -> Vec<Action> {
    let Some(watch) = step.watch else { return vec![] };
    let merge = watch.merge.unwrap_or(MergeMode::MeanGate);
    let inspector = Watch { lane: watch.lane, layer: 0, merge, domain: 0, token: 0 };
    vec![Action::Watch(inspector), Action::ShowGate { lane: watch.lane, layer: 0 }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::What;
    use crate::lesson::data::read;

    #[test]
    fn a_step_is_restored_with_all_that_came_before_it() {
        let text = r#"{"steps": [
            {"id": "a", "run": "?lanes=full~lora.r4&total=90", "panel": "loss", "hold": 10,
             "ask": {"measure": {"loss": 1}, "value": 1, "close": 1, "at": 50}},
            {"id": "b", "panel": "loss", "ask": {"measure": {"loss": 1}, "value": 1, "close": 1, "act": "0.1.lora.r1", "at": 70}},
            {"id": "c", "panel": "loss"}]}"#;
        let lesson: Lesson = read("x", text.as_bytes()).unwrap();
        let [first, second, third] = [0, 1, 2].map(|at| scene(&lesson, at));
        assert_eq!((first.until, second.until, third.until), (10, 50, 70));
        assert!(first.then.is_empty() && second.then.is_empty());
        let [edit] = &third.then[..] else { panic!("{:?}", third.then) };
        assert!(edit.step == 50 && matches!(&edit.what, What::Lane(_)));
        let actions = answered(&lesson.steps[1], &third.config, 50);
        assert!(matches!(&actions[..], [Action::Change(_), Action::Until(70)]), "{actions:?}");
        assert!(matches!(restore(&lesson, 2)[..], [Action::Open { until: 70, .. }]));
    }
}
