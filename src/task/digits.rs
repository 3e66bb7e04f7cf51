//! The task on real data: 1,797 handwritten 8×8 digits (UCI Optical Recognition of Handwritten Digits, E. Alpaydin
//! and C. Kaynak, 1998, CC BY 4.0). A small network is pretrained on the upright digits, frozen, and adapted to
//! changed ones; the upright ones are the old task, whose accuracy shows forgetting.
//! Knows nothing of how either training is run.

use super::{BaseLayer, LossKind, Network, Probe, Targets, TaskData};
use crate::args::{DigitDomain, Digits};
use crate::error::{Error, Result};
use crate::lang::{marked, said, tr};
use crate::rng::{Rng, stream};

/// Side of an image.
pub const SIDE: usize = 8;
/// Pixels of an image, the network's inputs.
pub const PIXELS: usize = SIDE * SIDE;
pub const CLASSES: usize = 10;
/// Value of full ink.
pub const INK: u8 = 16;
pub(super) const HIDDEN: usize = 64;
/// Images that are trained on; the rest is held out.
const TRAINING: usize = 1_400;
/// How far the shifted domain moves images to the right, in pixels; what leaves is lost, what enters is paper.
const SHIFT: usize = 2;
/// Images of each domain in the probe.
const PROBE_IMAGES: usize = 16;

/// One image and its class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Image {
    pub pixels: [u8; PIXELS],
    pub class: u32,
}

/// Held-out images of one domain.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// `[rows, PIXELS]`, an image's rows one after the other.
    pub x: Vec<f32>,
    /// `[rows]`.
    pub classes: Vec<u32>,
}

/// The digits, split and ready; pretraining comes first, adaptation needs the base that it makes.
#[derive(Clone, Debug)]
pub struct DigitsTask {
    config: Digits,
    seed: u64,
    pub(super) training: Vec<Image>,
    pub(super) held_out: Vec<Image>,
    /// The permuted domain: pixel i shows what pixel `order[i]` was.
    order: Vec<usize>,
}

/// Reads the images and splits them 1,400 to the rest by a seeded shuffle.
///
/// # Errors
/// `Error::Data` naming the line of `csv` that is not `label,p0,…,p63` with label 0–9 and pixels 0–16, or saying that
/// there are too few lines; `Error::Config` for no domains at all.
pub fn digits(config: &Digits, seed: u64, csv: &str) -> Result<DigitsTask> {
    if config.domains.is_empty() {
        return Err(Error::Config {
            key: "task.domains".into(),
            value: "[]".into(),
            allowed: tr!("at least one domain"),
        });
    }
    let mut images = csv
        .lines()
        .enumerate()
        .skip(1)
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            parse(line).ok_or_else(|| Error::Data {
                what: format!("digits, line {}", index + 1),
                expected: format!("a label 0–9 and {PIXELS} pixels 0–{INK}"),
                got: line.chars().take(40).collect(),
            })
        })
        .collect::<Result<Vec<Image>>>()?;
    if images.len() <= TRAINING {
        return Err(Error::Data {
            what: "digits".into(),
            expected: format!("more than {TRAINING} images"),
            got: images.len().to_string(),
        });
    }
    Rng::new(seed, stream::SPLIT).shuffle(&mut images);
    let held_out = images.split_off(TRAINING);
    Ok(DigitsTask {
        config: config.clone(),
        seed,
        training: images,
        held_out,
        order: Rng::new(seed, stream::TRANSFORM).permutation(PIXELS),
    })
}

/// The network's input for an image: ink 0 to 16 becomes 0 to 1. Values outside are clamped, what is not a number
/// counts as paper.
pub fn input(pixels: &[f32]) -> Vec<f32> {
    let ink = f32::from(INK);
    pixels.iter().map(|&p| if p.is_nan() { 0.0 } else { p.clamp(0.0, ink) / ink }).collect()
}

