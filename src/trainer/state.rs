//! What the trainer is to do, as a pure state: commands change it, time and the schedule bound it. Knows nothing of
//! engines, nor of how commands arrive.

use std::collections::VecDeque;

use crate::config::{Config, Edit, Lane};
use crate::protocol::text::Bring;
use crate::protocol::text::Look;
use crate::protocol::{Ablate, Command, MergeMode, Sketch, Watch};
use crate::task::digits::PIXELS;
use crate::task::network::LinearSite;

/// Unused time that a limited speed may catch up on, in seconds.
const CATCH_UP: f64 = 0.1;

/// What a command asks for beyond a change of state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Start { config: Config, paused: bool, then: Vec<Edit> },
    Change { lane: usize, to: Becoming },
    Save { lane: usize, merged: bool },
    Bring(Bring),
}

/// What a lane is to become in mid-training.
#[derive(Clone, Debug, PartialEq)]
pub enum Becoming {
    /// Itself at another rank, or number of experts.
    Rank(usize),
    /// This, which may differ in its rank or in settings that can be tuned.
    Lane(Lane),
}

/// What can be watched in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub lanes: Vec<LaneShape>,
    pub domains: usize,
    /// Tokens of the probe.
    pub tokens: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LaneShape {
    /// Adapted layers, in order.
    pub layers: Vec<usize>,
    /// Of each of them; 0 without a gate.
    pub experts: Vec<usize>,
}

impl LaneShape {
    pub fn new(lane: &Lane, sites: &[LinearSite]) -> Self {
        let layers: Vec<usize> = (0..sites.len()).filter(|&l| lane.adapts(&sites[l])).collect();
        Self { experts: layers.iter().map(|&l| lane.experts_at(sites[l].layer)).collect(), layers }
    }
}

/// What the trainer is to do.
#[derive(Clone, Debug)]
pub struct State {
    running: bool,
    visible: bool,
    /// Steps asked for one by one.
    single: usize,
    speed: Option<u32>,
    /// Steps that the limited speed allows by now, and since when.
    credit: f64,
    since: Option<f64>,
    step: usize,
    total: usize,
    /// Steps at which it is to pause.
    halt: Option<usize>,
    /// What is still to be changed on the way, by step.
    then: VecDeque<Edit>,
    shape: Shape,
    watch: Watch,
    ablate: Option<Ablate>,
    drawing: Option<Sketch>,
    cuts: bool,
    flow: Option<usize>,
    look: Option<Look>,
    prompt: Option<String>,
    /// What is shown no longer tells how things are.
    stale: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            running: false,
            visible: true,
            single: 0,
            speed: None,
            credit: 0.0,
            since: None,
            step: 0,
            total: 0,
            halt: None,
            then: VecDeque::new(),
            shape: Shape::default(),
            watch: Watch { lane: 0, layer: 0, merge: MergeMode::MeanGate, domain: 0, token: 0 },
            ablate: None,
            drawing: None,
            cuts: false,
            flow: None,
            look: None,
            prompt: None,
            stale: false,
        }
    }
}

impl State {
    /// A new run of `total` steps; what was watched is watched on, as far as it is there.
    pub fn begin(&mut self, shape: Shape, total: usize, paused: bool, then: Vec<Edit>) {
        self.step = 0;
        self.total = total;
        self.halt = None;
        self.then = then.into();
        self.running = !paused;
        self.single = 0;
        self.ablate = None;
        self.rest();
        self.reshape(shape);
    }

    /// Other ranks or numbers of experts.
    pub fn reshape(&mut self, shape: Shape) {
        self.shape = shape;
        self.watch = self.clamp(self.watch);
        self.ablate = self.ablate.filter(|&ablate| self.has(ablate));
        self.stale = true;
    }

    /// The run goes on from an earlier step.
    pub fn rewind(&mut self, step: usize) {
        self.step = step;
        self.rest();
        self.stale = true;
    }

    pub fn command(&mut self, command: Command) -> Option<Effect> {
        match command {
            Command::Start { config, paused, then } => return Some(Effect::Start { config, paused, then }),
            Command::SetRank { lane, rank } => return Some(self.change(lane, Becoming::Rank(rank))),
            Command::Tune { lane, to } => return Some(self.change(lane, Becoming::Lane(to))),
            Command::Save { lane, merged } => return Some(Effect::Save { lane, merged }),
            Command::Bring(what) => return Some(Effect::Bring(what)),
            Command::Run => {
                self.running = self.step < self.total;
                self.halt = None;
                self.single = 0;
                self.rest();
            }
            Command::Until(step) => {
                self.running = self.step < step.min(self.total);
                self.halt = Some(step);
                self.single = 0;
                self.rest();
            }
            Command::Pause => {
                self.running = false;
                self.single = 0;
            }
            Command::Step => {
                self.running = false;
                self.single = (self.single + 1).min(self.total - self.step);
            }
            Command::Speed(speed) => {
                self.speed = speed;
                self.rest();
            }
            Command::Watch(watch) => self.watch = self.clamp(watch),
            Command::Ablate(ablate) => self.ablate = ablate.filter(|&ablate| self.has(ablate)),
            Command::Draw(drawing) => self.drawing = drawing.filter(|drawing| drawing.pixels.len() == PIXELS),
            Command::Visible(visible) => {
                self.visible = visible;
                self.rest();
            }
            Command::Cuts(cuts) => self.cuts = cuts,
            Command::Flow(token) => self.flow = token,
            Command::Look(look) => self.look = Some(look),
            Command::Write(prompt) => self.prompt = prompt,
            Command::Join => {}
        }
        self.stale = !self.shape.lanes.is_empty();
        None
    }

