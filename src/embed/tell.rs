//! What the page around is told: messages made of the lab's state whenever something in it is new. Pure.

use serde_json::{Value, json};

use crate::app::state::State;
use crate::config::Lane;
use crate::error::Error;
use crate::protocol::{Ablate, Watch};

/// The inspector, whose gates, which token, and the expert that is off.
type Selected = (Watch, Option<(usize, usize)>, usize, Option<Ablate>);

/// What has been told already.
#[derive(Default)]
pub struct Teller {
    /// Lanes of the run that is set up, as they have been told of.
    lanes: Option<Vec<Lane>>,
    frame: Option<(usize, bool, String, Vec<Option<f64>>)>,
    selected: Option<Selected>,
    problems: Vec<String>,
}

impl Teller {
    /// What is new since the last time, in the order in which it is to be told.
    pub fn news(&mut self, state: &State) -> Vec<Value> {
        let mut said = Vec::new();
        for problem in &state.problems {
            if !self.problems.contains(problem) {
                said.push(json!({"type": "error", "message": problem, "stopped": state.run.failed}));
            }
        }
        self.problems.clone_from(&state.problems);
        let Some(started) = &state.run.started else {
            (self.lanes, self.frame) = (None, None);
            return said;
        };
        // The first frame says what the lanes are as they train.
        if state.run.lanes.is_empty() {
            return said;
        }
        if self.lanes.as_ref() != Some(&state.config.lanes) {
            self.lanes = Some(state.config.lanes.clone());
            let lanes: Vec<Value> = state
                .config
                .lanes
                .iter()
                .map(|lane| {
                    json!({
                        "name": lane.sized_title(),
                        "method": lane.method.name,
                        "rank": lane.size().map(|(_, size)| size),
                        "experts": match lane.experts_at(0) { 0 => Value::Null, experts => experts.into() },
                    })
                })
                .collect();
            said.push(json!({
                "type": "ready",
                "lanes": lanes,
                "domains": started.domains,
                "total": started.config.schedule.total,
                "backend": started.backend,
                "config": state.config.to_value(),
                "query": state.link(),
            }));
        }
        let losses: Vec<Option<f64>> = state.run.lanes.iter().map(|lane| lane.curve.recent).collect();
        let frame = (state.run.step, state.run.running, state.run.now.text(), losses);
        if self.frame.as_ref() != Some(&frame) {
            said.push(json!({
                "type": "frame",
                "step": frame.0,
                "running": frame.1,
                "finished": state.run.finished().is_some(),
                "now": frame.2,
                "losses": frame.3,
            }));
            self.frame = Some(frame);
        }
        let selected = (state.watch, state.gate, state.flow.1, state.run.off());
        if self.selected != Some(selected) {
            let (watch, _, token, off) = selected;
            said.push(json!({
                "type": "selected",
                "lane": watch.lane,
                "layer": watch.layer,
                "token": token,
                "gates": state.gate.map(|(lane, layer)| json!({"lane": lane, "layer": layer})),
                "off": off.map(|off| json!({"lane": off.lane, "layer": off.layer, "expert": off.expert})),
            }));
            self.selected = Some(selected);
        }
        said
    }
}

/// A lane's losses over its steps, and its gates, where the figures have them: those of the layer that they look at.
pub fn values(state: &State, lane: usize, id: Option<&Value>) -> Value {
    let (mut steps, mut losses) = (Vec::new(), Vec::new());
    if let Some(lane) = state.run.lanes.get(lane) {
        (steps, losses) = lane.curve.series.points(0).unzip();
    }
    let gates = state.run.gates.iter().map(|gate| &gate.frame).find(|gate| gate.lane == lane).map(|gate| {
        json!({
            "layer": gate.layer,
            "experts": gate.experts,
            "tokens": gate.tokens,
            "tokenDomains": gate.token_domains,
        })
    });
    let said = json!({"type": "values", "lane": lane, "step": state.run.step, "steps": steps, "losses": losses, "gates": gates});
    numbered(said, id)
}

/// What says which lane the files beside it are.
pub fn adapter(lane: usize, id: Option<&Value>) -> Value {
    numbered(json!({"type": "adapter", "lane": lane}), id)
}

/// With the number of the message that it answers.
fn numbered(mut said: Value, id: Option<&Value>) -> Value {
    if let (Some(id), Some(map)) = (id, said.as_object_mut()) {
        map.insert("id".into(), id.clone());
    }
    said
}