impl DigitsTask {
    pub fn pretrain(&self) -> usize {
        self.config.pretrain
    }

    /// Upright digits on the network as drawn: 64→64→64→10, GELU between, weights and biases uniform in ±1/√inputs
    /// as PyTorch's `nn.Linear` draws them.
    pub fn pretraining(&self) -> TaskData {
        let mut rng = Rng::new(self.seed, stream::BASE);
        let base = network()
            .sites()
            .iter()
            .map(|layer| {
                let bound = 1.0 / libm::sqrt(layer.inputs as f64);
                let mut draw = |n| (0..n).map(|_| rng.uniform(-bound, bound) as f32).collect::<Vec<f32>>();
                BaseLayer { weight: draw(layer.outputs * layer.inputs).into(), bias: draw(layer.outputs) }
            })
            .collect();
        self.data(&[None], base, stream::PRETRAINING)
    }

    /// The chosen domains on the pretrained, frozen `base`.
    ///
    /// # Errors
    /// `Error::Data` where `base` does not have the network's shapes.
    pub fn adaptation(&self, base: Vec<BaseLayer>) -> Result<TaskData> {
        check(&base)?;
        let domains: Vec<_> = self.config.domains.iter().copied().map(Some).collect();
        Ok(self.data(&domains, base, stream::DATA))
    }

    /// Held-out images of every chosen domain, in the domains' order.
    pub fn held_out(&self) -> Vec<HeldOut> {
        self.config.domains.iter().map(|&domain| self.changed(Some(domain))).collect()
    }

    /// Held-out images of the old task.
    pub fn held_out_upright(&self) -> HeldOut {
        self.changed(None)
    }

    fn changed(&self, domain: Option<DigitDomain>) -> HeldOut {
        HeldOut {
            x: self.held_out.iter().flat_map(|image| self.network_input(image, domain)).collect(),
            classes: self.held_out.iter().map(|image| image.class).collect(),
        }
    }

    /// Every training image in every domain (`None`: upright), in one shuffled order, cut into batches; the last
    /// batch is filled up from the start of the order.
    fn data(&self, domains: &[Option<DigitDomain>], base: Vec<BaseLayer>, order_stream: u64) -> TaskData {
        let batch = self.config.batch.max(1);
        let count = domains.len() * self.training.len();
        let batches = count.div_ceil(batch);
        let order = Rng::new(self.seed, order_stream).permutation(count);
        let mut x = Vec::with_capacity(batches * batch * PIXELS);
        let mut classes = Vec::with_capacity(batches * batch);
        let mut row_domains = Vec::with_capacity(batches * batch);
        for &index in order.iter().cycle().take(batches * batch) {
            let image = &self.training[index / domains.len()];
            let domain = index % domains.len();
            x.extend(self.network_input(image, domains[domain]));
            classes.push(image.class);
            row_domains.push(domain as u8);
        }
        TaskData {
            network: network(),
            loss: LossKind::CrossEntropy,
            batch_sequences: batch,
            sequence: 1,
            batches,
            spare: 0,
            x,
            y: Targets::Classes(classes),
            row_domains,
            base,
            tensors: Vec::new(),
            domain_names: domains.iter().map(|&d| said(name(d))).collect(),
            energy: 1.0,
            pool_energy: 1.0,
            soft: None,
            noise_variance: 0.0,
            true_rank: None,
            teacher: None,
            mixed: false,
            probe: self.probe(domains),
        }
    }

    /// The first held-out images, the same ones in every domain.
    fn probe(&self, domains: &[Option<DigitDomain>]) -> Probe {
        let images = &self.held_out[..PROBE_IMAGES.min(self.held_out.len())];
        let rows =
            || domains.iter().enumerate().flat_map(|(d, &domain)| images.iter().map(move |image| (d, domain, image)));
        Probe {
            sequence: 1,
            x: rows().flat_map(|(_, domain, image)| self.network_input(image, domain)).collect(),
            y: Targets::Classes(rows().map(|(_, _, image)| image.class).collect()),
            row_domains: rows().map(|(d, _, _)| d as u8).collect(),
        }
    }

