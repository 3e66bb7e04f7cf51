//! A sensor is missing: whether a mixture copes with it, and what training with such samples is worth.

use super::runs::{config, lora, molora, mor1e, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Quantity, Series, quantity, shown};
use crate::config::{Config, Lane, Pattern, Schedule, Sensors, Task};
use crate::error::{Error, Result};
use crate::inspect::told::{shares_tell, told};
use crate::lab::forward::{Answer, Forward, LayerGates, hits};
use crate::lab::prepare::Prepared;
use crate::method::FULL;
use crate::task::HeldOut;
use crate::task::digits::CLASSES;
use crate::tensor::argmax;

const STEPS: usize = 600;
/// What accuracy is told of, in the task's order.
const PATTERNS: [&str; 3] = ["both", "left only", "right only"];

pub fn all() -> Vec<Experiment> {
    vec![mixture(), incomplete()]
}

/// Trained on images of these patterns.
fn on(patterns: &[Pattern], lanes: Vec<Lane>) -> Config {
    let task = Sensors { patterns: patterns.to_vec(), ..Sensors::default() };
    config(Task::Sensors(task), lanes, Schedule { warmup: 50, total: STEPS })
}

/// Lanes by name. Parameters over 64→64→64→10: LoRA 330·r, MoLoRA N×R 330·N·R + 192·N.
fn lanes() -> [(&'static str, Lane); 8] {
    [
        ("LoRA r2", lora(2)),
        ("LoRA r4", lora(4)),
        ("LoRA r8", lora(8)),
        ("MoLoRA 2×4", molora(2, 4)),
        ("MoLoRA 4×2", molora(4, 2)),
        ("MoR1E 8 token", mor1e(8, "token")),
        ("MoR1E 8 pooled", mor1e(8, "pooled")),
        ("full", Lane { lr: Some(0.002), ..Lane::from(&FULL) }),
    ]
}

const LORA8: usize = 2;
/// Places of the mixtures, and of those whose experts are switched off.
const MIXTURES: [usize; 4] = [3, 4, 5, 6];
const SWITCHED: [usize; 2] = [3, 4];

/// Accuracies, pattern by pattern.
fn by_pattern(names: &[&str], claim: &dyn Fn(&str) -> Expected) -> Vec<Quantity> {
    PATTERNS.iter().flat_map(|p| names.iter().map(move |n| quantity(format!("{n}, {p}"), claim(p)))).collect()
}

fn mixture() -> Experiment {
    let lanes = lanes();
    let names: Vec<&str> = lanes.iter().map(|lane| lane.0).collect();
    let mut quantities = by_pattern(&names, &|_| Expected::Shown);
    for at in MIXTURES {
        let gain = |pattern: &str| format!("{} − LoRA r8, {pattern}", names[at]);
        quantities.extend(PATTERNS[1..].iter().map(|pattern| quantity(gain(pattern), Expected::AtLeast(0.005))));
    }
    for at in MIXTURES {
        for layer in 1..=2 {
            quantities.push(shown(format!("{}, layer {layer}: bits of the sensor in the gate", names[at])));
            quantities.push(shown(format!("{}, layer {layer}: bits of what is missing in the leader", names[at])));
        }
    }
    for at in SWITCHED {
        let off = |pattern: &&str| shown(format!("{}, the right sensor's expert off, {pattern}", names[at]));
        quantities.extend(PATTERNS.iter().map(off));
    }
    Experiment {
        id: "sensors-mixture",
        setups: vec![on(&Sensors::default().patterns, lanes.map(|lane| lane.1).to_vec())],
        quantities,
        measure: mixed,
        figure: Some(figure(&names)),
    }
}

/// Accuracies of these lanes, a series for each pattern; they are the first quantities.
fn figure(names: &[&str]) -> Figure {
    let series = |(i, name): (usize, &&'static str)| Series { name, first: i * names.len() };
    Figure {
        x: "lane",
        y: "accuracy on held-out images",
        columns: names.iter().map(|&name| name.to_owned()).collect(),
        series: PATTERNS.iter().enumerate().map(series).collect(),
        log: false,
    }
}

fn mixed(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let run = Run::new(&setups[0], inputs).await?;
        let accuracies: Vec<_> = (0..run.lanes()).map(|lane| run.accuracies(lane, None)).collect();
        let mut values: Vec<f64> = (0..PATTERNS.len()).flat_map(|p| accuracies.iter().map(move |of| of[p])).collect();
        for at in MIXTURES {
            values.extend((1..PATTERNS.len()).map(|p| accuracies[at][p] - accuracies[LORA8][p]));
        }
        for at in MIXTURES {
            values.extend(run.tells(at)?);
        }
        for at in SWITCHED {
            values.extend(run.accuracies(at, Some(run.of_the_right(at)?)));
        }
        Ok(values)
    })
}

