//! The application's state and how everything that happens changes it. Pure: effects are returned as data, so that
//! each transition can be tested without a browser.

mod back;
mod first;
mod lanes;
mod link;
mod look;
mod shared;

use std::collections::VecDeque;

use back::go_back;
use first::{can_look, first_look, first_mixture, first_watch};
use lanes::{follow, matched, tune};
use look::{flow, theme};
use shared::adopt;

use super::address::{Address, Part};
use crate::config::{BackendChoice, Config, Edit};
use crate::lang::tr;
use crate::protocol::text::Look;
use crate::protocol::{Command, Event, MergeMode, Watch};
use crate::task::text::own::About;
use crate::view::action::{Action, Receiver};
use crate::view::{run::Run, snap::Snap};

/// Messages kept at most; the oldest go first.
const PROBLEMS: usize = 4;

#[derive(Clone, Debug)]
pub struct State {
    /// What runs, as it is now.
    pub config: Snap<Config>,
    /// How it began, and what its link changes on its way.
    pub begun: Snap<Config>,
    then: Vec<Edit>,
    /// It was changed by hand, so that it is no longer the link's run.
    by_hand: bool,
    /// Changes sent and not yet answered, during which lanes are what was asked for.
    waiting: usize,
    /// What was edited and waits for the word to restart.
    pub draft: Option<Snap<Config>>,
    pub run: Run,
    /// How things were before a choice whose run is not set up yet: the trainer keeps that run until the new one can begin.
    before: Option<Box<State>>,
    /// Whether the person wants training to go on.
    pub wants_to_run: bool,
    pub speed: Option<u32>,
    pub watch: Watch,
    /// Whether the drawing of a token's way is in view, and which token's it is.
    pub flow: (bool, usize),
    /// Lane and layer shown in the gates panel.
    pub gate: Option<(usize, usize)>,
    /// Of a language model: the passage that is read, and the prompt gone on from.
    pub look: Option<Look>,
    pub prompt: Option<String>,
    /// What the visitor has opened of their own.
    pub brought: Option<Snap<About>>,
    pub problems: Vec<String>,
    /// Why the run, which insists on WebGPU, cannot begin.
    pub no_gpu: Option<String>,
    pub dark: bool,
    /// The theme was chosen, so that the system's is not followed.
    themed: bool,
    /// Files asked for here and not yet given.
    saving: VecDeque<Receiver>,
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
    /// Files by name.
    Give(Vec<(String, Vec<u8>)>, Receiver),
}

impl State {
    /// The state before anything has happened, and what to do first.
    pub fn start(address: Address, dark: bool) -> (Self, Vec<Effect>) {
        let watch = match &address.embed {
            Some(parts) if parts.contains(&Part::Experts) => first_mixture(&address.config),
            _ => first_watch(&address.config),
        };
        let config = Snap::new(address.config);
        let mut state = Self {
            begun: config.clone(),
            config,
            then: address.then,
            by_hand: false,
            waiting: 0,
            draft: None,
            run: Run::default(),
            before: None,
            wants_to_run: !address.paused,
            speed: None,
            watch,
            flow: (false, 0),
            gate: None,
            look: None,
            prompt: None,
            brought: None,
            problems: address.problems,
            no_gpu: None,
            dark: address.dark.unwrap_or(dark),
            themed: address.dark.is_some(),
            saving: VecDeque::new(),
            share: None,
            embed: address.embed,
        };
        let effects = if address.joins { vec![Effect::Send(Command::Join)] } else { state.restart() };
        (state, effects)
    }

    /// The configuration that controls show: the edit that waits, or what runs.
    pub fn shown(&self) -> &Snap<Config> {
        self.draft.as_ref().unwrap_or(&self.config)
    }

