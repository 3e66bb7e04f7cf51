//! What the page around asks for: a message read, checked against the run, and turned into what a person could have done.
//! Pure.

use serde_json::Value;

use crate::app::state::State;
use crate::args::limits::{self, Whole};
use crate::args::object::{Object, refuse};
use crate::config::{Config, Lane};
use crate::error::{Error, Result};
use crate::lang::{marked, tr};
use crate::protocol::{Ablate, MergeMode, Watch};
use crate::view::action::{Action, Receiver};
use crate::view::edit::LANES;

/// What messages are written in; others are not understood.
pub const VERSION: u64 = 1;

/// Every command, with the keys it has.
const COMMANDS: &[(&str, &[&str])] = &[
    ("run", &[]),
    ("pause", &[]),
    ("step", &[]),
    ("reset", &[]),
    ("set", &["config"]),
    ("setRank", &["lane", "rank"]),
    ("ablate", &["lane", "layer", "expert"]),
    ("select", &["lane", "layer", "token"]),
    ("goTo", &["lesson", "step"]),
    ("theme", &["theme"]),
    ("values", &["lane"]),
    ("adapter", &["lane"]),
];

/// A place in the lessons; `None` leaves them.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub lesson: Option<String>,
    /// Counted from 1.
    pub step: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// To be done in the lab, one after the other.
    Act(Vec<Action>),
    GoTo(Place),
    /// A lane's losses and gates.
    Values(usize),
    /// A lane's adapter as files; what it takes to have them.
    Adapter(usize, Action),
}

/// The message's own number, for the answer; whatever it is, it is only sent back.
pub fn id(message: &Value) -> Option<&Value> {
    message.get("id")
}

/// Reads a message, for the run as it is.
///
/// # Errors
/// Naming the key, its value and what is allowed there; nothing is to be done then.
pub fn read(message: &Value, state: &State) -> Result<Ask> {
    let version = message.get("version").unwrap_or(&Value::Null);
    if version.as_u64() != Some(VERSION) {
        return Err(refuse("version", version, tr!("messages are of version {VERSION}", VERSION)));
    }
    let kind = message.get("type").unwrap_or(&Value::Null);
    let Some((name, own)) = COMMANDS.iter().find(|(name, _)| kind.as_str() == Some(name)) else {
        let names: Vec<&str> = COMMANDS.iter().map(|(name, _)| *name).collect();
        return Err(refuse("type", kind, tr!("there is no such command; there are {}", names.join(", "))));
    };
    let keys: Vec<&str> = ["to", "version", "type", "id"].iter().chain(*own).copied().collect();
    let object = Object::new(message, "", &tr!("the command {name}", name), &keys)?;
    let actions = match *name {
        "run" => vec![Action::Run],
        "pause" => vec![Action::Pause],
        "step" => vec![Action::Step],
        "reset" => vec![Action::Reset],
        "set" => set(object.required("config")?)?,
        "setRank" => set_rank(&object, state)?,
        "ablate" => ablate(&object, state)?,
        "select" => select(&object, state)?,
        "theme" => match object.required("theme")?.as_str() {
            Some("light") => vec![Action::Theme { dark: false }],
            Some("dark") => vec![Action::Theme { dark: true }],
            _ => return Err(refuse("theme", object.required("theme")?, tr!("\"light\" or \"dark\""))),
        },
        "values" => return lane(&object, state).map(|(index, _)| Ask::Values(index)),
        "adapter" => {
            let (index, _) = lane(&object, state)?;
            return Ok(Ask::Adapter(index, Action::Save { lane: index, merged: false, to: Receiver::PageAround }));
        }
        _ => return go_to(&object).map(Ask::GoTo),
    };
    Ok(Ask::Act(actions))
}

/// A configuration, as a document or as a link's query.
fn set(value: &Value) -> Result<Vec<Action>> {
    let config = match value {
        Value::String(query) => Config::from_query(query)?,
        document => Config::from_value(document)?,
    };
    if config.lanes.len() > LANES {
        let count = config.lanes.len().into();
        return Err(refuse("lanes", &count, tr!("the page has room for {LANES}", LANES)));
    }
    // The run that was there is not asked for: whoever sends this knows that another begins.
    Ok(vec![Action::Edit(config), Action::Restart])
}

