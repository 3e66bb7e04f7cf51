//! The application's state and how everything that happens changes it. Pure: effects are returned as data, so that
//! each transition can be tested without a browser.

use super::address::{Address, Part};
use crate::config::{BackendChoice, Config};
use crate::method::description::Reach;
use crate::method::match_size::{lane_count, match_parameters};
use crate::protocol::{Command, Event, MergeMode, Watch};
use crate::task::network::LinearSite;
use crate::view::{action::Action, run::Run, snap::Snap};

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
    /// Why the run, which insists on WebGPU, cannot begin.
    pub no_gpu: Option<String>,
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
            no_gpu: None,
            dark,
            share: None,
            embed: address.embed,
        };
        let effects = state.restart();
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
        self.no_gpu = None;
        let lanes = self.config.lanes.len();
        if self.watch.lane >= lanes || self.watch.layer >= self.config.task.site_count() {
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

/// The lane that the inspector opens with: the first of a low rank whose merge is exact, else the first.
fn first_watch(config: &Config) -> Watch {
    let is_low_rank = |lane: &crate::config::Lane| matches!(lane.reach_at(0), Reach::Single { rank: Some(_) });
    Watch {
        lane: config.lanes.iter().position(is_low_rank).unwrap_or(0),
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
            state.run.failed = state.run.started.is_none();
            state.problem(message);
            vec![]
        }
        Msg::Engine(Event::NoGpu { reason }) => {
            state.run.failed = true;
            state.no_gpu = Some(reason);
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
        Action::WithoutGpu => {
            let backend = BackendChoice::Auto;
            edit(state, Snap::new(Config { backend, ..Config::clone(&state.config) }))
        }
        Action::KeepRunning => {
            state.draft = None;
            vec![]
        }
        Action::SetRank { lane, rank } => {
            let mut config = Config::clone(&state.config);
            let Some(changed) = config.lanes.get_mut(lane) else {
                return vec![];
            };
            *changed = changed.resized(rank);
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
            if !lane.is_gated() {
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
        Action::ShowCuts(shown) => send(Command::Cuts(shown)),
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

fn edit(state: &mut State, config: Snap<Config>) -> Vec<Effect> {
    let query = config.to_query();
    state.config = config;
    state.gate = None;
    let mut effects = state.restart();
    effects.push(Effect::Address(query));
    effects
}

/// The shown configuration with every lane brought to the size of its first adapter.
fn matched(state: &State) -> Option<Config> {
    let started = state.run.started.as_ref()?;
    let layers: Vec<LinearSite> = started.layers.iter().map(|layer| layer.site.clone()).collect();
    let mut config = Config::clone(state.shown());
    let first = config.lanes.iter().find(|l| l.size().is_some())?;
    let target = lane_count(first, &layers);
    config.lanes = match_parameters(&config.lanes, &layers, target);
    Some(config)
}

#[cfg(test)]
mod tests;