    fn network_input(&self, image: &Image, domain: Option<DigitDomain>) -> Vec<f32> {
        let changed = self.transform(&image.pixels, domain);
        input(&changed.map(f32::from))
    }

    fn transform(&self, pixels: &[u8; PIXELS], domain: Option<DigitDomain>) -> [u8; PIXELS] {
        let at = |row: usize, col: usize| pixels[row * SIDE + col];
        std::array::from_fn(|i| {
            let (row, col) = (i / SIDE, i % SIDE);
            match domain {
                None => pixels[i],
                Some(DigitDomain::Inverted) => INK - pixels[i],
                // A quarter turn anticlockwise.
                Some(DigitDomain::Rotated) => at(col, SIDE - 1 - row),
                Some(DigitDomain::Permuted) => pixels[self.order[i]],
                Some(DigitDomain::Mirrored) => at(row, SIDE - 1 - col),
                Some(DigitDomain::Shifted) => col.checked_sub(SHIFT).map_or(0, |c| at(row, c)),
            }
        })
    }
}

/// What is wrong with a base that does not have the network's shapes.
pub(super) fn check(base: &[BaseLayer]) -> Result<()> {
    let sizes = |w: usize, b: usize| format!("weight {w}, bias {b}");
    if base.len() != network().sites().len() {
        return Err(Error::Data {
            what: "base network".into(),
            expected: format!("{} layers", network().sites().len()),
            got: base.len().to_string(),
        });
    }
    for (index, (layer, given)) in network().sites().iter().zip(base).enumerate() {
        let expected = sizes(layer.outputs * layer.inputs, layer.outputs);
        let got = sizes(given.weight.len(), given.bias.len());
        if expected != got {
            return Err(Error::Data { what: format!("base layer {index}"), expected, got });
        }
    }
    Ok(())
}

/// 64→64→64→10.
fn network() -> Network {
    Network::stack(&[PIXELS, HIDDEN, HIDDEN, CLASSES])
}

fn name(domain: Option<DigitDomain>) -> &'static str {
    match domain {
        None => marked!("upright"),
        Some(DigitDomain::Inverted) => marked!("inverted"),
        Some(DigitDomain::Rotated) => marked!("rotated 90°"),
        Some(DigitDomain::Permuted) => marked!("permuted"),
        Some(DigitDomain::Mirrored) => marked!("mirrored"),
        Some(DigitDomain::Shifted) => marked!("shifted"),
    }
}