    /// Whether it can be or not, what the lane then is is shown.
    fn change(&mut self, lane: usize, to: Becoming) -> Effect {
        self.stale = !self.shape.lanes.is_empty();
        Effect::Change { lane, to }
    }

    /// The next change whose step has come.
    pub fn due(&mut self) -> Option<Edit> {
        self.then.pop_front_if(|edit| edit.step <= self.step)
    }

    /// Steps that may be submitted at `now` (milliseconds), at most `most`.
    pub fn allowance(&mut self, now: f64, most: usize) -> usize {
        let until = self.then.front().map_or(self.total, |edit| edit.step.min(self.total));
        let left = until.saturating_sub(self.step);
        let to_halt = self.halt.map_or(left, |halt| left.min(halt.saturating_sub(self.step)));
        if self.single > 0 {
            return self.single.min(left).min(most);
        }
        if !self.training() {
            return 0;
        }
        let Some(speed) = self.speed.map(f64::from) else { return to_halt.min(most) };
        let elapsed = now - self.since.replace(now).unwrap_or(now);
        self.credit = (self.credit + elapsed / 1e3 * speed).min((CATCH_UP * speed).max(1.0));
        to_halt.min(most).min(self.credit as usize)
    }

    /// Milliseconds until the limited speed allows another step; 0 without a limit.
    pub fn wait(&self) -> f64 {
        match self.speed {
            Some(speed) => ((1.0 - self.credit) / f64::from(speed) * 1e3).max(0.0),
            None => 0.0,
        }
    }

    /// `steps` were submitted. A finished schedule pauses the run.
    pub fn advance(&mut self, steps: usize) {
        self.step += steps;
        if self.single > 0 {
            self.single -= steps.min(self.single);
            self.stale = true;
        }
        self.credit = (self.credit - steps as f64).max(0.0);
        if self.step >= self.halt.unwrap_or(self.total).min(self.total) {
            self.running = false;
            self.stale = true;
        }
    }

    /// Steps are to be made as time allows.
    pub fn training(&self) -> bool {
        self.running && self.visible && self.step < self.total
    }

    pub fn look(&self) -> Option<&Look> {
        self.look.as_ref()
    }

    pub fn prompt(&self) -> Option<&str> {
        self.prompt.as_deref()
    }

    /// There is something to train or to show.
    pub fn busy(&self) -> bool {
        self.training() || self.single > 0 || self.stale
    }

    /// Steps asked for one by one are still to be made.
    pub fn stepping(&self) -> bool {
        self.single > 0
    }

    pub fn running(&self) -> bool {
        self.running
    }

    pub fn stale(&self) -> bool {
        self.stale
    }

    /// All is shown as it is.
    pub fn shown(&mut self) {
        self.stale = false;
    }

    pub fn watch(&self) -> Watch {
        self.watch
    }

    pub fn ablate(&self) -> Option<Ablate> {
        self.ablate
    }

    pub fn drawing(&self) -> Option<&Sketch> {
        self.drawing.as_ref()
    }

    /// Losses of cut factors are looked at.
    pub fn cuts(&self) -> bool {
        self.cuts
    }

    /// The token whose way through the watched layer is looked at.
    pub fn flow(&self) -> Option<usize> {
        self.flow.map(|token| token.min(self.shape.tokens.max(1) - 1))
    }

    /// Forget the speed's account: time that passed at rest buys no steps.
    fn rest(&mut self) {
        (self.credit, self.since) = (0.0, None);
    }

    /// The nearest there is.
    fn clamp(&self, watch: Watch) -> Watch {
        let below = |value: usize, count: usize| value.min(count.max(1) - 1);
        let lane = below(watch.lane, self.shape.lanes.len());
        let layers = self.shape.lanes.get(lane).map_or(&[][..], |lane| &lane.layers);
        Watch {
            lane,
            layer: layers.iter().copied().min_by_key(|l| l.abs_diff(watch.layer)).unwrap_or(0),
            domain: below(watch.domain, self.shape.domains),
            token: below(watch.token, self.shape.tokens),
            ..watch
        }
    }

