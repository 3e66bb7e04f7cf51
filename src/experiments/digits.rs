//! Real handwriting: whether a mixture wins at equal size, and what each method forgets.

use super::runs::{answer, config, lora, molora, ranked, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Quantity, Series, each, quantity};
use crate::config::{Config, Digits, Lane, Optimizer, Schedule, Task};
use crate::error::{Error, Result};
use crate::lab::forward::hits;
use crate::lab::prepare::Prepared;
use crate::method::{ADALORA, DORA, FULL};
use crate::task::HeldOut;
use crate::task::digits::CLASSES;

const STEPS: usize = 1_500;
const RANKS: [usize; 4] = [2, 4, 8, 16];

pub fn all() -> Vec<Experiment> {
    vec![mixture(), forgetting(), refined()]
}

/// The page's default rate, and the one that the base is pretrained at.
const RATES: [f64; 2] = [0.01, 0.0025];

/// One run at each rate.
fn setups(lanes: Vec<Lane>) -> Vec<Config> {
    let setup = config(Task::Digits(Digits::default()), lanes, Schedule { warmup: 50, total: STEPS });
    RATES.map(|lr| Config { optimizer: Optimizer { lr, ..Optimizer::default() }, ..setup.clone() }).to_vec()
}

/// Every name at every rate, rate by rate.
fn at_rates(names: &[String], claim: Expected) -> Vec<Quantity> {
    let at = |rate: f64| each(names, &|name| quantity(format!("{name}, rate {rate}"), claim));
    RATES.map(at).concat()
}

/// Over the three layers 64→64→64→10 a LoRA of rank r holds 330·r, MoLoRA N×R 330·N·R + 192·N.
fn mixture() -> Experiment {
    let lanes = ["LoRA r10", "MoLoRA 4×2", "LoRA r18", "MoLoRA 4×4"].map(String::from);
    let gains = ["MoLoRA 4×2 − LoRA r10", "MoLoRA 4×4 − LoRA r18"].map(String::from);
    Experiment {
        id: "digits-mixture",
        setups: setups(vec![lora(10), molora(4, 2), lora(18), molora(4, 4)]),
        quantities: [at_rates(&lanes, Expected::Shown), at_rates(&gains, Expected::AtLeast(0.005))].concat(),
        measure: compared,
        figure: Some(Figure {
            x: "lane",
            y: "accuracy on the new digits",
            columns: lanes.to_vec(),
            series: vec![Series { name: "rate 0.01", first: 0 }, Series { name: "rate 0.0025", first: lanes.len() }],
            log: false,
        }),
    }
}

fn compared(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut all, mut gains) = (Vec::new(), Vec::new());
        for setup in &setups {
            let (new, _) = accuracies(setup, inputs).await?;
            gains.extend([new[1] - new[0], new[3] - new[2]]);
            all.extend(new);
        }
        Ok([all, gains].concat())
    })
}

fn forgetting() -> Experiment {
    let names: Vec<String> = std::iter::once("full".to_owned()).chain(RANKS.map(|r| format!("LoRA r{r}"))).collect();
    let of = |digits: &str| names.iter().map(|name| format!("{name}, {digits}")).collect::<Vec<_>>();
    let (new, old) = (of("new"), of("upright"));
    let less = RANKS.map(|r| format!("full − LoRA r{r}, new"));
    let kept = RANKS.map(|r| format!("LoRA r{r} − full, upright"));
    let all = [new, old].map(|names| at_rates(&names, Expected::Shown)).concat();
    let gains = [less, kept].map(|names| at_rates(&names, Expected::AtLeast(0.0))).concat();
    Experiment {
        id: "digits-forgetting",
        setups: setups(std::iter::once(Lane::from(&FULL)).chain(RANKS.map(lora)).collect()),
        quantities: [all, gains].concat(),
        measure: forgotten,
        figure: Some(Figure {
            x: "method",
            y: "accuracy, rate 0.01",
            columns: names.clone(),
            series: vec![
                Series { name: "new digits", first: 0 },
                Series { name: "upright digits", first: RATES.len() * names.len() },
            ],
            log: false,
        }),
    }
}

fn forgotten(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let mut parts = [const { Vec::new() }; 4];
        for setup in &setups {
            let (new, old) = accuracies(setup, inputs).await?;
            let less = new[1..].iter().map(|lora| new[0] - lora).collect();
            let kept = old[1..].iter().map(|lora| lora - old[0]).collect();
            parts
                .iter_mut()
                .zip([new, old, less, kept])
                .for_each(|(part, values): (&mut Vec<f64>, Vec<f64>)| part.extend(values));
        }
        Ok(parts.concat())
    })
}

fn refined() -> Experiment {
    let (better, as_good) = (Expected::AtLeast(0.005), Expected::AtLeast(-0.02));
    let lanes = [
        ("LoRA r4", lora(4), Expected::Shown),
        ("DoRA", ranked(&DORA, 4), better),
        ("PiSSA", lora(4).with("init", "pissa"), better),
        ("LoRA+", lora(4).with("lr_ratio", 16.0), better),
        ("AdaLoRA 8 to 4", ranked(&ADALORA, 8).with("target_rank", 4), better),
        ("LoRA of one bit", lora(4).with("weights", "binary"), as_good),
    ];
    let names = lanes.clone().map(|lane| lane.0.to_owned());
    let at =
        |rate: f64| each(&lanes[1..], &|(name, _, claim)| quantity(format!("{name} − LoRA r4, rate {rate}"), *claim));
    let gains = RATES.map(at).concat();
    Experiment {
        id: "digits-variants",
        setups: setups(lanes.clone().map(|lane| lane.1).to_vec()),
        quantities: [at_rates(&names, Expected::Shown), gains].concat(),
        measure: against_the_first,
        figure: Some(Figure {
            x: "lane",
            y: "accuracy on the new digits",
            columns: ["LoRA", "DoRA", "PiSSA", "LoRA+", "AdaLoRA", "one bit"].map(String::from).to_vec(),
            series: vec![Series { name: "rate 0.01", first: 0 }, Series { name: "rate 0.0025", first: lanes.len() }],
            log: false,
        }),
    }
}

fn against_the_first(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (mut all, mut gains) = (Vec::new(), Vec::new());
        for setup in &setups {
            let (new, _) = accuracies(setup, inputs).await?;
            gains.extend(new[1..].iter().map(|other| other - new[0]));
            all.extend(new);
        }
        Ok([all, gains].concat())
    })
}

/// By lane: mean accuracy over the new domains' held-out images, and accuracy on the upright ones.
async fn accuracies(setup: &Config, inputs: &Inputs) -> Result<(Vec<f64>, Vec<f64>)> {
    let prepared = trained(setup, inputs).await?;
    let digits = prepared.images.as_ref().ok_or_else(|| Error::Missing {
        what: "task",
        name: "digits".into(),
        hint: "the experiment's set-up is another one".into(),
    })?;
    let (domains, upright) = (digits.held_out(), digits.held_out_upright());
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for lane in 0..prepared.lab.lane_count() {
        let mut sum = 0.0;
        for images in &domains {
            sum += accuracy(&prepared, lane, images).await?;
        }
        new.push(sum / domains.len() as f64);
        old.push(accuracy(&prepared, lane, &upright).await?);
    }
    Ok((new, old))
}

async fn accuracy(prepared: &Prepared, lane: usize, images: &HeldOut) -> Result<f64> {
    let output = answer(&prepared.lab, lane, images.x.clone(), prepared.lab.task.sequence).await?.output;
    Ok(hits(&output, CLASSES, &images.classes) as f64 / images.classes.len() as f64)
}
