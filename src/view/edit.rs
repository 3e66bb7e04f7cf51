//! Small changes to a configuration that several controls make. Pure.

use crate::args::{Model, Named, Pattern, Sensors, Text, limits};
use crate::config::{Config, Lane, Schedule, Task};
use crate::lang::marked;
use crate::method::description::Method;
use crate::task::text::own::{About, AboutAdapter};

/// Lanes the page has room and colours for.
pub const LANES: usize = 4;

/// Ways of sharing out experts or ranks over the layers of a network (MoLA, arXiv 2402.08562).
pub const PATTERNS: [&str; 5] =
    [marked!("uniform"), marked!("hourglass"), marked!("triangle"), marked!("inverted"), marked!("diamond")];

/// Sizes by layer of this pattern, at least 1 each, whose total is `layers · mean` as nearly as that allows. Over four
/// layers of 5 on average: 5555, 8228, 2468, 8642, 2882.
pub fn sizes(pattern: &str, layers: usize, mean: usize) -> Vec<usize> {
    let last = layers.max(2) as f64 - 1.0;
    let outer = layers.div_ceil(4);
    let share = |layer: usize| {
        let height = layer as f64 / last;
        let at_an_end = layer < outer || layer + outer >= layers;
        match (pattern, at_an_end) {
            ("hourglass", true) | ("diamond", false) => 1.6,
            ("hourglass" | "diamond", _) => 0.4,
            ("triangle", _) => 0.4 + 1.2 * height,
            ("inverted", _) => 1.6 - 1.2 * height,
            _ => 1.0,
        }
    };
    let total: f64 = (0..layers).map(share).sum();
    let scale = (layers * mean) as f64 / total;
    (0..layers).map(|layer| ((share(layer) * scale).round() as usize).max(1)).collect()
}

/// The configuration on another kind of task. Lanes of a language model have rates of their own, gates that do not read
/// ahead, and projections, which mean nothing elsewhere; so going there or leaving brings other lanes.
pub fn on_task(config: &Config, task: Task) -> Config {
    // Tasks on which the lanes that others begin with would be of a wrong size or rate.
    let own = |task: &Task| match task {
        Task::Text(_) => Some(Schedule { warmup: 20, total: 400 }),
        Task::Sensors(_) => Some(Schedule { warmup: 50, total: 600 }),
        _ => None,
    };
    let mut next = Config { task, ..config.clone() };
    let (before, after) = (own(&config.task), own(&next.task));
    if config.task.kind() != next.task.kind() && (before.is_some() || after.is_some()) {
        next.lanes = Config::default_lanes(next.task.kind());
        next.schedule = after.unwrap_or_default();
    } else if before.is_none() {
        // Layers of one task's network mean nothing in another's.
        next.lanes.iter_mut().for_each(|lane| lane.layers = None);
    }
    next
}

/// Trains on a pattern too, or no longer; the last one stays.
pub fn choose_pattern(task: &mut Sensors, pattern: Pattern, on: bool) {
    let chosen = |one: &Pattern| if *one == pattern { on } else { task.patterns.contains(one) };
    let patterns: Vec<Pattern> = Pattern::ALL.iter().copied().filter(chosen).collect();
    if !patterns.is_empty() {
        task.patterns = patterns;
    }
}

/// A new lane of this method: on text with gates that read nothing ahead, at a rate at which methods of its kind did well.
pub fn lane_for(task: &Task, method: &'static Method) -> Lane {
    if !task.has_projections() {
        return method.into();
    }
    let known = Config::default_lanes(task.kind()).into_iter().find(|lane| std::ptr::eq(lane.method, method));
    known.unwrap_or_else(|| {
        let lane = Lane::from(method).causal();
        Lane { lr: Some(if lane.is_gated() { 0.02 } else { 0.01 }), ..lane }
    })
}

/// Trains on a language, or no longer; the last one stays, and there is room for so many.
pub fn choose_language(text: &mut Text, code: &str, on: bool) {
    if text.model == Model::Custom && on {
        // From a visitor's own text back to the page's.
        (text.model, text.languages) = (Model::Small, vec![code.to_owned()]);
        return;
    }
    let all = &mut text.languages;
    let room = all.len() < limits::DOMAINS.max;
    match (on, all.iter().position(|one| one == code)) {
        (true, None) if room => all.push(code.to_owned()),
        (false, Some(at)) if all.len() > 1 => {
            all.remove(at);
        }
        _ => {}
    }
}

