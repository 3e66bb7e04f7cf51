//! Four new languages at once, read by adapters of a small language model: what a mixture gains, what is forgotten, and when a short
//! text is known by heart.

use super::runs::{config, lora, molora, mor1e, train};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Quantity, Series, each, near, quantity, shown};
use crate::args::Text;
use crate::config::{Config, Lane, Schedule, Task};
use crate::error::Result;
use crate::lab::Lab;
use crate::method::FULL;
use crate::task::text::{Passages, Texts, on_texts, small, small_model};

/// Code and name: none has been read by the base, and of Greek not even a letter.
pub const NEW: [(&str, &str); 4] =
    [("deu_1996", "German"), ("swh", "Swahili"), ("ell_monotonic", "Greek"), ("rus", "Russian")];
/// Of those that the base has read.
const OLD: [&str; 5] = ["eng", "fra", "spa", "por_PT", "ita"];
const SEQUENCE: usize = 64;
const STEPS: usize = 200;
const WARMUP: usize = 20;
/// Of the prototype's figures, each of one seed.
pub const WITHIN: f64 = 0.1;
/// What a mixture that wins gains at least; less is not told from noise.
const GAIN: f64 = 0.05;

pub fn all() -> Vec<Experiment> {
    vec![equal(), forgetting(), rank()]
}

pub fn at(lane: Lane, rate: f64) -> Lane {
    Lane { lr: Some(rate), ..lane }
}

/// The four languages, 8 passages a step.
pub fn setup(lanes: Vec<Lane>, cheat: bool) -> Config {
    let languages = NEW.map(|(code, _)| code.to_owned()).to_vec();
    let text = Text { languages, sequence: SEQUENCE, cheat, ..Text::default() };
    config(Task::Text(text), lanes, Schedule { warmup: WARMUP, total: STEPS })
}

/// A run trained to its end, and the texts.
async fn trained(setup: &Config, inputs: &Inputs) -> Result<(Lab, Texts)> {
    let (mut lab, texts) = begun(setup, inputs).await?;
    train(&mut lab, setup.schedule.total, inputs).await?;
    Ok((lab, texts))
}

async fn begun(setup: &Config, inputs: &Inputs) -> Result<(Lab, Texts)> {
    let text = text_of(setup);
    let (task, texts) = small(&text, setup.seed.into(), async |name: &str| inputs.file(name)).await?;
    Ok((Lab::new(setup.clone(), task, inputs.device())?, texts))
}

pub fn text_of(setup: &Config) -> Text {
    match &setup.task {
        Task::Text(text) => text.clone(),
        _ => Text::default(),
    }
}

/// Held-out passages of a language, so many at most.
pub fn held(texts: &Texts, code: &str, most: usize) -> Passages {
    let own = texts.held.iter().find(|(other, _)| other == code).map_or(&[][..], |(_, held)| held);
    Passages::of(&own[..own.len().min(most.saturating_mul(SEQUENCE))], SEQUENCE, texts.begin)
}

/// Bits per byte of all held-out text, by language; `None`: the base's.
pub async fn bits(lab: &mut Lab, lane: Option<usize>, texts: &Texts, codes: &[&str]) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for code in codes {
        all.push(lab.bits(lane, &held(texts, code, usize::MAX)).await?);
    }
    Ok(all)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn codes() -> [&'static str; 4] {
    NEW.map(|(code, _)| code)
}

