//! The task of a missing sensor: the halves of a handwritten digit, told by two sensors. The frozen base has seen whole
//! digits; the left sensor is its own, the right one shuffles its pixels, which the base has never seen. An image is learned
//! from in every pattern of what is there. Knows nothing of how it is trained.
//!
//! As tokens, both halves go through the same layers and the head reads their mean. Where one is not there, the other stands
//! in both places: the mean of a thing and itself is that thing, to the last bit, in the forward pass, in gates that look at
//! the whole sequence, and in every gradient. So an absent token is one that never was, and no kernel asks which are there.

use super::digits::{CLASSES, DigitsTask, HIDDEN, HeldOut, INK, Image, PIXELS, SIDE, check, digits, input};
use super::{BaseLayer, LossKind, Network, Probe, Targets, TaskData};
use crate::args::{Digits, Form, Pattern, Sensors};
use crate::error::Result;
use crate::lang::{marked, said};
use crate::rng::{Rng, stream};

/// Patterns that accuracy is told of, whether or not they are trained on.
const ALWAYS: [Pattern; 3] = [Pattern::Both, Pattern::Left, Pattern::Right];
/// Images of each pattern in the probe.
const PROBE_IMAGES: usize = 32;

/// How the right sensor is wired, whatever the seed: a device is built once. The order is that of the prototype that the
/// accuracies are held against, drawn at random there; another one is worth up to a tenth either way where a lane has little
/// rank or has learned from complete samples alone.
const WIRING: [usize; PIXELS] = [
    62, 41, 10, 1, 6, 60, 17, 56, 21, 2, 9, 28, 27, 11, 40, 55, 14, 0, 37, 15, 25, 33, 13, 12, 30, 63, 50, 18, 52, 39,
    38, 22, 5, 23, 44, 51, 24, 48, 35, 36, 59, 20, 47, 54, 58, 26, 53, 8, 7, 61, 46, 43, 45, 29, 42, 32, 49, 3, 34, 19,
    4, 16, 31, 57,
];

/// Which sensors are there: the left one, the right one.
pub type There = [bool; 2];

/// The digits, split and ready; pretraining comes first, as with the digits themselves.
#[derive(Clone, Debug)]
pub struct SensorsTask {
    config: Sensors,
    seed: u64,
    digits: DigitsTask,
    /// How the right sensor is wired: slot i shows what pixel `order[i]` was.
    order: Vec<usize>,
}

/// Reads the images and splits them as [`digits`] does.
///
/// # Errors
/// As [`digits`].
pub fn sensors(config: &Sensors, seed: u64, csv: &str) -> Result<SensorsTask> {
    let whole = Digits { batch: config.batch, pretrain: config.pretrain, ..Digits::default() };
    let order = match config.form {
        Form::Tokens => WIRING.to_vec(),
        // In the order in which it has them, among the slots of its own half.
        Form::Inputs => {
            let mut own = WIRING.into_iter().filter(|&pixel| !is_left(pixel));
            (0..PIXELS).map(|slot| if is_left(slot) { slot } else { own.next().unwrap_or(slot) }).collect()
        }
    };
    Ok(SensorsTask { config: config.clone(), seed, digits: digits(&whole, seed, csv)?, order })
}

fn is_left(pixel: usize) -> bool {
    pixel % SIDE < SIDE / 2
}

/// What pixels a sensor tells, `left` or not, where it is there.
fn seen(pattern: Pattern, pixel: usize, left: bool) -> bool {
    let upper = pixel / SIDE < SIDE / 2;
    let kept = match pattern {
        Pattern::Top => upper,
        Pattern::Bottom => !upper,
        _ => true,
    };
    kept && is_left(pixel) == left
}

impl SensorsTask {
    /// Whole digits, upright, on the network as drawn.
    pub fn whole(&self) -> &DigitsTask {
        &self.digits
    }

    pub fn pretrain(&self) -> usize {
        self.config.pretrain
    }

    /// Rows of an image.
    pub fn sequence(&self) -> usize {
        self.config.form.tokens()
    }

    /// Patterns that accuracy is told of: those that everyone wants to know, and whatever else is trained on.
    pub fn patterns(&self) -> Vec<Pattern> {
        let own = &self.config.patterns;
        let all = [Pattern::Both, Pattern::Left, Pattern::Right, Pattern::Top, Pattern::Bottom, Pattern::Noise];
        all.into_iter().filter(|pattern| ALWAYS.contains(pattern) || own.contains(pattern)).collect()
    }

