//! Each sentence against a state in which it is true, and against a near miss in which it must not be said.

mod mixtures;
mod text;

use super::*;
use crate::{
    config::{Config, Digits},
    protocol::{Binds, Floor, GateFrame, LaneFrame, LayerInfo, text::TextInfo},
};

const FULL: usize = 0;
const LORA: usize = 1;
const MOLORA: usize = 2;
const MOR1E: usize = 3;

/// A run of the default configuration, told frame by frame, ten steps each.
struct Run {
    started: Started,
    frame: Frame,
    history: Vec<LaneHistory>,
    text: Reading,
}

impl Run {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let lanes: Vec<LaneFrame> = config.lanes.iter().map(lane_frame).collect();
        let gates = [MOLORA, MOR1E]
            .into_iter()
            .filter(|lane| *lane < lanes.len())
            .map(|lane| gate_frame(lane, if lane == MOLORA { 4 } else { 8 }))
            .collect();
        let any = Floor {
            lanes: vec![FULL, LORA],
            share: 0.75,
            noise: 0.0,
            binds: Some(Binds::AnyWeight),
            label: "floor, any single W".into(),
            why: "four conflicting domains".into(),
        };
        Self {
            text: Reading::default(),
            history: lanes.iter().map(|_| LaneHistory::new(2.0)).collect(),
            started: Started {
                backend: "cpu".into(),
                adapter: "CPU".into(),
                fallback: None,
                tables: vec![],
                layers: vec![LayerInfo {
                    site: crate::task::network::LinearSite::plain(&[(64, 64)]).remove(0),
                    activation: String::new(),
                }],
                domains: (1..=4).map(|i| format!("domain {i}")).collect(),
                energy: 2.0,
                true_rank: Some(2),
                floors: if matches!(config.task, Task::Domains(_)) { vec![any] } else { Vec::new() },
                text: matches!(config.task, Task::Text(_)).then(|| TextInfo { token: "byte".into(), guessing: 8.0 }),
                config,
            },
            frame: Frame { step: 0, running: true, steps_per_second: 300.0, lanes, gates, ..Frame::default() },
        }
    }

    fn domains() -> Self {
        Self::new(|_| ())
    }

    fn digits() -> Self {
        Self::new(|config| config.task = Task::Digits(Digits::default()))
    }

    /// `n` frames of ten steps with these shares of the energy, after which the learning rate is `lr`.
    fn steps(mut self, n: usize, lr: f32, shares: [f32; 4]) -> Self {
        for _ in 0..n {
            for (lane, share) in self.frame.lanes.iter_mut().zip(shares) {
                lane.losses_from = self.frame.step;
                lane.losses = vec![2.0 * share; 10];
                lane.spectrum = vec![0.5, 0.1];
            }
            self.frame.step += 10;
            self.frame.lr = lr;
            self.tell();
        }
        self
    }

    fn tell(&mut self) {
        for (i, history) in self.history.iter_mut().enumerate() {
            history.push(&self.frame, i);
        }
    }

    fn and(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn whole_line(&self) -> Line {
        line(&State { started: &self.started, frame: &self.frame, history: &self.history, text: &self.text })
    }

    fn line(&self) -> String {
        self.whole_line().text()
    }

    #[track_caller]
    fn says(self, sentence: &str) -> Self {
        assert_eq!(self.line(), sentence);
        self
    }

    /// After the first claim, and instead of none.
    #[track_caller]
    fn adds(self, notice: &str) -> Self {
        let line = self.line();
        assert!(line.ends_with(&format!(". {notice}")), "{line}");
        self
    }

    #[track_caller]
    fn does_not_say(self, words: &str) -> Self {
        let line = self.line();
        assert!(!line.contains(words), "{line}");
        self
    }
}

fn lane_frame(lane: &Lane) -> LaneFrame {
    LaneFrame {
        lane: lane.clone(),
        parameters: 1024,
        base_parameters: 4096,
        formula: String::new(),
        diverged: None,
        since: 0,
        measured: None,
        losses_from: 0,
        losses: Vec::new(),
        accuracy: None,
        spectrum: vec![0.0; 2],
    }
}