/// A lane by its number from 0, and its number.
fn lane<'a>(object: &Object<'_>, state: &'a State) -> Result<(usize, &'a Lane)> {
    let lanes = &state.config.lanes;
    let limit = Whole { min: 0, max: lanes.len().saturating_sub(1) };
    object.required("lane")?;
    let index = object.whole("lane", limit, 0)?;
    let lane = lanes.get(index).ok_or(Error::Missing {
        what: marked!("lane"),
        name: index.to_string(),
        hint: tr!("this run has none"),
    })?;
    Ok((index, lane))
}

fn set_rank(object: &Object<'_>, state: &State) -> Result<Vec<Action>> {
    let (index, own) = lane(object, state)?;
    if own.size().is_none() || !own.can_resize() {
        let why = tr!("the rank of {} cannot be changed while it trains", own.sized_title());
        return Err(refuse("lane", &index.into(), why));
    }
    object.required("rank")?;
    let rank = object.whole("rank", Whole { min: 1, max: limits::DIM.max }, 1)?;
    let mut config = Config::clone(&state.config);
    config.lanes[index] = own.resized(rank);
    config.validate()?;
    Ok(vec![Action::SetRank { lane: index, rank }])
}

/// An expert that is switched off; `lane: null` switches all on.
fn ablate(object: &Object<'_>, state: &State) -> Result<Vec<Action>> {
    if object.required("lane")?.is_null() {
        return Ok(vec![Action::Ablate(None)]);
    }
    let (index, own) = lane(object, state)?;
    let sites = state.run.started.as_ref().map_or(1, |started| started.layers.len());
    let layer = object.whole("layer", Whole { min: 0, max: sites.saturating_sub(1) }, 0)?;
    let own_layer = state.run.started.as_ref().and_then(|s| s.layers.get(layer)).map_or(0, |layer| layer.site.layer);
    let experts = own.experts_at(own_layer);
    if experts == 0 {
        return Err(refuse("lane", &index.into(), tr!("{} has no experts", own.sized_title())));
    }
    object.required("expert")?;
    let expert = object.whole("expert", Whole { min: 0, max: experts - 1 }, 0)?;
    Ok(vec![Action::Ablate(Some(Ablate { lane: index, layer, expert }))])
}

/// What the figures look at.
fn select(object: &Object<'_>, state: &State) -> Result<Vec<Action>> {
    let (index, own) = lane(object, state)?;
    let sites = state.run.started.as_ref().map_or(1, |started| started.layers.len());
    let layer = object.whole("layer", Whole { min: 0, max: sites.saturating_sub(1) }, 0)?;
    let tokens = state.run.gates.first().map_or(1, |gate| gate.frame.token_domains.len());
    let token = object.maybe_whole("token", Whole { min: 0, max: tokens.saturating_sub(1) })?;
    let watch = Watch { lane: index, layer, merge: MergeMode::MeanGate, domain: 0, token: token.unwrap_or(0) };
    let mut actions = vec![Action::Watch(watch)];
    if own.is_gated() {
        actions.push(Action::ShowGate { lane: index, layer });
    }
    actions.extend(token.map(Action::FlowToken));
    Ok(actions)
}