    /// The chosen patterns on the pretrained, frozen `base`: every training image in each, in one shuffled order.
    ///
    /// # Errors
    /// `Error::Data` where `base` does not have the network's shapes.
    pub fn adaptation(&self, base: Vec<BaseLayer>) -> Result<TaskData> {
        check(&base)?;
        let (patterns, batch) = (self.patterns(), self.config.batch.max(1));
        let trained = &self.config.patterns;
        let images = &self.digits.training;
        let count = trained.len() * images.len();
        let batches = count.div_ceil(batch);
        let order = Rng::new(self.seed, stream::DATA).permutation(count);
        let mut rows = Rows::default();
        for &index in order.iter().cycle().take(batches * batch) {
            let (at, pattern) = (index / trained.len(), trained[index % trained.len()]);
            let domain = patterns.iter().position(|&one| one == pattern).unwrap_or(0);
            rows.push(self.rows(&images[at], at, pattern), images[at].class, domain);
        }
        let probe = self.probe(&patterns);
        Ok(TaskData {
            network: self.network(),
            loss: LossKind::CrossEntropy,
            batch_sequences: batch,
            sequence: self.sequence(),
            batches,
            spare: 0,
            x: rows.x,
            y: Targets::Classes(rows.classes),
            row_domains: rows.domains,
            base,
            tensors: Vec::new(),
            domain_names: patterns.iter().map(|&pattern| said(name(pattern))).collect(),
            energy: 1.0,
            pool_energy: 1.0,
            soft: None,
            noise_variance: 0.0,
            true_rank: None,
            teacher: None,
            mixed: false,
            probe,
        })
    }

    /// The first held-out images, the same ones in every pattern.
    fn probe(&self, patterns: &[Pattern]) -> Probe {
        let mut rows = Rows::default();
        for (domain, &pattern) in patterns.iter().enumerate() {
            for (at, image) in self.digits.held_out.iter().take(PROBE_IMAGES).enumerate() {
                rows.push(self.rows(image, self.held(at), pattern), image.class, domain);
            }
        }
        Probe { sequence: self.sequence(), x: rows.x, y: Targets::Classes(rows.classes), row_domains: rows.domains }
    }

    /// 64→64→64→10; of tokens, the mean of a sequence's stands before the last.
    fn network(&self) -> Network {
        if self.config.form == Form::Inputs {
            return Network::stack(&[PIXELS, HIDDEN, HIDDEN, CLASSES]);
        }
        let (mut network, mut wire) = Network::new(PIXELS);
        for layer in 0..2 {
            wire = network.linear(format!("layers.{layer}"), wire, HIDDEN);
            wire = network.gelu(wire);
        }
        wire = network.mean(wire);
        network.linear("layers.2", wire, CLASSES);
        network
    }

    /// Held-out images in each of [`Self::patterns`].
    pub fn held_out(&self) -> Vec<HeldOut> {
        let all = |pattern| self.answered(|image, at| self.rows(image, self.held(at), pattern));
        self.patterns().into_iter().map(all).collect()
    }

    /// Held-out images as the base knows them: whole, by the left sensor.
    pub fn held_out_upright(&self) -> HeldOut {
        self.answered(|image, _| input(&image.pixels.map(f32::from)).repeat(self.sequence()))
    }

    /// The number of a held-out image among all.
    fn held(&self, at: usize) -> usize {
        self.digits.training.len() + at
    }

    fn answered(&self, rows: impl Fn(&Image, usize) -> Vec<f32>) -> HeldOut {
        let images = || self.digits.held_out.iter();
        HeldOut {
            x: images().enumerate().flat_map(|(at, image)| rows(image, at)).collect(),
            classes: images().flat_map(|image| std::iter::repeat_n(image.class, self.sequence())).collect(),
        }
    }

    /// An image drawn on the pad, `pixels [64]` from 0 to 16, told by the sensors that are there; nothing where none is.
    pub fn drawn(&self, pixels: &[f32], there: There) -> Option<Vec<f32>> {
        let there = (there != [false; 2]).then_some(there)?;
        let whole = input(pixels);
        Some(self.told(there, |pixel, left| if seen(Pattern::Both, pixel, left) { whole[pixel] } else { 0.0 }))
    }

    /// The network's rows for an image, the `at`th of all.
    fn rows(&self, image: &Image, at: usize, pattern: Pattern) -> Vec<f32> {
        let whole = input(&image.pixels.map(f32::from));
        let mut noise = Rng::new(self.seed, stream::noise(at));
        let noise: Vec<f32> = match pattern {
            Pattern::Noise => (0..PIXELS).map(|_| noise.below(usize::from(INK) + 1) as f32 / f32::from(INK)).collect(),
            _ => Vec::new(),
        };
        let there = [pattern != Pattern::Right, pattern != Pattern::Left];
        self.told(there, |pixel, left| match seen(pattern, pixel, left) {
            false => 0.0,
            true if pattern == Pattern::Noise && !left => noise[pixel],
            true => whole[pixel],
        })
    }