/// The configuration on a visitor's own texts, whole as they are; `None` where there are none, or it is that already.
pub fn on_own(config: &Config, about: &About) -> Option<Config> {
    let Task::Text(text) = &config.task else { return None };
    let languages: Vec<String> = about.texts.iter().map(|text| text.name.clone()).collect();
    let longest = about.model.as_ref().map_or(usize::MAX, |model| model.positions);
    let own = Text { model: Model::Custom, languages, sequence: text.sequence.min(longest), ..text.clone() };
    let mut lanes = config.lanes.clone();
    for adapter in &about.adapters {
        lanes = beginning(&lanes, adapter);
    }
    (!own.languages.is_empty()).then(|| Config { task: Task::Text(own), lanes, ..config.clone() })
}

/// Lanes with one first that begins from an opened adapter, where none does; the last makes room.
pub fn beginning(lanes: &[Lane], adapter: &AboutAdapter) -> Vec<Lane> {
    let mut all = lanes.to_vec();
    if all.iter().all(|lane| lane.begin.as_ref() != Some(&adapter.name)) {
        let usual = lane_for(&Task::Text(Text::default()), adapter.lane.method);
        all.insert(0, Lane { lr: usual.lr, ..adapter.lane.clone() });
        all.truncate(LANES);
    }
    all
}

/// Lets gates look at whole passages, or no longer; lanes that have the choice follow.
pub fn cheat(config: &mut Config, on: bool) {
    if let Task::Text(text) = &mut config.task {
        text.cheat = on;
    }
    for lane in &mut config.lanes {
        *lane = if on { lane.clone().reading_ahead() } else { lane.clone().causal() };
    }
}

/// Takes one of `all` in or out of a choice of which `None` is all; the last one stays.
pub fn choose<T: Copy + PartialEq>(chosen: Option<&Vec<T>>, all: &[T], one: T, on: bool) -> Option<Vec<T>> {
    let is_in = |other: &T| if *other == one { on } else { chosen.is_none_or(|chosen| chosen.contains(other)) };
    let next: Vec<T> = all.iter().copied().filter(is_in).collect();
    match next.len() {
        0 => chosen.cloned(),
        n if n == all.len() => None,
        _ => Some(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_keep_one_and_say_nothing_of_all() {
        assert_eq!(choose(None, &[0, 1, 2], 1, false), Some(vec![0, 2]));
        assert_eq!(choose(Some(&vec![0, 2]), &[0, 1, 2], 1, true), None);
        assert_eq!(choose(Some(&vec![2]), &[0, 1, 2], 2, false), Some(vec![2]));
        let mut text = Text { languages: vec!["rus".into()], ..Text::default() };
        choose_language(&mut text, "rus", false);
        choose_language(&mut text, "swh", true);
        assert_eq!(text.languages, ["rus", "swh"]);
    }

    #[test]
    fn new_lanes_of_a_language_read_nothing_ahead() {
        let task = Task::Text(Text::default());
        for method in crate::method::METHODS {
            let config = Config { lanes: vec![lane_for(&task, method)], ..on_task(&Config::default(), task.clone()) };
            config.validate().unwrap();
        }
    }

    #[test]
    fn cheating_is_for_lanes_that_can_and_is_taken_back() {
        let began = on_task(&Config::default(), Task::Text(Text::default()));
        let mut config = began.clone();
        cheat(&mut config, true);
        config.validate().unwrap();
        let changed: Vec<usize> = (0..4).filter(|&lane| config.lanes[lane] != began.lanes[lane]).collect();
        assert_eq!(changed, [3]);
        cheat(&mut config, false);
        assert_eq!(config, began);
    }

    #[test]
    fn patterns_are_mola_s() {
        let of = |pattern| sizes(pattern, 4, 5);
        assert_eq!(of("uniform"), [5, 5, 5, 5]);
        assert_eq!(of("hourglass"), [8, 2, 2, 8]);
        assert_eq!(of("triangle"), [2, 4, 6, 8]);
        assert_eq!(of("inverted"), [8, 6, 4, 2]);
        assert_eq!(of("diamond"), [2, 8, 8, 2]);
        for pattern in PATTERNS {
            for layers in 2..=8 {
                let all = sizes(pattern, layers, 4);
                assert!(all.iter().sum::<usize>().abs_diff(4 * layers) <= layers / 2, "{pattern} {all:?}");
                assert!(all.iter().all(|&n| n >= 1));
            }
        }
    }
}