    fn has(&self, ablate: Ablate) -> bool {
        let lane = self.shape.lanes.get(ablate.lane);
        lane.is_some_and(|lane| {
            let at = lane.layers.iter().position(|&layer| layer == ablate.layer);
            at.is_some_and(|at| ablate.expert < lane.experts[at])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(total: usize) -> State {
        let lane =
            |layers: &[usize], experts| LaneShape { layers: layers.to_vec(), experts: vec![experts; layers.len()] };
        let mut state = State::default();
        let shape = Shape { lanes: vec![lane(&[0, 2], 0), lane(&[1], 4)], domains: 3, tokens: 10 };
        state.begin(shape, total, false, Vec::new());
        state.shown();
        state
    }

    #[test]
    fn runs_pauses_and_steps() {
        let mut state = state(100);
        assert_eq!(state.allowance(0.0, 7), 7);
        state.advance(7);
        assert_eq!(state.command(Command::Pause), None);
        assert!(state.busy() && !state.training());
        state.shown();
        assert!(!state.busy());
        assert_eq!(state.allowance(1.0, 7), 0);
        state.command(Command::Step);
        assert_eq!((state.allowance(2.0, 7), state.running()), (1, false));
        state.advance(1);
        assert_eq!(state.allowance(3.0, 7), 0);
        assert!(state.stale());
        state.command(Command::Run);
        assert!(state.training());
        state.command(Command::Step);
        state.command(Command::Step);
        assert_eq!((state.allowance(4.0, 7), state.running()), (2, false));
    }

    #[test]
    fn the_schedule_ends_the_run() {
        let mut state = state(10);
        assert_eq!(state.allowance(0.0, 7), 7);
        state.advance(7);
        assert_eq!(state.allowance(0.0, 7), 3);
        state.advance(3);
        assert!(!state.running() && state.stale());
        for command in [Command::Run, Command::Step] {
            state.command(command);
            assert_eq!((state.running(), state.allowance(9.0, 7)), (false, 0));
        }
        state.rewind(4);
        state.command(Command::Run);
        assert_eq!(state.allowance(9.0, 7), 6);
    }

    #[test]
    fn a_limited_speed_is_kept() {
        let mut state = state(100_000);
        state.command(Command::Speed(Some(30)));
        let mut made = 0;
        for tick in 0..=1000 {
            let steps = state.allowance(f64::from(tick) * 10.0, 50);
            state.advance(steps);
            made += steps;
        }
        assert!((298..=300).contains(&made), "{made} steps in ten seconds at 30 a second");
        // Ten seconds of sleep buy a tenth of a second's steps, not ten seconds'.
        assert_eq!(state.allowance(20_000.0, 50), 3);
        state.advance(3);
        assert!(state.wait() > 0.0 && state.wait() <= 34.0);
        state.command(Command::Speed(None));
        assert_eq!((state.allowance(20_000.0, 50), state.wait()), (50, 0.0));
    }

    #[test]
    fn hidden_tabs_do_not_train() {
        let mut state = state(100);
        state.command(Command::Visible(false));
        assert!(!state.training() && state.running());
        assert_eq!(state.allowance(0.0, 7), 0);
        state.command(Command::Visible(true));
        assert_eq!(state.allowance(0.0, 7), 7);
    }

    #[test]
    fn what_is_not_there_is_not_watched() {
        let mut state = state(100);
        let far = Watch { lane: 9, layer: 9, merge: MergeMode::PerInput, domain: 9, token: 99 };
        state.command(Command::Watch(far));
        assert_eq!(state.watch(), Watch { lane: 1, layer: 1, domain: 2, token: 9, ..far });
        state.command(Command::Watch(Watch { lane: 0, layer: 9, ..far }));
        assert_eq!(state.watch().layer, 2);
        let expert = |lane, layer, expert| Some(Ablate { lane, layer, expert });
        for (asked, kept) in [
            (expert(1, 1, 3), expert(1, 1, 3)),
            (expert(1, 1, 4), None),
            (expert(1, 0, 0), None),
            (expert(0, 0, 0), None),
            (expert(7, 0, 0), None),
        ] {
            state.command(Command::Ablate(asked));
            assert_eq!(state.ablate(), kept);
        }
        let sketch = |cells| Sketch { pixels: vec![16.0; cells], there: [true, false] };
        state.command(Command::Draw(Some(sketch(63))));
        assert_eq!(state.drawing(), None);
        state.command(Command::Draw(Some(sketch(64))));
        assert_eq!(state.drawing(), Some(&sketch(64)));
        state.command(Command::Ablate(expert(1, 1, 3)));
        let smaller = LaneShape { layers: vec![1], experts: vec![2] };
        state.reshape(Shape { lanes: vec![smaller], domains: 1, tokens: 4 });
        assert_eq!((state.ablate(), state.watch().lane, state.watch().token), (None, 0, 3));
    }

    #[test]
    fn before_a_run_there_is_nothing_to_do() {
        let mut state = State::default();
        for command in [Command::Run, Command::Step, Command::Pause, Command::Speed(Some(3))] {
            assert_eq!(state.command(command), None);
        }
        assert!(!state.busy());
        assert_eq!(state.allowance(5.0, 7), 0);
        let effect = state.command(Command::SetRank { lane: 1, rank: 3 });
        assert_eq!(effect, Some(Effect::Change { lane: 1, to: Becoming::Rank(3) }));
    }
}
