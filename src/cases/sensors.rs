//! The case of a missing sensor: what was measured of it, as the experiments have it, and runs of it in the lab. Pure.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::lang::{marked, tr};

/// What accuracy is told of.
pub const PATTERNS: [&str; 3] = [marked!("both"), marked!("left only"), marked!("right only")];

/// Lanes of the two experiments, in the order of their first numbers: pattern by pattern, all lanes. The experiments themselves
/// are a part of the page that is not fetched for a table; a test holds the names to theirs.
const METHODS: [&str; 8] = [
    "LoRA r2",
    "LoRA r4",
    "LoRA r8",
    "MoLoRA 2×4",
    "MoLoRA 4×2",
    "MoR1E 8 token",
    "MoR1E 8 pooled",
    marked!("full fine-tuning"),
];
const TRAINING: [&str; 5] = [
    "LoRA r8",
    marked!("LoRA r8, complete samples only"),
    "MoLoRA 4×2",
    marked!("MoLoRA 4×2, complete samples only"),
    marked!("LoRA r4 for each pattern"),
];

/// One lane's accuracy in each pattern, means over seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: String,
    pub accuracy: [f64; 3],
}

/// Two tables and the gap that the first sentence names.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// By method, all trained with incomplete samples.
    pub methods: Vec<Line>,
    /// With and without them, and one adapter for each pattern.
    pub training: Vec<Line>,
}

impl Measured {
    /// From `recorded.json`, which the experiments' runner writes.
    ///
    /// # Errors
    /// `Error::Data` where it has not what the experiments measure.
    pub fn read(text: &[u8]) -> Result<Self> {
        let all: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
        let table = |id: &str, names: &[&str]| {
            let record = all.iter().find(|one| one["id"] == id);
            record.and_then(|record| lines(names, record)).ok_or_else(|| Error::Data {
                what: "data/recorded.json".into(),
                expected: format!("the numbers of {id}"),
                got: "others".into(),
            })
        };
        Ok(Self { methods: table("sensors-mixture", &METHODS)?, training: table("sensors-training", &TRAINING)? })
    }

    /// What it comes to, in a sentence.
    pub fn sentence(&self) -> String {
        let of = |lines: &[Line], name: &str| lines.iter().find(|line| line.name == name).map(|line| line.accuracy);
        let alone = |accuracy: [f64; 3]| (accuracy[1] + accuracy[2]) / 2.0;
        let (with, without) = (of(&self.training, "LoRA r8"), of(&self.training, "LoRA r8, complete samples only"));
        let (lora, mixture) = (of(&self.methods, "LoRA r8"), of(&self.methods, "MoLoRA 4×2"));
        let [Some(with), Some(without), Some(lora), Some(mixture)] = [with, without, lora, mixture] else {
            return String::new();
        };
        let two = |share: f64| format!("{share:.2}");
        tr!(
            "With one sensor alone, training on samples that lack one takes LoRA r8 from {before} to {after} of held-out images; a mixture of experts in its place has {mixture} to LoRA’s {lora}.",
            before = two(alone(without)),
            after = two(alone(with)),
            mixture = two(alone(mixture)),
            lora = two(alone(lora))
        )
    }
}

fn lines(names: &[&str], record: &Value) -> Option<Vec<Line>> {
    let seeds = record["seeds"].as_array()?;
    let mean = |at: usize| {
        let sum: f64 = seeds.iter().map(|seed| seed[at].as_f64()).sum::<Option<f64>>()?;
        Some(sum / seeds.len() as f64)
    };
    let line = |(at, name): (usize, &&str)| {
        let [both, left, right] = [0, 1, 2].map(|pattern| mean(pattern * names.len() + at));
        Some(Line { name: (*name).to_owned(), accuracy: [both?, left?, right?] })
    };
    names.iter().enumerate().map(line).collect()
}

/// Runs in the lab: what they are, and the link's query.
pub const RUNS: [(&str, &str); 4] = [
    (marked!("Trained on what may be missing too"), "?task=sensors&total=600"),
    (marked!("Trained on complete samples alone"), "?task=sensors&patterns=both&total=600"),
    (marked!("Both sensors as inputs of one network"), "?task=sensors&form=inputs&total=600"),
    (
        marked!("Upper half, lower half, a right sensor that tells noise"),
        "?task=sensors&patterns=both~left~right~top~bottom~noise&total=600",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::experiments::all;

    const RECORDED: &[u8] = include_bytes!("../../www/data/recorded.json");

    #[test]
    fn the_tables_are_the_experiments() {
        let measured = Measured::read(RECORDED).unwrap();
        for (id, names) in [("sensors-mixture", &METHODS[..]), ("sensors-training", &TRAINING[..])] {
            let experiment = all().into_iter().find(|one| one.id == id).unwrap();
            let theirs = experiment.quantities.iter().map(|quantity| quantity.name.clone());
            let ours: Vec<String> = PATTERNS
                .iter()
                .flat_map(|pattern| names.iter().map(move |name| format!("{name}, {pattern}")))
                .collect();
            // Which the experiment calls by its method's name alone.
            let ours: Vec<String> = ours.iter().map(|name| name.replace(" fine-tuning", "")).collect();
            assert_eq!(theirs.take(ours.len()).collect::<Vec<_>>(), ours, "{id}");
        }
        let lora = measured.methods.iter().find(|line| line.name == "LoRA r8").unwrap();
        assert!(lora.accuracy[0] > lora.accuracy[1] && lora.accuracy[1] > 0.8, "{lora:?}");
        // Numbers of the sentence, to two decimals of what the tables have.
        let alone = |line: &Line| format!("{:.2}", (line.accuracy[1] + line.accuracy[2]) / 2.0);
        assert!(measured.sentence().contains(&format!("LoRA’s {}", alone(lora))), "{}", measured.sentence());
        assert!(Measured::read(b"[]").is_err());
    }

    #[test]
    fn every_run_can_be_linked_to() {
        for (name, query) in RUNS {
            let config = Config::from_query(query).unwrap();
            assert_eq!((config.task.kind(), config.lanes.len(), config.schedule.total), ("sensors", 4, 600), "{name}");
        }
    }
}
