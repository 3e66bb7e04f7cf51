//! Adapters of a small language model, each of one language: what they do to the others'.

use super::runs::{config, lora, train};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, quantity};
use crate::args::Text;
use crate::config::{Config, Optimizer, Schedule, Task};
use crate::lab::Lab;
use crate::task::text::{Passages, small};

/// Code and name: of four families, three of one script.
const LANGUAGES: [(&str, &str); 4] =
    [("deu_1996", "German"), ("swh", "Swahili"), ("rus", "Russian"), ("tur", "Turkish")];
/// As the fifty adapters that the page ships were trained.
const SEQUENCE: usize = 64;
const STEPS: usize = 51;
const WARMUP: usize = 20;
const RATE: f64 = 0.02;
/// Held-out bytes of each language.
const HELD: usize = 1_024;

pub fn all() -> Vec<Experiment> {
    let setup = |code: &str| Config {
        optimizer: Optimizer { lr: RATE, ..Optimizer::default() },
        ..config(
            Task::Text(Text { languages: vec![code.to_owned()], sequence: SEQUENCE, ..Text::default() }),
            vec![lora(4)],
            Schedule { warmup: WARMUP, total: STEPS },
        )
    };
    let of = |what: &str| LANGUAGES.map(|(_, name)| format!("{name}: {what}"));
    let shown = |what: &str| each(&of(what), &|name| quantity(name.clone(), Expected::Shown));
    let pairs = LANGUAGES.len() * (LANGUAGES.len() - 1);
    vec![Experiment {
        id: "other-language",
        setups: LANGUAGES.map(|(code, _)| setup(code)).to_vec(),
        quantities: [
            shown("bits per byte, no adapter"),
            shown("its own adapter"),
            shown("another's, on average"),
            each(&of("its own − none"), &|name| quantity(name.clone(), Expected::AtMost(0.0))),
            vec![quantity(
                format!("share of {pairs} pairs in which another's is worse than none"),
                Expected::AtLeast(0.9),
            )],
        ]
        .concat(),
        measure: measured,
        figure: Some(Figure {
            x: "language read",
            y: "bits per byte",
            columns: LANGUAGES.map(|(_, name)| name.to_owned()).to_vec(),
            series: vec![
                Series { name: "no adapter", first: 0 },
                Series { name: "its own", first: LANGUAGES.len() },
                Series { name: "another's", first: 2 * LANGUAGES.len() },
            ],
            log: false,
        }),
    }]
}

fn measured(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let count = LANGUAGES.len();
        let mut none = Vec::new();
        // By adapter, then by language read.
        let mut bits = Vec::new();
        for setup in &setups {
            let Task::Text(text) = &setup.task else { continue };
            let (task, texts) = small(text, setup.seed.into(), async |name: &str| inputs.file(name)).await?;
            let mut lab = Lab::new(setup.clone(), task, inputs.device())?;
            train(&mut lab, setup.schedule.total, inputs).await?;
            let held = |code: &str| {
                let own = texts.held.iter().find(|(other, _)| other == code).map_or(&[][..], |(_, held)| held);
                Passages::of(&own[..own.len().min(HELD)], SEQUENCE, 0)
            };
            for (code, _) in LANGUAGES {
                let passages = held(code);
                bits.push(mean(&lab.nats(Some(0), &passages).await?));
                if none.len() < count {
                    none.push(mean(&lab.nats(None, &passages).await?));
                }
            }
        }
        let own: Vec<f64> = (0..count).map(|at| bits[at * count + at]).collect();
        let others =
            |read: usize| (0..count).filter(move |adapter| *adapter != read).map(move |adapter| adapter * count + read);
        let another: Vec<f64> =
            (0..count).map(|read| others(read).map(|at| bits[at]).sum::<f64>() / (count - 1) as f64).collect();
        let gains = own.iter().zip(&none).map(|(own, none)| own - none).collect();
        let worse: usize = (0..count).map(|read| others(read).filter(|&at| bits[at] > none[read]).count()).sum();
        Ok([none, own, another, gains, vec![worse as f64 / (count * (count - 1)) as f64]].concat())
    })
}

/// Bits per byte.
fn mean(nats: &[f32]) -> f64 {
    nats.iter().map(|&nats| f64::from(nats)).sum::<f64>() / nats.len().max(1) as f64 / std::f64::consts::LN_2
}