/// Uniform where it is, but not so uniform that it would be mentioned.
fn gate_frame(lane: usize, experts: usize) -> GateFrame {
    let even = 1.0 / experts as f32;
    GateFrame {
        lane,
        layer: 0,
        experts,
        token_domains: Vec::new(),
        tokens: Vec::new(),
        domains: vec![even; 4 * experts],
        mean: vec![even; experts],
        utilisation: vec![even; experts],
        entropy: 0.9,
        ablation: None,
        parts: None,
    }
}

/// Another rank from this frame's step on.
fn rank(run: &mut Run, to: usize) {
    let lane = &mut run.frame.lanes[LORA];
    lane.lane.settings.set("rank", to);
    lane.since = run.frame.step;
}

const MIDWAY: [f32; 4] = [0.749, 0.75, 0.9, 0.9];

/// Only of sentences whose numbers are all losses and floors is it known what a number is.
#[test]
fn numbers_of_losses_and_floors_are_explained() {
    let stuck = Run::domains().steps(60, 0.01, MIDWAY).whole_line();
    let names = ["full fine-tuning", "LoRA", "MoLoRA", "MoR1E"].map(String::from);
    let told: Vec<String> = parts(&stuck.claim, &names, &stuck.numbers)
        .into_iter()
        .filter_map(|part| if let Part::Number(number, what) = part { Some(format!("{number}: {what}")) } else { None })
        .collect();
    assert!(told.iter().any(|number| number.starts_with("0.749: The loss of full fine-tuning")), "{told:?}");
    assert!(stuck.claim.contains("stuck"), "{}", stuck.claim);
    let warming = Run::domains().steps(1, 0.001, MIDWAY).whole_line();
    assert!(warming.claim.starts_with("Warming up") && warming.numbers.is_empty(), "{warming:?}");
}

#[test]
fn at_step_zero() {
    let rest = "every change of the weight starts at zero, so all lanes still compute what the frozen network does.";
    Run::domains()
        .says(&format!("Starting: {rest}"))
        .and(|run| run.frame.running = false)
        .says(&format!("Paused at step 0: {rest}"))
        .and(|run| run.frame.lanes[LORA].spectrum[0] = 0.1)
        .does_not_say("zero")
        .and(|run| run.frame.lanes[LORA].spectrum.clear())
        .does_not_say("zero");
    // The first step ends it, though nothing else is known yet.
    Run::domains().and(|run| run.frame.step = 1).does_not_say("frozen network");
}

#[test]
fn warming_up() {
    Run::domains()
        .steps(4, 0.008, MIDWAY)
        .says("Warming up: the learning rate is 0.00800 and reaches 0.0100 at step 50.")
        .steps(1, 0.01, MIDWAY)
        .does_not_say("Warming");
}

#[test]
fn rank_cut_and_grown() {
    let change = |to, shares| {
        Run::domains().steps(6, 0.01, [0.9, 0.8, 0.9, 0.9]).and(|run| rank(run, to)).steps(1, 0.01, shares)
    };
    let at = |share| [0.9, share, 0.9, 0.9];
    change(2, at(0.94))
        .says("LoRA's rank was cut from 8 to 2 at step 60: its loss rose from 0.800 to 0.940.")
        .steps(20, 0.01, at(0.94))
        .does_not_say("cut");
    change(2, at(0.81))
        .says("LoRA's rank was cut from 8 to 2 at step 60 and its loss hardly moved: 0.800 before, 0.810 after.");
    change(16, at(0.79))
        .says("LoRA's rank grew from 8 to 16 at step 60 and its loss did not jump, 0.800 before and 0.790 after: what is added starts with no effect.");
    change(16, at(0.94)).does_not_say("rank");
    change(2, at(0.7)).does_not_say("rank");
    change(8, at(0.94)).does_not_say("rank");
    // A rise that the scatter of the batches before it could explain.
    Run::domains()
        .and(|run| {
            for (i, share) in [0.2, 1.4].into_iter().cycle().take(20).enumerate() {
                run.frame.lanes[LORA].losses_from = i;
                run.frame.lanes[LORA].losses = vec![2.0 * share];
                run.frame.step = i + 1;
                run.tell();
            }
            rank(run, 2);
            run.frame.lanes[LORA].losses = Vec::new();
            run.tell();
        })
        .steps(1, 0.01, at(0.94))
        .does_not_say("rose");
}

