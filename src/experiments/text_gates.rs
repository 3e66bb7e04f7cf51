//! The gates of mixtures on text: what one gains by reading ahead, and what merging by the mean gate loses.

use super::runs::{molora, mor1e, train};
use super::text::{NEW, WITHIN, at, bits, held, mean, setup, text_of};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Quantity, Series, near, quantity, shown};
use crate::config::{Config, Lane};
use crate::lab::Lab;
use crate::lab::merges::merges;
use crate::protocol::MergeMode;
use crate::task::text::{Passages, small};
use crate::task::{Probe, Targets};

/// Passages of each language that are served byte by byte.
const SERVED: usize = 12;
/// Where a passage's bytes are, in the prototype's three parts.
const PARTS: [(&str, std::ops::Range<usize>); 3] =
    [("bytes 1 to 8", 0..8), ("bytes 9 to 32", 8..32), ("bytes 33 to 64", 32..64)];
/// Passages of each language that gates are averaged over, and merges are measured on.
const LOOKED_AT: usize = 24;

pub fn all() -> Vec<Experiment> {
    vec![leak(), merged()]
}

const READ: [&str; 3] = ["pooled, in one go", "pooled, byte by byte", "running"];

fn leak() -> Experiment {
    let lanes = ["pooled", "running"].map(|gate| at(mor1e(8, gate), 0.02)).to_vec();
    let of = |what: &str| -> Vec<Quantity> { PARTS.map(|(part, _)| shown(format!("{what}: {part}"))).to_vec() };
    Experiment {
        id: "language-leak",
        setups: vec![setup(lanes, true)],
        quantities: [
            vec![
                near("pooled, byte by byte − in one go", 0.195, WITHIN),
                quantity("all held-out text: pooled, in one go − running", Expected::AtMost(0.0)),
                quantity("pooled, byte by byte − running", Expected::AtLeast(0.0)),
                near("all held-out text: pooled, in one go", 3.092, WITHIN),
                near("all held-out text: running", 3.169, WITHIN),
            ],
            READ.map(shown).to_vec(),
            READ.map(of).concat(),
        ]
        .concat(),
        measure: leaked,
        figure: Some(Figure {
            x: "place in the passage",
            y: "bits per byte",
            columns: PARTS.map(|(part, _)| part.to_owned()).to_vec(),
            series: vec![
                Series { name: READ[0], first: 8 },
                Series { name: READ[1], first: 11 },
                Series { name: READ[2], first: 14 },
            ],
            log: false,
        }),
    }
}

fn leaked(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let setup = &setups[0];
        let text = text_of(setup);
        let (task, texts) = small(&text, setup.seed.into(), async |name: &str| inputs.file(name)).await?;
        let mut lab = Lab::new(setup.clone(), task, inputs.device())?;
        train(&mut lab, setup.schedule.total, inputs).await?;
        let codes = NEW.map(|(code, _)| code);
        let mut all = Vec::new();
        for lane in [0, 1] {
            all.push(mean(&bits(&mut lab, Some(lane), &texts, &codes).await?));
        }
        let mut some = Passages::default();
        for code in codes {
            let own = held(&texts, code, SERVED);
            some.x.extend(own.x);
            some.y.extend(own.y);
        }
        let at_once = wide(&lab.nats(Some(0), &some).await?);
        let running = wide(&lab.nats(Some(1), &some).await?);
        let (mut served, mut reader) = (Vec::new(), lab.served(0).await?);
        for (x, y) in some.x.chunks(text.sequence).zip(some.y.chunks(text.sequence)) {
            for end in 1..=x.len() {
                served.extend(reader.nats(&x[..end], &y[..end]).last());
            }
        }
        let ways = [at_once, served, running].map(|nats| in_bits(&nats));
        let means = ways.each_ref().map(|bits| mean(bits));
        let places = |bits: &Vec<f64>| {
            PARTS.map(|(_, part)| {
                mean(&bits.chunks(text.sequence).flat_map(|own| own[part.clone()].to_vec()).collect::<Vec<_>>())
            })
        };
        let claims = vec![means[1] - means[0], all[0] - all[1], means[1] - means[2], all[0], all[1]];
        Ok([claims, means.to_vec(), ways.iter().map(places).collect::<Vec<_>>().concat()].concat())
    })
}

fn wide(nats: &[f32]) -> Vec<f64> {
    nats.iter().map(|&nats| f64::from(nats)).collect()
}

fn in_bits(nats: &[f64]) -> Vec<f64> {
    nats.iter().map(|nats| nats / std::f64::consts::LN_2).collect()
}

/// The prototype's losses by one mean gate, and by each language's own.
fn mixtures() -> [(&'static str, Lane, [f64; 2]); 2] {
    [("MoLoRA 4×2", at(molora(4, 2), 0.02), [0.325, 0.239]), ("MoR1E 8", at(mor1e(8, "running"), 0.02), [0.071, 0.015])]
}

fn merged() -> Experiment {
    let lanes = mixtures();
    let losses = |(name, _, [one, own]): (&str, Lane, [f64; 2])| {
        [
            near(format!("{name}: mean gate − routed"), one, WITHIN),
            near(format!("{name}: mean gate per language − routed"), own, WITHIN),
        ]
    };
    let ways = ["routed", "mean gate per language", "mean gate"];
    let all = |(name, ..): (&str, Lane, [f64; 2])| ways.map(|way| shown(format!("{name}: {way}")));
    Experiment {
        id: "language-merges",
        setups: vec![setup(lanes.iter().map(|(_, lane, _)| lane.clone()).collect(), false)],
        quantities: [lanes.clone().map(losses).concat(), lanes.map(all).concat()].concat(),
        measure: merging,
        figure: Some(Figure {
            x: "merge",
            y: "bits per byte",
            columns: ways.map(str::to_owned).to_vec(),
            series: vec![Series { name: "MoLoRA 4×2", first: 4 }, Series { name: "MoR1E 8", first: 7 }],
            log: false,
        }),
    }
}

fn merging(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let setup = &setups[0];
        let text = text_of(setup);
        let (mut task, texts) = small(&text, setup.seed.into(), async |name: &str| inputs.file(name)).await?;
        let (mut some, mut languages) = (Passages::default(), Vec::new());
        for (language, (code, _)) in NEW.iter().enumerate() {
            let own = held(&texts, code, LOOKED_AT);
            languages.extend(std::iter::repeat_n(language as u8, own.y.len()));
            some.x.extend(own.x);
            some.y.extend(own.y);
        }
        // What merges are made from and measured on.
        task.probe = Probe {
            sequence: text.sequence,
            x: some.x.iter().map(|&token| token as f32).collect(),
            y: Targets::Classes(some.y),
            row_domains: languages,
        };
        let mut lab = Lab::new(setup.clone(), task, inputs.device())?;
        train(&mut lab, setup.schedule.total, inputs).await?;
        let (mut losses, mut all) = (Vec::new(), Vec::new());
        for lane in 0..lab.lane_count() {
            let bits = |nats: Vec<f64>| mean(&in_bits(&nats));
            let one = merges(&lab, lane, MergeMode::MeanGate).await?;
            let own = merges(&lab, lane, MergeMode::MeanGatePerDomain).await?;
            let routed = bits(one.iter().map(|merge| merge.routed).collect());
            let [one, own] = [one, own].map(|all| bits(all.iter().map(|merge| merge.loss).collect()));
            losses.extend([one - routed, own - routed]);
            all.extend([routed, own, one]);
        }
        Ok([losses, all].concat())
    })
}