/// The answer to a message that cannot be carried out.
pub fn refusal(error: &Error, id: Option<&Value>) -> Value {
    numbered(json!({"type": "error", "message": error.to_string(), "stopped": false}), id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::address;
    use crate::app::state::{Msg, update};
    use crate::config::Config;
    use crate::protocol::{Event, Frame, LaneFrame, Started};
    use crate::view::action::Action;

    fn state() -> State {
        let (mut state, _) = State::start(address::read("?embed=loss&lanes=full~lora.r4"), false);
        let started = Started {
            config: Config::clone(&state.config),
            backend: "cpu".into(),
            adapter: "CPU".into(),
            fallback: None,
            tables: vec![],
            layers: vec![],
            domains: vec!["1".into(), "2".into()],
            energy: 2.0,
            true_rank: None,
            text: None,
            floors: vec![],
        };
        update(&mut state, Msg::Engine(Event::Started(Box::new(started))));
        state
    }

    fn frame(state: &mut State, from: usize, losses: Vec<f32>) {
        let lane = |lane: &crate::config::Lane| LaneFrame {
            lane: lane.clone(),
            parameters: 1,
            base_parameters: 1,
            formula: "1".into(),
            diverged: None,
            since: 0,
            measured: None,
            losses_from: from,
            losses: losses.clone(),
            accuracy: None,
            spectrum: vec![],
        };
        let lanes = state.config.lanes.iter().map(lane).collect();
        let frame = Frame { step: from + losses.len(), running: true, lanes, ..Frame::default() };
        update(state, Msg::Engine(Event::Frame(Box::new(frame))));
    }

    fn kinds(said: &[Value]) -> Vec<&str> {
        said.iter().filter_map(|one| one["type"].as_str()).collect()
    }

    #[test]
    fn a_run_is_told_of_once_and_its_steps_as_they_come() {
        let (mut state, mut teller) = (state(), Teller::default());
        assert!(teller.news(&state).is_empty(), "before the first frame");
        frame(&mut state, 0, vec![2.0, 1.0]);
        let said = teller.news(&state);
        assert_eq!(kinds(&said), ["ready", "frame", "selected"]);
        assert_eq!(said[0]["lanes"][1]["rank"], 4);
        assert_eq!(said[0]["domains"], json!(["1", "2"]));
        assert_eq!(said[1]["step"], 2);
        // The mean of the steps so far, as a share of the target's energy.
        assert_eq!(said[1]["losses"], json!([0.75, 0.75]));
        assert!(said[1]["now"].as_str().is_some_and(|now| !now.is_empty()));
        assert!(teller.news(&state).is_empty(), "nothing is new");
        frame(&mut state, 2, vec![0.5]);
        assert_eq!(kinds(&teller.news(&state)), ["frame"]);
        let other = Watch { lane: 0, ..state.watch };
        update(&mut state, Msg::Act(Action::Watch(other)));
        assert_eq!(kinds(&teller.news(&state)), ["selected"]);
    }

    #[test]
    fn values_are_those_of_the_chart() {
        let mut state = state();
        frame(&mut state, 0, vec![2.0, 1.0, 0.5]);
        let said = values(&state, 1, Some(&json!("mine")));
        let wanted = json!({"type": "values", "lane": 1, "id": "mine", "step": 3, "steps": [0.0, 1.0, 2.0],
            "losses": [1.0, 0.5, 0.25], "gates": null});
        assert_eq!(said, wanted);
        assert_eq!(adapter(0, None), json!({"type": "adapter", "lane": 0}));
    }

    #[test]
    fn problems_are_told_once_each() {
        let (mut state, mut teller) = (state(), Teller::default());
        update(&mut state, Msg::Engine(Event::Problem { message: "lanes[1].rank: 999".into(), fatal: false }));
        let said = teller.news(&state);
        assert_eq!((kinds(&said), said[0]["stopped"].clone()), (vec!["error"], json!(false)));
        assert!(said[0]["message"].as_str().is_some_and(|message| message.contains("999")));
        assert!(teller.news(&state).is_empty());
        let answer = refusal(&Error::Json("x".into()), Some(&json!(7)));
        assert_eq!((&answer["id"], &answer["type"]), (&json!(7), &json!("error")));
    }
}
