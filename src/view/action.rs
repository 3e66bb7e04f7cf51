//! What a person can do to the page, as data: views emit it, the app carries it out.

use crate::config::{Config, Edit};
use crate::protocol::text::{Bring, Look};
use crate::protocol::{Ablate, Sketch, Watch};

/// Who is given what a lane was saved as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// The visitor's disk.
    Visitor,
    /// The page that this one stands in.
    PageAround,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Run,
    Pause,
    Step,
    /// Begin the present configuration again at step 0.
    Reset,
    /// The same with so many steps.
    Longer(usize),
    /// At most this many steps per second; `None` is as fast as the backend goes.
    Speed(Option<u32>),
    /// Another configuration, which needs a restart.
    Edit(Config),
    /// Another run in place of this one, without a question: with these changes on its way, trained until so many steps are
    /// done.
    Open {
        config: Config,
        then: Vec<Edit>,
        until: usize,
    },
    /// Train until so many steps are done, then pause.
    Until(usize),
    /// Changes that the run under way takes, at once.
    Change(Vec<Edit>),
    /// Restart with the edited configuration.
    Restart,
    /// Begin the present configuration on the CPU, where there is no GPU: with the backend left to the machine, so that the
    /// link stays good for machines that have one.
    WithoutGpu,
    /// Drop the edit and keep the run.
    KeepRunning,
    /// Rank (MoR1E: experts) of a trained lane, in place.
    SetRank {
        lane: usize,
        rank: usize,
    },
    /// Save a lane: its adapter, or a language model with it merged in.
    Save {
        lane: usize,
        merged: bool,
        to: Receiver,
    },
    Watch(Watch),
    /// Which lane and layer the gates panel shows.
    ShowGate {
        lane: usize,
        layer: usize,
    },
    Ablate(Option<Ablate>),
    Draw(Option<Sketch>),
    /// Which passage is read, and whose gates with it.
    Look(Look),
    /// A prompt that base and lanes go on from; `None` stops them.
    Write(Option<String>),
    /// What becomes of a visitor's own model and texts, but for files.
    Bring(Bring),
    Share,
    CloseShare,
    /// Set every lane to the budget of this one.
    MatchParameters,
    ToggleTheme,
    Theme {
        dark: bool,
    },
    /// The losses of cut factors came into view, or left it.
    ShowCuts(bool),
    /// The drawing of a token's way came into view, or left it.
    ShowFlow(bool),
    FlowToken(usize),
    Dismiss(usize),
}
