//! Real handwriting: whether a mixture wins at equal size, and what each method forgets.

use super::bed::{answer, config, lora, molora, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, quantity, shown};
use crate::config::{Config, Digits, Method, Schedule, Task};
use crate::error::{Error, Result};
use crate::lab::forward::hits;
use crate::lab::prepare::Prepared;
use crate::task::HeldOut;
use crate::task::digits::CLASSES;

const STEPS: usize = 1_500;
const RANKS: [usize; 4] = [2, 4, 8, 16];

pub fn all() -> Vec<Experiment> {
    vec![mixture(), forgetting()]
}

fn setup(methods: Vec<Method>) -> Config {
    config(Task::Digits(Digits::default()), methods, Schedule { warmup: 50, total: STEPS })
}

/// Over the three layers 64→64→64→10 a LoRA of rank r holds 330·r, MoLoRA N×R 330·N·R + 192·N.
fn mixture() -> Experiment {
    Experiment {
        id: "digits-mixture",
        title: "A mixture on real data",
        claim: "At equal size MoLoRA is more accurate than LoRA on several tasks at once.",
        source: "as MoLoRA is advertised (arXiv 2309.05444 and write-ups)",
        setups: vec![setup(vec![lora(10), molora(4, 2), lora(18), molora(4, 4)])],
        method: "A network for upright digits adapted to four changes of them (inverted, rotated, mirrored, shifted); accuracy on held-out images, mean over the four. 3,300 against 3,408 parameters, and 5,940 against 6,048.",
        prediction: "If the claim holds, MoLoRA's accuracy minus LoRA's is above 0, here at least 0.005 (two of 397 images). A PyTorch prototype had MoLoRA 4×2 at .897 and LoRA r8 at .938.",
        quantities: vec![
            shown("LoRA r10"),
            shown("MoLoRA 4×2"),
            shown("LoRA r18"),
            shown("MoLoRA 4×4"),
            quantity("MoLoRA 4×2 − LoRA r10", Expected::AtLeast(0.005)),
            quantity("MoLoRA 4×4 − LoRA r18", Expected::AtLeast(0.005)),
        ],
        measure: compared,
        otherwise: "The changes share most of what must be learnt, and each expert sees a part of the data only; rank that all images train is worth more here than rank behind a gate.",
        figure: Some(Figure {
            x: "lane",
            y: "accuracy on the new digits",
            columns: ["LoRA r10", "MoLoRA 4×2", "LoRA r18", "MoLoRA 4×4"].map(String::from).to_vec(),
            series: vec![Series { name: "held out", first: 0 }],
            log: false,
        }),
    }
}

fn compared(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (new, _) = accuracies(&setups[0], inputs).await?;
        let gains = [new[1] - new[0], new[3] - new[2]];
        Ok(new.into_iter().chain(gains).collect())
    })
}

fn forgetting() -> Experiment {
    let names = || std::iter::once("full".to_owned()).chain(RANKS.map(|r| format!("LoRA r{r}")));
    let new = names().map(|name| shown(format!("{name}: new")));
    let old = names().map(|name| shown(format!("{name}: upright")));
    let less = RANKS.map(|r| quantity(format!("full − LoRA r{r}, new"), Expected::AtLeast(0.0)));
    let kept = RANKS.map(|r| quantity(format!("LoRA r{r} − full, upright"), Expected::AtLeast(0.0)));
    Experiment {
        id: "digits-forgetting",
        title: "Learning less and forgetting less",
        claim: "LoRA learns less than full fine-tuning and forgets less.",
        source: "Biderman et al., arXiv 2405.09673",
        setups: vec![setup(std::iter::once(Method::Full).chain(RANKS.map(lora)).collect())],
        method: "The same network; accuracy on held-out images of the four new kinds, and of the upright ones it came from.",
        prediction: "Full fine-tuning is at least as accurate on the new digits, and LoRA on the old ones, at every rank.",
        quantities: new.chain(old).chain(less).chain(kept).collect(),
        measure: forgotten,
        otherwise: "All methods run at one learning rate and to convergence, on a network so small that a rank of 16 of 64 is nearly full; forgetting here follows how well the new images are fitted rather than how many parameters were free. The paper compares each method at its own best rate, on billions of parameters.",
        figure: Some(Figure {
            x: "method",
            y: "accuracy",
            columns: names().collect(),
            series: vec![
                Series { name: "new digits", first: 0 },
                Series { name: "upright digits", first: RANKS.len() + 1 },
            ],
            log: false,
        }),
    }
}

fn forgotten(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let (new, old) = accuracies(&setups[0], inputs).await?;
        let less: Vec<f64> = new[1..].iter().map(|lora| new[0] - lora).collect();
        let kept: Vec<f64> = old[1..].iter().map(|lora| lora - old[0]).collect();
        Ok([new, old, less, kept].concat())
    })
}

/// By lane: mean accuracy over the new domains' held-out images, and accuracy on the upright ones.
async fn accuracies(setup: &Config, inputs: &Inputs) -> Result<(Vec<f64>, Vec<f64>)> {
    let prepared = trained(setup, inputs).await?;
    let digits = prepared.digits.as_ref().ok_or_else(|| Error::Missing {
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
    let output = answer(&prepared.lab, lane, images.x.clone(), 1).await?.output;
    Ok(hits(&output, CLASSES, &images.classes) as f64 / images.classes.len() as f64)
}