/// Over the 28 linear layers LoRA r10 holds 72,960 parameters and MoLoRA 4×2 71,680, LoRA r18 131,328 and MoR1E 8 131,552. Each
/// at the better of its two rates, and the prototype's mean of four.
fn sized() -> [(&'static str, Lane, f64); 4] {
    [
        ("LoRA r10", at(lora(10), 0.01), 3.053),
        ("MoLoRA 4×2", at(molora(4, 2), 0.02), 3.057),
        ("LoRA r18", at(lora(18), 0.01), 3.062),
        ("MoR1E 8", at(mor1e(8, "running"), 0.02), 3.169),
    ]
}

fn equal() -> Experiment {
    let lanes = sized();
    let names = lanes.clone().map(|(name, ..)| name);
    let means = lanes.iter().map(|(name, _, found)| near(format!("{name}: mean of four"), *found, WITHIN));
    let read = |name: &str| NEW.map(|(_, language)| shown(format!("{name}, {language}"))).to_vec();
    Experiment {
        id: "language-equal-size",
        setups: vec![setup(lanes.iter().map(|(_, lane, _)| lane.clone()).collect(), false)],
        quantities: [
            vec![
                quantity("LoRA r10 − MoLoRA 4×2: bits", Expected::AtLeast(GAIN)),
                quantity("LoRA r18 − MoR1E 8: bits", Expected::AtLeast(GAIN)),
            ],
            means.collect(),
            names.map(read).concat(),
        ]
        .concat(),
        measure: compared,
        figure: Some(Figure {
            x: "lane",
            y: "bits per byte",
            columns: names.map(str::to_owned).to_vec(),
            series: vec![Series { name: "mean of four", first: 2 }],
            log: false,
        }),
    }
}

fn compared(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut lab, texts) = trained(&setups[0], inputs).await?;
        let (mut means, mut each) = (Vec::new(), Vec::new());
        for lane in 0..lab.lane_count() {
            let read = bits(&mut lab, Some(lane), &texts, &codes()).await?;
            means.push(mean(&read));
            each.extend(read);
        }
        let gains = vec![means[0] - means[1], means[2] - means[3]];
        Ok([gains, means, each].concat())
    })
}

/// Each at the rate at which it learns best; LoRA at a slower one, too.
fn forgetful() -> [(&'static str, Lane); 4] {
    [
        ("LoRA r8 at 0.01", at(lora(8), 0.01)),
        ("full at 0.002", at(Lane::from(&FULL), 0.002)),
        ("MoR1E 8 at 0.02", at(mor1e(8, "running"), 0.02)),
        ("LoRA r8 at 0.004", at(lora(8), 0.004)),
    ]
}

fn forgetting() -> Experiment {
    let lanes = forgetful();
    let names = lanes.clone().map(|(name, _)| name.to_owned());
    let of = |name: &str, what: &str| format!("{name}: {what}");
    // The prototype has LoRA at 0.01 for two of the five languages alone, and at 0.004 for none.
    let found = [None, Some(4.069), Some(4.239), None];
    let old = names.iter().zip(found).map(|(name, found)| {
        let name = of(name, "base languages");
        found.map_or_else(|| shown(name.clone()), |value| near(name.clone(), value, WITHIN))
    });
    Experiment {
        id: "language-forgetting",
        setups: vec![setup(lanes.iter().map(|(_, lane)| lane.clone()).collect(), false)],
        quantities: [
            vec![
                quantity("LoRA r8 at 0.01 − full at 0.002: base languages", Expected::AtMost(0.0)),
                quantity("LoRA r8 at 0.01 − full at 0.002: new languages", Expected::AtLeast(0.0)),
            ],
            old.collect(),
            each(&names, &|name| shown(of(name, "new languages"))),
            vec![
                near("LoRA r8 at 0.01: English", 4.285, WITHIN),
                near("LoRA r8 at 0.01: French", 4.368, WITHIN),
                near("no adapter: base languages", 2.576, 0.005),
            ],
        ]
        .concat(),
        measure: forgot,
        figure: Some(Figure {
            x: "lane",
            y: "bits per byte",
            columns: names.to_vec(),
            series: vec![Series { name: "base languages", first: 2 }, Series { name: "new languages", first: 6 }],
            log: false,
        }),
    }
}

fn forgot(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut lab, texts) = trained(&setups[0], inputs).await?;
        let (mut old, mut new, mut some) = (Vec::new(), Vec::new(), Vec::new());
        for lane in 0..lab.lane_count() {
            let read = bits(&mut lab, Some(lane), &texts, &OLD).await?;
            old.push(mean(&read));
            new.push(mean(&bits(&mut lab, Some(lane), &texts, &codes()).await?));
            if lane == 0 {
                some.extend([read[0], read[1]]);
            }
        }
        some.push(mean(&bits(&mut lab, None, &texts, &OLD).await?));
        let less = vec![old[0] - old[1], new[0] - new[1]];
        Ok([less, old, new, some].concat())
    })
}