    /// Rows from what the sensors make of each pixel; `true` is the left one.
    fn told(&self, there: There, pixel: impl Fn(usize, bool) -> f32) -> Vec<f32> {
        let left: Vec<f32> = (0..PIXELS).map(|slot| pixel(slot, true)).collect();
        let right: Vec<f32> = self.order.iter().map(|&from| pixel(from, false)).collect();
        match (self.config.form, there) {
            (Form::Tokens, [true, true]) => [left, right].concat(),
            (Form::Tokens, [true, false]) => left.repeat(2),
            (Form::Tokens, [false, _]) => right.repeat(2),
            (Form::Inputs, [l, r]) => {
                let part = |on: bool, value: f32| if on { value } else { 0.0 };
                left.iter().zip(&right).map(|(&a, &b)| part(l, a) + part(r, b)).collect()
            }
        }
    }
}

/// Rows of a pool or a probe.
#[derive(Default)]
struct Rows {
    x: Vec<f32>,
    classes: Vec<u32>,
    domains: Vec<u8>,
}

impl Rows {
    fn push(&mut self, x: Vec<f32>, class: u32, domain: usize) {
        let rows = x.len() / PIXELS;
        self.x.extend(x);
        self.classes.extend(std::iter::repeat_n(class, rows));
        self.domains.extend(std::iter::repeat_n(domain as u8, rows));
    }
}

fn name(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Both => marked!("both"),
        Pattern::Left => marked!("left only"),
        Pattern::Right => marked!("right only"),
        Pattern::Top => marked!("upper half"),
        Pattern::Bottom => marked!("lower half"),
        Pattern::Noise => marked!("right is noise"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = include_str!("../../www/data/digits.csv");

    fn task(patterns: &[Pattern], form: Form) -> SensorsTask {
        let config = Sensors { patterns: patterns.to_vec(), form, ..Sensors::default() };
        sensors(&config, 1, CSV).unwrap()
    }

    #[test]
    fn an_absent_sensor_is_stood_for_by_the_other() {
        let task = task(&[Pattern::Both], Form::Tokens);
        let image = &task.digits.training[3];
        let of = |pattern| task.rows(image, 3, pattern);
        let (left, right) = (of(Pattern::Left), of(Pattern::Right));
        assert_eq!(left[..PIXELS], left[PIXELS..]);
        assert_eq!(of(Pattern::Both), [&left[..PIXELS], &right[..PIXELS]].concat());
        let ink = |x: &[f32]| x.iter().sum::<f32>();
        assert_eq!(ink(&of(Pattern::Both)), ink(&input(&image.pixels.map(f32::from))));
        assert_eq!(ink(&of(Pattern::Top)) + ink(&of(Pattern::Bottom)), ink(&of(Pattern::Both)));
        let noise = of(Pattern::Noise);
        assert_eq!(noise[..PIXELS], left[..PIXELS]);
        assert!(noise[PIXELS..] != right[..PIXELS] && noise == of(Pattern::Noise));
    }

    #[test]
    fn both_as_inputs_of_one_network_are_one_row() {
        let task = task(&[Pattern::Both], Form::Inputs);
        let image = &task.digits.training[3];
        let of = |pattern| task.rows(image, 3, pattern);
        let sum: Vec<f32> = of(Pattern::Left).iter().zip(of(Pattern::Right)).map(|(a, b)| a + b).collect();
        assert_eq!(of(Pattern::Both), sum);
        assert_eq!(sum.len(), PIXELS);
        let whole = input(&image.pixels.map(f32::from));
        assert!((0..PIXELS).filter(|&p| is_left(p)).all(|p| sum[p] == whole[p]));
        assert!((0..PIXELS).any(|p| sum[p] != whole[p]));
    }

    #[test]
    fn every_training_image_is_in_every_pattern_trained_on() {
        let task = task(&[Pattern::Left, Pattern::Noise], Form::Tokens);
        let data = task.adaptation(task.whole().pretraining().base).unwrap();
        assert_eq!(data.domain_names, ["both", "left only", "right only", "right is noise"]);
        assert_eq!((data.sequence, data.batches), (2, 2_800usize.div_ceil(64)));
        let count = |domain: u8| data.row_domains[..5_600].iter().filter(|&&d| d == domain).count();
        assert_eq!([0, 1, 2, 3].map(count), [0, 2_800, 0, 2_800]);
        assert_eq!(data.x.len(), data.rows() * PIXELS);
        assert_eq!(data.probe.rows(), 4 * PROBE_IMAGES * 2);
        let held = task.held_out();
        assert_eq!((held.len(), held[0].classes.len()), (4, 2 * 397));
    }

    #[test]
    fn with_no_sensor_there_is_nothing_to_tell() {
        let task = task(&[Pattern::Both], Form::Tokens);
        let pixels = vec![16.0; PIXELS];
        assert_eq!(task.drawn(&pixels, [false, false]), None);
        let [left, both] = [[true, false], [true, true]].map(|there| task.drawn(&pixels, there).unwrap());
        assert_eq!(left[..PIXELS], both[..PIXELS]);
        assert_eq!(left[..PIXELS], left[PIXELS..]);
    }
}