fn parse(line: &str) -> Option<Image> {
    let mut values = line.trim().split(',').map(|v| v.trim().parse::<u8>().ok());
    let class = values.next()??;
    let pixels: Vec<u8> = values.collect::<Option<_>>()?;
    let pixels: [u8; PIXELS] = pixels.try_into().ok()?;
    let valid = usize::from(class) < CLASSES && pixels.iter().all(|&p| p <= INK);
    valid.then_some(Image { pixels, class: u32::from(class) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = include_str!("../../www/data/digits.csv");

    fn task() -> DigitsTask {
        let config = Digits {
            domains: vec![
                DigitDomain::Inverted,
                DigitDomain::Rotated,
                DigitDomain::Permuted,
                DigitDomain::Mirrored,
                DigitDomain::Shifted,
            ],
            batch: 64,
            pretrain: 10,
        };
        digits(&config, 1, CSV).unwrap()
    }

    #[test]
    fn splits_without_overlap() {
        let task = task();
        assert_eq!((task.training.len(), task.held_out.len()), (1_400, 397));
        let lines: std::collections::HashSet<_> = CSV.lines().skip(1).collect();
        let shared = task.held_out.iter().filter(|image| task.training.contains(image)).count();
        // Only images that stand twice in the file can be on both sides.
        assert!(shared <= 1_797 - lines.len());
        let classes: std::collections::HashSet<_> = task.held_out.iter().map(|i| i.class).collect();
        assert_eq!(classes.len(), CLASSES);
    }

    #[test]
    fn transforms_do_what_they_say() {
        let task = task();
        let ramp: [u8; PIXELS] = std::array::from_fn(|i| (i % 17) as u8);
        let at = |image: &[u8; PIXELS], r: usize, c: usize| image[r * SIDE + c];
        let change = |d, image: &[u8; PIXELS]| task.transform(image, Some(d));
        let turned = change(DigitDomain::Rotated, &ramp);
        // The top right corner goes to the top left, and four turns are none.
        assert_eq!(at(&turned, 0, 0), at(&ramp, 0, 7));
        assert_eq!(at(&turned, 7, 0), at(&ramp, 0, 0));
        let four = (0..4).fold(ramp, |image, _| change(DigitDomain::Rotated, &image));
        assert_eq!(four, ramp);
        let inverted = change(DigitDomain::Inverted, &ramp);
        assert!(inverted.iter().zip(ramp).all(|(a, b)| a + b == INK));
        let mirrored = change(DigitDomain::Mirrored, &ramp);
        assert_eq!(at(&mirrored, 3, 0), at(&ramp, 3, 7));
        let shifted = change(DigitDomain::Shifted, &ramp);
        assert_eq!((at(&shifted, 2, 1), at(&shifted, 2, 2)), (0, at(&ramp, 2, 0)));
        let mut permuted = change(DigitDomain::Permuted, &ramp);
        assert_ne!(permuted, ramp);
        permuted.sort_unstable();
        let mut sorted = ramp;
        sorted.sort_unstable();
        assert_eq!(permuted, sorted);
    }

    #[test]
    fn every_training_image_is_in_every_domain() {
        let task = task();
        let data = task.adaptation(task.pretraining().base).unwrap();
        assert_eq!(data.batches, (5 * 1_400usize).div_ceil(64));
        assert_eq!(data.x.len(), data.rows() * PIXELS);
        assert!(data.x.iter().all(|v| (0.0..=1.0).contains(v)));
        for d in 0..5u8 {
            let count = data.row_domains[..7_000].iter().filter(|&&r| r == d).count();
            assert_eq!(count, 1_400);
        }
        // The first row's pixels are one of the training images, changed.
        let domain = task.config.domains[data.row_domains[0] as usize];
        let Targets::Classes(classes) = &data.y else { panic!("classes expected") };
        assert!(
            task.training
                .iter()
                .any(|image| image.class == classes[0] && task.network_input(image, Some(domain)) == data.x[..PIXELS])
        );
        assert_eq!(data.probe.rows(), 5 * PROBE_IMAGES);
        assert_eq!(task.held_out()[4].x.len(), 397 * PIXELS);
        let before = task.pretraining();
        assert_eq!((before.batches, before.domain_names.len()), (22, 1));
        assert_eq!(before.base[2].weight.len(), CLASSES * HIDDEN);
    }

    #[test]
    fn bad_lines_and_bad_bases_are_named() {
        let config = &task().config.clone();
        let bad = CSV.replacen("\n1,0", "\n11,0", 1);
        let error = digits(config, 1, &bad).unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
        let short: String = CSV.lines().take(20).collect::<Vec<_>>().join("\n");
        assert!(digits(config, 1, &short).unwrap_err().to_string().contains("got 19"));
        let mut base = task().pretraining().base;
        base[1].bias.pop();
        let error = task().adaptation(base).unwrap_err().to_string();
        assert!(error.contains("base layer 1"), "{error}");
    }

    #[test]
    fn drawings_are_clamped() {
        assert_eq!(input(&[-1.0, 8.0, 99.0, f32::NAN]), [0.0, 0.5, 1.0, 0.0]);
    }
}