const RANKS: [usize; 4] = [1, 2, 4, 8];
/// German alone, and of it so many bytes.
const OWN: usize = 1_536;
/// The last is the end. The first step of a warmup from 0 trains nothing: these are the prototype's 25, 50 and 100.
const LOOKED_AT: [usize; 3] = [26, 51, 101];

fn rank() -> Experiment {
    let of = |what: &str| -> Vec<Quantity> { RANKS.map(|rank| shown(format!("LoRA r{rank}: {what}"))).to_vec() };
    let text = Text { languages: vec![NEW[0].0.into()], sequence: SEQUENCE, ..Text::default() };
    let lanes = RANKS.map(|rank| at(lora(rank), 0.02)).to_vec();
    Experiment {
        id: "language-rank",
        setups: vec![config(Task::Text(text), lanes, Schedule { warmup: WARMUP, total: LOOKED_AT[2] })],
        quantities: [
            vec![
                quantity("LoRA r8 − LoRA r1: rise from the best step to the end", Expected::AtLeast(WITHIN)),
                quantity("LoRA r8 − LoRA r1: held out at the end", Expected::AtLeast(WITHIN)),
                quantity("LoRA r8 − LoRA r1: gap between training and held out", Expected::AtLeast(WITHIN)),
            ],
            of("training"),
            of("held out at the end"),
            of("held out at the best step"),
        ]
        .concat(),
        measure: overfitted,
        figure: Some(Figure {
            x: "rank",
            y: "bits per byte",
            columns: RANKS.map(|rank| rank.to_string()).to_vec(),
            series: vec![
                Series { name: "training", first: 3 },
                Series { name: "held out at the end", first: 7 },
                Series { name: "held out at the best step", first: 11 },
            ],
            log: false,
        }),
    }
}

fn overfitted(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let setup = &setups[0];
        let text = text_of(setup);
        let read = async |name: &str| inputs.file(name);
        let (_, mut texts) = small(&text, setup.seed.into(), read).await?;
        texts.train.iter_mut().for_each(|(_, tokens)| tokens.truncate(OWN));
        let task = on_texts(small_model(read).await?, &text, &texts, setup.seed.into())?;
        let mut lab = Lab::new(setup.clone(), task, inputs.device())?;
        let held = held(&texts, NEW[0].0, usize::MAX);
        let own = Passages::of(&texts.train[0].1, SEQUENCE, texts.begin);
        let lanes = RANKS.len();
        let (mut training, mut end, mut best) = (vec![0.0; lanes], vec![0.0; lanes], vec![f64::INFINITY; lanes]);
        for steps in LOOKED_AT {
            let more = steps - lab.step();
            train(&mut lab, more, inputs).await?;
            for lane in 0..lanes {
                training[lane] = lab.bits(Some(lane), &own).await?;
                end[lane] = lab.bits(Some(lane), &held).await?;
                best[lane] = best[lane].min(end[lane]);
            }
        }
        let (low, high) = (0, lanes - 1);
        let rise = |lane: usize| end[lane] - best[lane];
        let gap = |lane: usize| end[lane] - training[lane];
        let claims = vec![rise(high) - rise(low), end[high] - end[low], gap(high) - gap(low)];
        Ok([claims, training, end, best].concat())
    })
}