fn go_to(object: &Object<'_>) -> Result<Place> {
    let lesson = object.required("lesson")?;
    let step = object.whole("step", Whole { min: 1, max: 99 }, 1)?;
    match lesson {
        Value::Null => Ok(Place { lesson: None, step }),
        Value::String(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty() => {
            Ok(Place { lesson: Some(name.clone()), step })
        }
        other => Err(refuse("lesson", other, tr!("a lesson's name, as in its address, or null"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::address;
    use serde_json::json;

    fn state() -> State {
        State::start(address::read("?embed=loss&lanes=full~lora.r4~molora.n4.r2"), false).0
    }

    fn asked(kind: &str, rest: Value) -> Result<Ask> {
        let mut message = json!({"to": "lora-playground", "version": 1, "id": 7, "type": kind});
        message.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        read(&message, &state())
    }

    fn acts(kind: &str, rest: Value) -> Vec<Action> {
        match asked(kind, rest) {
            Ok(Ask::Act(actions)) => actions,
            other => panic!("{kind}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_what_a_person_could_do() {
        assert_eq!(acts("run", json!({})), [Action::Run]);
        assert_eq!(acts("pause", json!({})), [Action::Pause]);
        assert_eq!(acts("setRank", json!({"lane": 1, "rank": 2})), [Action::SetRank { lane: 1, rank: 2 }]);
        let off = Ablate { lane: 2, layer: 0, expert: 3 };
        assert_eq!(acts("ablate", json!({"lane": 2, "expert": 3})), [Action::Ablate(Some(off))]);
        assert_eq!(acts("ablate", json!({"lane": null})), [Action::Ablate(None)]);
        assert!(matches!(
            acts("select", json!({"lane": 2}))[..],
            [Action::Watch(Watch { lane: 2, .. }), Action::ShowGate { lane: 2, .. }]
        ));
        assert_eq!(acts("theme", json!({"theme": "dark"})), [Action::Theme { dark: true }]);
        assert_eq!(asked("values", json!({"lane": 2})).unwrap(), Ask::Values(2));
        let save = Action::Save { lane: 1, merged: false, to: Receiver::PageAround };
        assert_eq!(asked("adapter", json!({"lane": 1})).unwrap(), Ask::Adapter(1, save));
        let go = asked("goTo", json!({"lesson": "rank", "step": 2}));
        assert_eq!(go.unwrap(), Ask::GoTo(Place { lesson: Some("rank".into()), step: 2 }));
    }

    #[test]
    fn a_configuration_is_a_document_or_a_query() {
        let document = json!({"version": 1, "seed": 3, "lanes": [{"method": "full"}]});
        for config in [document, json!("seed=3&lanes=full")] {
            let [Action::Edit(config), Action::Restart] = &acts("set", json!({ "config": config }))[..] else {
                panic!()
            };
            assert_eq!((config.seed, config.lanes.len()), (3, 1));
        }
    }

    /// Each with what is wrong with it, in words that hold the value.
    #[test]
    fn a_wrong_message_is_refused_by_key_and_value() {
        let wrong = [
            ("dance", json!({}), ["type", "\"dance\"", "setRank"]),
            ("run", json!({"version": 2}), ["version", "2", "1"]),
            ("run", json!({"version": null}), ["version", "null", "1"]),
            ("run", json!({"speed": 9}), ["speed", "9", "the command run"]),
            ("set", json!({}), ["config", "leaving it out", "must be given"]),
            ("set", json!({"config": "lanez=full"}), ["lanez", "full", "no such key"]),
            ("set", json!({"config": {"version": 1, "lanez": []}}), ["lanez", "[]", "no such key"]),
            (
                "set",
                json!({"config": {"version": 1, "lanes": [{"method": "lora", "rank": 999999}]}}),
                ["rank", "999999", "lanes[0]"],
            ),
            ("set", json!({"config": "lanes=full~full~full~full~full"}), ["lanes", "5", "4"]),
            ("set", json!({"config": 12}), ["the configuration", "12", "object"]),
            ("setRank", json!({"lane": 9, "rank": 2}), ["lane", "9", "2"]),
            ("setRank", json!({"lane": 1}), ["rank", "leaving it out", "given"]),
            ("setRank", json!({"lane": 1, "rank": -1}), ["rank", "-1", "1"]),
            ("setRank", json!({"lane": 1, "rank": "two"}), ["rank", "\"two\"", "1"]),
            ("setRank", json!({"lane": 1, "rank": 2.5}), ["rank", "2.5", "1"]),
            ("setRank", json!({"lane": 1, "rank": 1000}), ["rank", "1000", "256"]),
            ("setRank", json!({"lane": 0, "rank": 2}), ["lane", "0", "cannot be changed"]),
            ("ablate", json!({"lane": 1, "expert": 0}), ["lane", "1", "no experts"]),
            ("ablate", json!({"lane": 2, "expert": 4}), ["expert", "4", "3"]),
            ("select", json!({"lane": true}), ["lane", "true", "2"]),
            ("values", json!({"lane": 3}), ["lane", "3", "2"]),
            ("adapter", json!({}), ["lane", "leaving it out", "given"]),
            ("goTo", json!({"lesson": "../x"}), ["lesson", "../x", "name"]),
            ("goTo", json!({"lesson": "rank", "step": 0}), ["step", "0", "1"]),
            ("theme", json!({"theme": "sepia"}), ["theme", "sepia", "dark"]),
        ];
        for (kind, rest, words) in wrong {
            let error = asked(kind, rest.clone()).expect_err(&format!("{kind} {rest}")).to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{kind} {rest}: {error}");
        }
        for message in
            [json!(null), json!([]), json!("run"), json!(1), json!({}), json!({"version": 1, "type": {"run": 1}})]
        {
            assert!(read(&message, &state()).is_err(), "{message}");
        }
    }
}