/// No step tells what a cut at rest did: it is measured, and said in the number that the chart shows.
#[test]
fn a_cut_at_rest() {
    let cut = |run: &mut Run, to, share: f32| {
        rank(run, to);
        let lane = &mut run.frame.lanes[LORA];
        (lane.measured, lane.losses) = (Some(2.0 * share), Vec::new());
        run.frame.running = false;
        run.tell();
        assert!((run.history[LORA].recent().unwrap() - f64::from(share)).abs() < 1e-6);
    };
    let run = Run::domains()
        .steps(10, 0.01, [0.9, 0.75, 0.9, 0.9])
        .and(|run| cut(run, 5, 0.8))
        .says("LoRA's rank was cut from 8 to 5 at step 100: its loss rose from 0.750 to 0.800.")
        // Drawn on, the slider makes one cut.
        .and(|run| cut(run, 1, 0.91))
        .says("LoRA's rank was cut from 8 to 1 at step 100: its loss rose from 0.750 to 0.910.")
        .and(|run| cut(run, 2, 0.91))
        .says("LoRA's rank grew from 1 to 2 at step 100 and its loss did not jump, 0.910 before and 0.910 after: what is added starts with no effect.")
        .and(|run| run.frame.lanes[LORA].measured = None)
        .steps(1, 0.01, [0.9, 0.88, 0.9, 0.9]);
    assert!((run.history[LORA].recent().unwrap() - 0.88).abs() < 1e-6, "steps tell from then on");
    // Of two at one step the later is said.
    Run::domains()
        .steps(10, 0.01, [0.9, 0.75, 0.9, 0.9])
        .and(|run| {
            let lane = &mut run.frame.lanes[MOLORA];
            lane.lane.settings.set("rank", 1);
            (lane.since, lane.measured, lane.losses) = (100, Some(2.0), Vec::new());
            run.tell();
        })
        .and(|run| cut(run, 1, 0.875))
        .says("LoRA's rank was cut from 8 to 1 at step 100: its loss rose from 0.750 to 0.875.");
}

#[test]
fn diverged_lanes() {
    let run = Run::domains()
        .steps(6, 0.01, [0.9; 4])
        .and(|run| run.frame.lanes[LORA].diverged = Some(37))
        .says("LoRA diverged: since step 37 its loss is no longer a number; the other lanes are unharmed.")
        .and(|run| run.frame.lanes[FULL].diverged = Some(21))
        .says("Full fine-tuning and LoRA have diverged, the first at step 21; the other lanes are unharmed.");
    run.steps(30, 0.01, [f32::NAN, f32::NAN, 0.9, 0.4])
        .says("No single weight gets below 0.750; MoR1E goes below that by routing: 0.400.")
        .and(|run| {
            for lane in &mut run.frame.lanes {
                lane.diverged = Some(21);
            }
        })
        .says("Every lane has diverged, the first at step 21: no loss is a number any more (learning rate 0.0100).");
}

#[test]
fn learning_rate_zero() {
    Run::new(|config| config.optimizer.lr = 0.0)
        .steps(6, 0.0, [1.0; 4])
        .says("The learning rate is set to 0, so no lane changes.");
    Run::domains().steps(6, 0.0, [1.0; 4]).does_not_say("learning rate is set");
}