    /// Begins at step 0 again: a link's run as the link has it, one that was changed by hand as it is now.
    fn restart(&mut self) -> Vec<Effect> {
        if std::mem::take(&mut self.by_hand) {
            self.then.clear();
            self.begun = self.config.clone();
        }
        self.config = self.begun.clone();
        self.waiting = 0;
        let drawn = self.run.drawing.is_some();
        self.run = Run::default();
        self.no_gpu = None;
        let lanes = self.config.lanes.len();
        if self.watch.lane >= lanes || self.watch.layer >= self.config.task.site_count() {
            self.watch = first_watch(&self.config);
        }
        let mut effects = vec![
            Effect::Send(Command::Start {
                config: Config::clone(&self.config),
                paused: !self.wants_to_run,
                then: self.then.clone(),
            }),
            Effect::Send(Command::Watch(self.watch)),
        ];
        if self.speed.is_some() {
            effects.push(Effect::Send(Command::Speed(self.speed)));
        }
        if !self.config.task.has_projections() {
            self.look = None;
            if self.prompt.take().is_some() {
                effects.push(Effect::Send(Command::Write(None)));
            }
        } else if self.look.as_ref().is_none_or(|look| !can_look(&self.config, look)) {
            self.look = first_look(&self.config);
        }
        effects.extend(self.look.clone().map(|look| Effect::Send(Command::Look(look))));
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

/// Takes in what happened and says what is to be done about it.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Act(action) => act(state, action),
        Msg::Engine(Event::Problem { message, fatal }) => {
            state.waiting = state.waiting.saturating_sub(1);
            if fatal {
                state.run.running = false;
                state.before = None;
            }
            if let Some(effects) = go_back(state, &message) {
                return effects;
            }
            state.run.not_begun();
            state.problem(message);
            vec![]
        }
        Msg::Engine(Event::NoGpu { reason }) => {
            if let Some(effects) = go_back(state, &tr!("WebGPU cannot be used here: {reason}", reason)) {
                return effects;
            }
            state.run.failed = true;
            state.no_gpu = Some(reason);
            vec![]
        }
        // Of a run that was asked for and given up before it was set up.
        Msg::Engine(Event::Started(started)) if state.is_given_up(&started.config) => vec![],
        // Where nobody here waits for them, another page that shares the run has asked.
        Msg::Engine(Event::Saved(files)) => {
            state.saving.pop_front().map(|to| Effect::Give(files, to)).into_iter().collect()
        }
        Msg::Engine(Event::Begins(config)) => adopt(state, *config),
        Msg::Engine(Event::Again { started, losses }) => {
            if state.run.started.is_none() {
                adopt(state, started.config.clone());
                state.run.apply(Event::Again { started, losses });
            }
            vec![]
        }
        Msg::Engine(Event::Brought(about)) => {
            state.brought = Some(Snap::new(*about));
            vec![]
        }
        Msg::Engine(event) => {
            if matches!(event, Event::Started(_)) {
                state.waiting = state.waiting.saturating_sub(1);
                state.before = None;
            } else if let (Some(before), Event::Frame(_) | Event::Text(_)) = (&mut state.before, &event) {
                before.run.apply(event);
                return vec![];
            }
            let (known, is_frame) = (state.run.edits.len(), matches!(event, Event::Frame(_)));
            state.run.apply(event);
            if is_frame && state.waiting == 0 {
                follow(state);
            }
            match state.run.edits.len() > known {
                true => vec![Effect::Address(state.link())],
                false => vec![],
            }
        }
        Msg::Visible(visible) => vec![Effect::Send(Command::Visible(visible))],
        Msg::Dark(_) if state.themed => vec![],
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
        Action::Run if state.run.failed => {
            state.wants_to_run = true;
            match state.no_gpu {
                Some(_) => act(state, Action::WithoutGpu),
                None => state.restart(),
            }
        }
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
            let mut effects = state.restart();
            effects.push(Effect::Address(state.link()));
            effects
        }
        Action::Longer(steps) => {
            let mut config = state.draft.take().unwrap_or_else(|| state.config.clone());
            config.change(|config| config.schedule.total = steps);
            state.wants_to_run = true;
            edit(state, config)
        }
        Action::Speed(speed) => {
            state.speed = speed;
            send(Command::Speed(speed))
        }
        Action::Edit(config) => {
            if let Err(error) = config.validate() {
                state.problem(tr!("That is not possible: {error}.", error));
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
        Action::Open { config, then, until } => {
            (state.draft, state.wants_to_run) = (None, false);
            let mut effects = begin(state, Snap::new(config), then);
            effects.push(Effect::Send(Command::Until(until)));
            effects
        }
        Action::Until(step) => {
            state.wants_to_run = true;
            state.run.running = true;
            send(Command::Until(step))
        }
        Action::Change(edits) => lanes::change(state, edits),
        Action::Restart => match state.draft.take() {
            Some(draft) => edit(state, draft),
            None => vec![],
        },
        Action::WithoutGpu => {
            let then = state.then.clone();
            let begun = Config { backend: BackendChoice::Auto, ..Config::clone(&state.begun) };
            begin(state, Snap::new(begun), then)
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
                state.problem(tr!("That is not possible: {error}.", error));
                return vec![];
            }
            state.config = Snap::new(config);
            state.by_hand = true;
            state.waiting += 1;
            send(Command::SetRank { lane, rank })
        }
        Action::Save { lane, merged, to } => {
            state.saving.push_back(to);
            send(Command::Save { lane, merged })
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
        Action::Draw(sketch) => send(Command::Draw(sketch)),
        Action::Look(look) => {
            state.look = Some(look.clone());
            send(Command::Look(look))
        }
        Action::Write(prompt) => {
            state.prompt = prompt.clone();
            send(Command::Write(prompt))
        }
        Action::Bring(what) => send(Command::Bring(what)),
        Action::Share => vec![Effect::Share(state.link())],
        Action::CloseShare => {
            state.share = None;
            vec![]
        }
        Action::MatchParameters => match matched(state) {
            Some(config) => act(state, Action::Edit(config)),
            None => vec![],
        },
        Action::ToggleTheme => theme(state, !state.dark),
        Action::Theme { dark } => theme(state, dark),
        Action::ShowCuts(shown) => send(Command::Cuts(shown)),
        Action::ShowFlow(shown) => flow(state, (shown, state.flow.1)),
        Action::FlowToken(token) => flow(state, (state.flow.0, token)),
        Action::Dismiss(index) => {
            if index < state.problems.len() {
                state.problems.remove(index);
            }
            vec![]
        }
    }
}

fn edit(state: &mut State, config: Snap<Config>) -> Vec<Effect> {
    begin(state, config, Vec::new())
}

/// Begins another run.
fn begin(state: &mut State, config: Snap<Config>, then: Vec<Edit>) -> Vec<Effect> {
    if state.run.started.is_some() {
        state.before = Some(Box::new(state.clone()));
    }
    (state.begun, state.then, state.by_hand, state.gate) = (config, then, false, None);
    let mut effects = state.restart();
    effects.push(Effect::Address(state.link()));
    effects
}

#[cfg(test)]
mod tests;