fn incomplete() -> Experiment {
    let (lora8, mixture, hand) = ("LoRA r8", "MoLoRA 4×2", "LoRA r4 for each pattern");
    let whole = |name| format!("{name}, complete samples only");
    let names = [lora8.to_owned(), whole(lora8), mixture.to_owned(), whole(mixture), hand.to_owned()];
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut quantities = by_pattern(&names, &|_| Expected::Shown);
    for name in [lora8, mixture] {
        let gain = |pattern: &str| quantity(format!("gain of {name}, {pattern}"), Expected::AtLeast(0.2));
        quantities.extend(PATTERNS[1..].iter().map(|pattern| gain(pattern)));
        quantities.push(quantity(format!("gain of {name}, both"), Expected::AtLeast(-0.02)));
    }
    let alone = |pattern| on(&[pattern], vec![lora(4)]);
    Experiment {
        id: "sensors-training",
        setups: vec![
            on(&Sensors::default().patterns, vec![lora(8), molora(4, 2)]),
            on(&[Pattern::Both], vec![lora(8), molora(4, 2), lora(4)]),
            alone(Pattern::Left),
            alone(Pattern::Right),
        ],
        quantities,
        measure: compared,
        figure: Some(figure(&names)),
    }
}

fn compared(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut runs = Vec::new();
        for setup in &setups {
            runs.push(Run::new(setup, inputs).await?);
        }
        let of = |run: usize, lane: usize| runs[run].accuracies(lane, None);
        let hand = [of(1, 2)[0], of(2, 0)[1], of(3, 0)[2]].to_vec();
        let rows = [of(0, 0), of(1, 0), of(0, 1), of(1, 1), hand];
        let mut values: Vec<f64> = (0..PATTERNS.len()).flat_map(|p| rows.iter().map(move |row| row[p])).collect();
        for (with, without) in [(0, 1), (2, 3)] {
            values.extend([1, 2, 0].map(|p| rows[with][p] - rows[without][p]));
        }
        Ok(values)
    })
}

/// A trained run, with held-out images in each pattern.
struct Run {
    prepared: Prepared,
    params: Vec<Vec<f32>>,
    held: Vec<HeldOut>,
    /// Every lane on all of them, pattern after pattern.
    forward: Forward,
}

impl Run {
    async fn new(setup: &Config, inputs: &Inputs) -> Result<Self> {
        let prepared = trained(setup, inputs).await?;
        let images = prepared.images.as_ref().ok_or_else(|| Error::Missing {
            what: "task",
            name: "sensors".into(),
            hint: "the experiment's set-up is another one".into(),
        })?;
        let (lab, held) = (&prepared.lab, images.held_out());
        let x = held.iter().flat_map(|part| &part.x).copied().collect();
        let mut forward = Forward::new(&lab.task, x, lab.task.sequence);
        (0..lab.lane_count()).for_each(|lane| forward.set_lane(lane, lab.lane(lane), &lab.config.optimizer));
        let params = lab.parameters().await?;
        Ok(Self { params, held, forward, prepared })
    }

    fn lanes(&self) -> usize {
        self.prepared.lab.lane_count()
    }

    /// By pattern; with these experts of the first layers contributing nothing, where they are given.
    fn accuracies(&self, lane: usize, off: Option<Vec<usize>>) -> Vec<f64> {
        let mut params = self.params[lane].clone();
        for (site, expert) in self.forward.compiled(lane).sites.iter().zip(off.into_iter().flatten()) {
            let Some(tensor) = site.parameter("lora_B") else { continue };
            let mut values = tensor.gather(&params);
            let each = values.len() / tensor.shape[0];
            values[expert * each..(expert + 1) * each].fill(0.0);
            tensor.scatter(&mut params, &values);
        }
        let output = self.forward.run(lane, &params).output;
        let mut rest = &output[..];
        let share = |part: &HeldOut| {
            let (own, after) = rest.split_at(part.classes.len() * CLASSES);
            rest = after;
            hits(own, CLASSES, &part.classes) as f64 / part.classes.len() as f64
        };
        self.held.iter().map(share).collect()
    }

    fn answer(&self, lane: usize) -> Answer {
        self.forward.run(lane, &self.params[lane])
    }

    /// Of the layers that tokens pass: bits of the sensor in the soft gate, and of what is missing in the leading expert.
    fn tells(&self, lane: usize) -> Result<Vec<f64>> {
        let answer = self.answer(lane);
        let patterns: Vec<usize> =
            self.held.iter().enumerate().flat_map(|(p, part)| std::iter::repeat_n(p, part.classes.len())).collect();
        let of = |gates: &LayerGates| {
            let leaders: Vec<usize> = gates.values.chunks_exact(gates.experts).map(argmax).collect();
            [shares_tell(&self.by_sensor(gates)), told(&leaders, &patterns)]
        };
        Ok(answer.gates.iter().take(2).flat_map(of).collect())
    }

    /// The mean gate of each sensor's tokens, where both are there.
    fn by_sensor(&self, gates: &LayerGates) -> Vec<Vec<f64>> {
        let rows = self.held[0].classes.len();
        let mean = |sensor: usize| {
            let mut mean = vec![0.0; gates.experts];
            for gate in gates.values.chunks_exact(gates.experts).take(rows).skip(sensor).step_by(2) {
                mean.iter_mut().zip(gate).for_each(|(m, &g)| *m += 2.0 * f64::from(g) / rows as f64);
            }
            mean
        };
        vec![mean(0), mean(1)]
    }

    /// By layer, the expert that serves the right sensor most, compared with the left one.
    fn of_the_right(&self, lane: usize) -> Result<Vec<usize>> {
        let expert = |gates: &LayerGates| {
            let means = self.by_sensor(gates);
            let more: Vec<f32> = means[1].iter().zip(&means[0]).map(|(r, l)| (r - l) as f32).collect();
            argmax(&more)
        };
        Ok(self.answer(lane).gates.iter().take(2).map(expert).collect())
    }
}
