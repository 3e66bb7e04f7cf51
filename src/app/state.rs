//! The application's state and how everything that happens changes it. Pure: effects are returned as data, so that
//! each transition can be tested without a browser.

use super::address::{Address, Part};
use crate::adapter::budget::{lane_count, match_parameters};
use crate::config::{ALL, Config, Method};
use crate::protocol::{Command, Event, MergeMode, Watch};
use crate::view::{action::Action, edit::set_rank, run::Run, snap::Snap, words::is_gated};

/// Messages kept at most; the oldest go first.
const PROBLEMS: usize = 4;

#[derive(Clone, Debug)]
pub struct State {
    /// What runs.
    pub config: Snap<Config>,
    /// What was edited and waits for the word to restart.
    pub draft: Option<Snap<Config>>,
    pub run: Run,
    /// Whether the person wants training to go on.
    pub wants_to_run: bool,
    pub speed: Option<u32>,
    pub watch: Watch,
    /// Lane and layer shown in the gates panel.
    pub gate: Option<(usize, usize)>,
    pub problems: Vec<String>,
    pub dark: bool,
    /// The link being shared, and whether it is in the clipboard.
    pub share: Option<(String, bool)>,
    pub embed: Option<Vec<Part>>,
}

/// Anything that happens.
#[derive(Clone, Debug)]
pub enum Msg {
    Act(Action),
    Engine(Event),
    /// The tab was shown or hidden.
    Visible(bool),
    /// The system's theme changed.
    Dark(bool),
    /// The clipboard took the link, or did not.
    Copied(bool),
    /// The worker itself failed.
    Worker(String),
}

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Send(Command),
    /// The address should describe this configuration.
    Address(String),
    /// Leave for the build of the page that has everything, with this query.
    Load(String),
    /// Make a link of this query and put it in the clipboard.
    Share(String),
    Theme {
        dark: bool,
    },
}

impl State {
    /// The state before anything has happened, and what to do first.
    pub fn start(address: Address, dark: bool) -> (Self, Vec<Effect>) {
        let watch = first_watch(&address.config);
        let mut state = Self {
            config: Snap::new(address.config),
            draft: None,
            run: Run::default(),
            wants_to_run: !address.paused,
            speed: None,
            watch,
            gate: None,
            problems: address.problems,
            dark,
            share: None,
            embed: address.embed,
        };
        // Links of such runs ask for the whole page by themselves; this one was written by hand.
        let effects = match state.config.is_variant() && !cfg!(feature = "variants") {
            true => vec![Effect::Load(state.config.to_query())],
            false => state.restart(),
        };
        (state, effects)
    }

    /// The configuration that controls show: the edit that waits, or what runs.
    pub fn shown(&self) -> &Snap<Config> {
        self.draft.as_ref().unwrap_or(&self.config)
    }

    /// Begins the present configuration at step 0.
    fn restart(&mut self) -> Vec<Effect> {
        let drawn = self.run.drawing.is_some();
        self.run = Run::default();
        let lanes = self.config.lanes.len();
        if self.watch.lane >= lanes || self.watch.layer >= self.config.task.layer_count() {
            self.watch = first_watch(&self.config);
        }
        let mut effects = vec![
            Effect::Send(Command::Start { config: Config::clone(&self.config), paused: !self.wants_to_run }),
            Effect::Send(Command::Watch(self.watch)),
        ];
        if self.speed.is_some() {
            effects.push(Effect::Send(Command::Speed(self.speed)));
        }
        if drawn {
            // The pad begins empty with the run.
            effects.push(Effect::Send(Command::Draw(None)));
        }
        effects
    }

    fn problem(&mut self, message: String) {
        if self.problems.last() != Some(&message) {
            self.problems.push(message);
        }
        let over = self.problems.len().saturating_sub(PROBLEMS);
        self.problems.drain(..over);
    }
}

/// The lane that the inspector opens with: LoRA, whose merge is exact, else the first.
fn first_watch(config: &Config) -> Watch {
    let is_lora = |method: &Method| matches!(method, Method::Lora { .. });
    Watch {
        lane: config.lanes.iter().position(|l| is_lora(&l.method)).unwrap_or(0),
        layer: 0,
        merge: MergeMode::MeanGate,
        domain: 0,
        token: 0,
    }
}

/// Takes in what happened and says what is to be done about it.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Act(action) => act(state, action),
        Msg::Engine(Event::Problem { message, fatal }) => {
            if fatal {
                state.run.running = false;
            }
            state.problem(message);
            vec![]
        }
        Msg::Engine(event) => {
            state.run.apply(event);
            vec![]
        }
        Msg::Visible(visible) => vec![Effect::Send(Command::Visible(visible))],
        Msg::Dark(dark) => {
            state.dark = dark;
            vec![Effect::Theme { dark }]
        }
        Msg::Copied(copied) => {
            if let Some(share) = &mut state.share {
                share.1 = copied;
            }
            vec![]
        }
        Msg::Worker(message) => {
            state.run.running = false;
            state.problem(message);
            vec![]
        }
    }
}

fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let send = |command| vec![Effect::Send(command)];
    match action {
        Action::Run => {
            state.wants_to_run = true;
            state.run.running = true;
            send(Command::Run)
        }
        Action::Pause => {
            state.wants_to_run = false;
            state.run.running = false;
            send(Command::Pause)
        }
        Action::Step => {
            state.wants_to_run = false;
            state.run.running = false;
            send(Command::Step)
        }
        Action::Reset => {
            if let Some(draft) = state.draft.take() {
                return edit(state, draft);
            }
            state.restart()
        }
        Action::Speed(speed) => {
            state.speed = speed;
            send(Command::Speed(speed))
        }
        Action::Edit(config) => {
            if let Err(error) = config.validate() {
                state.problem(format!("That is not possible: {error}."));
                return vec![];
            }
            if config == *state.config {
                state.draft = None;
                return vec![];
            }
            if let Some(effects) = tune(state, &config) {
                return effects;
            }
            match state.run.step {
                0 => edit(state, Snap::new(config)),
                _ => {
                    state.draft = Some(Snap::new(config));
                    vec![]
                }
            }
        }
        Action::Restart => match state.draft.take() {
            Some(draft) => edit(state, draft),
            None => vec![],
        },
        Action::KeepRunning => {
            state.draft = None;
            vec![]
        }
        Action::SetRank { lane, rank } => {
            let mut config = Config::clone(&state.config);
            let Some(changed) = config.lanes.get_mut(lane) else {
                return vec![];
            };
            set_rank(changed, rank);
            if let Err(error) = config.validate() {
                state.problem(format!("That is not possible: {error}."));
                return vec![];
            }
            let query = config.to_query();
            state.config = Snap::new(config);
            vec![Effect::Send(Command::SetRank { lane, rank }), Effect::Address(query)]
        }
        Action::Watch(mut watch) => {
            let Some(lane) = state.config.lanes.get(watch.lane) else {
                return vec![];
            };
            if !is_gated(&lane.method) {
                watch.merge = MergeMode::MeanGate;
            }
            state.watch = watch;
            send(Command::Watch(watch))
        }
        Action::ShowGate { lane, layer } => {
            state.gate = Some((lane, layer));
            vec![]
        }
        Action::Ablate(ablate) => send(Command::Ablate(ablate)),
        Action::Draw(cells) => send(Command::Draw(cells)),
        Action::LoadAll => vec![Effect::Load(with_all(state.config.to_query()))],
        Action::Share => vec![Effect::Share(state.config.to_query())],
        Action::CloseShare => {
            state.share = None;
            vec![]
        }
        Action::MatchParameters => match matched(state) {
            Some(config) => act(state, Action::Edit(config)),
            None => vec![],
        },
        Action::ToggleTheme => {
            state.dark = !state.dark;
            vec![Effect::Theme { dark: state.dark }]
        }
        Action::Dismiss(index) => {
            if index < state.problems.len() {
                state.problems.remove(index);
            }
            vec![]
        }
    }
}

/// What needs no new start is changed in the run under way.
fn tune(state: &mut State, config: &Config) -> Option<Vec<Effect>> {
    let whole = Config { lanes: state.config.lanes.clone(), ..config.clone() };
    let lanes = || state.config.lanes.iter().zip(&config.lanes);
    let same = state.config.lanes.len() == config.lanes.len() && whole == *state.config;
    if !same || !lanes().all(|(old, new)| old.tunes_to(new)) {
        return None;
    }
    let changed = lanes().enumerate().filter(|(_, (old, new))| old != new);
    let mut effects: Vec<Effect> =
        changed.map(|(lane, (_, to))| Effect::Send(Command::Tune { lane, to: to.clone() })).collect();
    effects.push(Effect::Address(config.to_query()));
    state.config = Snap::new(config.clone());
    Some(effects)
}

/// A query that asks for the whole page.
fn with_all(query: String) -> String {
    match query.starts_with(ALL) {
        true => query,
        false => format!("{ALL}&{query}"),
    }
}

fn edit(state: &mut State, config: Snap<Config>) -> Vec<Effect> {
    let query = config.to_query();
    if config.is_variant() && !cfg!(feature = "variants") {
        return vec![Effect::Load(query)];
    }
    state.config = config;
    state.gate = None;
    let mut effects = state.restart();
    effects.push(Effect::Address(query));
    effects
}

/// The shown configuration with every lane brought to the size of its first adapter.
fn matched(state: &State) -> Option<Config> {
    let started = state.run.started.as_ref()?;
    let layers: Vec<(usize, usize)> = started.layers.iter().map(|l| (l.inputs, l.outputs)).collect();
    let mut config = Config::clone(state.shown());
    let first = config.lanes.iter().find(|l| l.method != Method::Full)?;
    let target = lane_count(first, &layers);
    config.lanes = match_parameters(&config.lanes, &layers, target);
    Some(config)
}

#[cfg(test)]
mod tests {
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
            layers: vec![crate::protocol::LayerInfo { inputs: 64, outputs: 64, activation: String::new() }],
            domains: vec![],
            energy: 1.0,
            true_rank: None,
            floors: vec![],
        };
        update(&mut state, Msg::Engine(Event::Started(Box::new(started))));
        state
    }

    fn at_step(state: &mut State, step: usize) {
        let frame = Frame {
            step,
            running: true,
            steps_per_second: 1.0,
            lr: 0.0,
            lanes: vec![],
            gates: vec![],
            weight: None,
            drawing: vec![],
        };
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
        assert!(matches!(state.config.lanes[1].method, Method::Lora { rank: 3, .. }));
        assert_eq!(state.run.step, 40);
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
}
