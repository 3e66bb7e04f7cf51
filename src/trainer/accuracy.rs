//! What lanes answer on digits they were not trained on, and on the one a person draws. Knows nothing of training.

use crate::config::{Lane, Optimizer};
use crate::lab::forward::{Forward, LayerGates, hits, probabilities};
use crate::protocol::{Accuracy, DrawAnswer, Sketch};
use crate::task::digits::{CLASSES, PIXELS};
use crate::task::{Images, TaskData};

/// The held-out images of every domain, then the upright ones, in one forward pass.
pub struct Held {
    images: Images,
    forward: Forward,
    /// Classes of each block of rows.
    blocks: Vec<Vec<u32>>,
}

impl Held {
    pub fn new(task: &TaskData, images: Images) -> Self {
        let mut parts = images.held_out();
        parts.push(images.held_out_upright());
        let x = parts.iter().flat_map(|part| &part.x).copied().collect();
        let forward = Forward::new(task, x, images.sequence());
        Self { images, forward, blocks: parts.into_iter().map(|part| part.classes).collect() }
    }

    /// Where they are from.
    pub fn images(&self) -> &Images {
        &self.images
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
    sketch: Sketch,
    forward: Forward,
    lanes: usize,
    /// Tokens that tell of it, where another may stand in for one that does not.
    tokens: usize,
}

impl Drawing {
    /// Nothing where no sensor sees it.
    pub fn new(
        task: &TaskData,
        images: &Images,
        lanes: &[Lane],
        optimizer: &Optimizer,
        sketch: &Sketch,
    ) -> Option<Self> {
        debug_assert_eq!(sketch.pixels.len(), PIXELS);
        let mut forward = Forward::new(task, images.drawn(&sketch.pixels, sketch.there)?, images.sequence());
        // The base alone is a lane that adapts no layer.
        let base = Lane::base();
        for (index, lane) in lanes.iter().chain([&base]).enumerate() {
            forward.set_lane(index, lane, optimizer);
        }
        let there = sketch.there.iter().filter(|&&there| there).count();
        Some(Self { sketch: sketch.clone(), forward, lanes: lanes.len(), tokens: there.min(images.sequence()) })
    }

    pub fn shows(&self, sketch: &Sketch) -> bool {
        self.sketch == *sketch
    }

    /// The base first, then each lane.
    pub fn answers(&self, params: &[Vec<f32>]) -> Vec<DrawAnswer> {
        let answer = |lane: Option<usize>| {
            let answer = match lane {
                Some(lane) => self.forward.run(lane, &params[lane]),
                None => self.forward.run(self.lanes, &[]),
            };
            let own = |gates: LayerGates| gates.values[..self.tokens * gates.experts].to_vec();
            DrawAnswer {
                lane,
                probabilities: probabilities(&answer.output[..CLASSES]).into_iter().map(|p| p as f32).collect(),
                gates: answer.gates.into_iter().map(own).collect(),
                tokens: self.tokens,
            }
        };
        std::iter::once(None).chain((0..self.lanes).map(Some)).map(answer).collect()
    }
}
