//! What lanes answer on digits they were not trained on, and on the one a person draws. Knows nothing of training.

use crate::config::{Lane, Optimizer};
use crate::lab::forward::{Forward, hits, probabilities};
use crate::protocol::{Accuracy, DrawAnswer};
use crate::task::digits::{CLASSES, PIXELS, input};
use crate::task::{DigitsTask, TaskData};

/// The held-out images of every domain, then the upright ones, in one forward pass.
pub struct Held {
    forward: Forward,
    /// Classes of each block of images.
    blocks: Vec<Vec<u32>>,
}

impl Held {
    pub fn new(task: &TaskData, digits: &DigitsTask) -> Self {
        let mut parts = digits.held_out();
        parts.push(digits.held_out_upright());
        let x = parts.iter().flat_map(|part| &part.x).copied().collect();
        Self { forward: Forward::new(task, x, 1), blocks: parts.into_iter().map(|part| part.classes).collect() }
    }

    pub fn set_lane(&mut self, index: usize, lane: &Lane, optimizer: &Optimizer) {
        self.forward.set_lane(index, lane, optimizer);
    }

    pub fn measure(&self, lane: usize, params: &[f32], step: usize) -> Accuracy {
        let output = self.forward.run(lane, params).output;
        let mut rest = &output[..];
        let mut shares = self.blocks.iter().map(|classes| {
            let (own, after) = rest.split_at(classes.len() * CLASSES);
            rest = after;
            hits(own, CLASSES, classes) as f32 / classes.len().max(1) as f32
        });
        let domains = shares.by_ref().take(self.blocks.len() - 1).collect();
        Accuracy { step, domains, old: shares.next().unwrap_or(0.0) }
    }
}

/// The drawn digit under the base and every lane.
pub struct Drawing {
    pixels: Vec<f32>,
    forward: Forward,
    lanes: usize,
}

impl Drawing {
    /// `pixels [64]`, 0 to 16.
    pub fn new(task: &TaskData, lanes: &[Lane], optimizer: &Optimizer, pixels: &[f32]) -> Self {
        debug_assert_eq!(pixels.len(), PIXELS);
        let mut forward = Forward::new(task, input(pixels), 1);
        // The base alone is a lane that adapts no layer.
        let base = Lane::base();
        for (index, lane) in lanes.iter().chain([&base]).enumerate() {
            forward.set_lane(index, lane, optimizer);
        }
        Self { pixels: pixels.to_vec(), forward, lanes: lanes.len() }
    }

    pub fn shows(&self, pixels: &[f32]) -> bool {
        self.pixels == pixels
    }

    /// The base first, then each lane.
    pub fn answers(&self, params: &[Vec<f32>]) -> Vec<DrawAnswer> {
        let answer = |lane: Option<usize>| {
            let answer = match lane {
                Some(lane) => self.forward.run(lane, &params[lane]),
                None => self.forward.run(self.lanes, &[]),
            };
            DrawAnswer {
                lane,
                probabilities: probabilities(&answer.output).into_iter().map(|p| p as f32).collect(),
                gates: answer.gates.into_iter().map(|gates| gates.values).collect(),
            }
        };
        std::iter::once(None).chain((0..self.lanes).map(Some)).map(answer).collect()
    }
}