#[test]
fn finished() {
    let run = |lr, shares| Run::new(|config| config.schedule.total = 100).steps(10, lr, shares);
    run(0.0, [0.8, 0.81, 0.9, 0.95])
        .says("Finished (step 100, learning rate 0): mean loss of the last steps full fine-tuning 0.800, LoRA 0.810, MoLoRA 0.900 and MoR1E 0.950.");
    run(0.0, MIDWAY)
        .says("Finished (step 100, learning rate 0): full fine-tuning and LoRA are stuck at 0.749 and 0.750, the best any single weight can do (0.750).");
    run(0.001, MIDWAY).does_not_say("Finished");
    Run::new(|config| config.schedule.total = 101).steps(10, 0.0, MIDWAY).does_not_say("Finished");
}

#[test]
fn forgetting() {
    let accuracy = |lane: usize, step, new, old| {
        move |run: &mut Run| {
            run.frame.lanes[lane].accuracy = Some(Accuracy { step, domains: vec![new; 4], old });
        }
    };
    let run = |new, old| {
        Run::digits()
            .and(accuracy(LORA, 0, 0.3, 0.967))
            .steps(6, 0.01, [0.9; 4])
            .and(accuracy(LORA, 60, new, old))
            .steps(1, 0.01, [0.9; 4])
    };
    run(0.912, 0.612)
        .adds("LoRA forgets: its accuracy on upright digits fell from 0.967 to 0.612 while on the new domains it rose from 0.300 to 0.912.")
        .and(accuracy(FULL, 0, 0.3, 0.967))
        .steps(1, 0.01, [0.9; 4])
        .and(accuracy(FULL, 80, 0.9, 0.5))
        .steps(1, 0.01, [0.9; 4])
        .adds("Full fine-tuning forgets: its accuracy on upright digits fell from 0.967 to 0.500 while on the new domains it rose from 0.300 to 0.900; it is not the only lane to forget.");
    // At the end the results are said first.
    run(0.912, 0.612)
        .and(|run| {
            run.started.config.schedule.total = 70;
            run.frame.lr = 0.0;
        })
        .says("Finished (step 70, learning rate 0): mean accuracy on the new domains LoRA 0.912 (upright 0.612). LoRA forgets: its accuracy on upright digits fell from 0.967 to 0.612 while on the new domains it rose from 0.300 to 0.912.");
    // Within a few images of the start, or nothing learned in exchange.
    run(0.912, 0.93).does_not_say("forgets");
    run(0.32, 0.612).does_not_say("forgets");
    // Elsewhere there is no old task.
    Run::domains()
        .and(accuracy(LORA, 0, 0.3, 0.967))
        .steps(6, 0.01, [0.9; 4])
        .and(accuracy(LORA, 60, 0.9, 0.6))
        .steps(1, 0.01, [0.9; 4])
        .does_not_say("forgets");
}

#[test]
fn falling_and_standing() {
    Run::domains()
        .steps(5, 0.01, [0.95, 0.95, 1.0, 0.95])
        .steps(5, 0.01, [0.94, 0.94, 0.8, 0.85])
        .says("MoLoRA's loss falls fastest: on average 0.800 over the last 50 steps, 1.00 over the 50 before.");
    Run::domains()
        .steps(10, 0.01, [0.95, 0.9, 0.92, 0.93])
        .says("Step 100: the lowest loss is LoRA's, 0.900, the highest full fine-tuning's, 0.950.");
    Run::domains()
        .steps(6, 0.01, [0.95, 0.951, 0.952, 0.953])
        .says("Step 60: the losses of all lanes lie within 1 % of each other, from 0.950 to 0.953.");
    Run::new(|config| config.lanes.truncate(1))
        .steps(6, 0.01, [0.95; 4])
        .says("Step 60: full fine-tuning's loss is 0.950.");
}

/// After a return to an earlier snapshot the steps done again are not mixed with the old ones.
#[test]
fn history_after_going_back() {
    let run = Run::domains().steps(10, 0.01, [0.75; 4]);
    assert_eq!(run.history[LORA].earlier(), Some(0.75));
    let run = run.and(|run| run.frame.step = 50).steps(1, 0.01, [0.5; 4]);
    assert_eq!(run.history[LORA].earlier(), None);
    assert_eq!(run.history[LORA].recent(), Some(0.5));
}
