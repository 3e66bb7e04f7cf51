//! What was measured of an experiment, and how it outlives a visit to the lab: as text for the browser's session store.
//! Knows nothing of stores or pages.

use serde_json::{Value, json};

use crate::experiments::report::Outcome;
use crate::experiments::{Experiment, Where, judge};

/// One experiment measured on all or some seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub place: Where,
    pub seconds: f64,
    /// `[seeds][quantities]`
    pub seeds: Vec<Vec<f64>>,
}

impl Record {
    pub fn outcome(&self, experiment: &Experiment) -> Outcome {
        Outcome { measured: judge(experiment, &self.seeds), experiment: experiment.clone() }
    }
}

/// "webgpu", "cpu", or "none" where nothing was trained.
pub fn backend(place: &Where) -> &'static str {
    match place {
        Where::Nowhere => "none",
        Where::Cpu => "cpu",
        Where::WebGpu(_) => "webgpu",
    }
}

/// The GPU's name, or nothing.
pub fn device(place: &Where) -> &str {
    match place {
        Where::WebGpu(name) => name,
        _ => "",
    }
}

/// All records as text. Numbers that JSON does not have are written as null.
pub fn write(experiments: &[Experiment], records: &[Option<Record>]) -> String {
    let pairs = experiments.iter().zip(records).filter_map(|(experiment, record)| Some((experiment, record.as_ref()?)));
    let all = pairs.map(|(experiment, record)| {
        json!({
            "id": experiment.id,
            "backend": backend(&record.place),
            "device": device(&record.place),
            "seconds": record.seconds,
            "seeds": record.seeds,
        })
    });
    Value::Array(all.collect()).to_string()
}

/// The records of a text, by experiment. What does not fit an experiment, as after an update of the page, is left out.
pub fn read(experiments: &[Experiment], text: &[u8]) -> Vec<Option<Record>> {
    let all: Vec<Value> = serde_json::from_slice(text).unwrap_or_default();
    let of =
        |experiment: &Experiment| all.iter().find(|v| v["id"] == experiment.id).and_then(|v| record(experiment, v));
    experiments.iter().map(of).collect()
}

fn record(experiment: &Experiment, value: &Value) -> Option<Record> {
    let place = match value["backend"].as_str()? {
        "none" => Where::Nowhere,
        "cpu" => Where::Cpu,
        "webgpu" => Where::WebGpu(value["device"].as_str()?.to_owned()),
        _ => return None,
    };
    let row = |seed: &Value| {
        let values: Vec<f64> = seed.as_array()?.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect();
        (values.len() == experiment.quantities.len()).then_some(values)
    };
    let seeds = value["seeds"].as_array()?.iter().map(row).collect::<Option<Vec<_>>>()?;
    Some(Record { place, seconds: value["seconds"].as_f64()?, seeds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::report::number;
    use crate::experiments::{SEEDS, all};

    /// What the page shows until a claim is measured there.
    const RECORDED: &[u8] = include_bytes!("../../www/data/recorded.json");

    #[test]
    fn every_experiment_has_a_record_of_three_seeds() {
        let records = read(&all(), RECORDED);
        assert!(records.iter().all(|record| record.as_ref().is_some_and(|record| record.seeds.len() == SEEDS.len())));
    }

    /// The report is written by the run that writes the record.
    #[test]
    fn the_report_has_the_recorded_numbers() {
        let experiments = all();
        let report = include_str!("../../docs/EXPERIMENTS.md");
        for (experiment, record) in experiments.iter().zip(read(&experiments, RECORDED)) {
            let record = record.unwrap();
            let start = report.find(&format!("<a id=\"{}\">", experiment.id)).unwrap();
            let section = report[start + 1..].split("<a id=").next().unwrap();
            let outcome = record.outcome(experiment);
            assert!(section.contains(&format!("**Verdict:** **{}**", outcome.verdict())), "{}", experiment.id);
            for (quantity, measured) in experiment.quantities.iter().zip(&outcome.measured) {
                let each: Vec<String> = measured.values.iter().map(|&value| number(value)).collect();
                let row = section.lines().find(|line| line.starts_with(&format!("| {} |", quantity.name)));
                assert!(row.is_some_and(|row| row.contains(&each.join(" | "))), "{}: {}", experiment.id, quantity.name);
            }
        }
    }

    #[test]
    fn records_survive_and_what_does_not_fit_is_left_out() {
        let experiments = all();
        let mut records = vec![None; experiments.len()];
        let values = vec![0.1; experiments[0].quantities.len()];
        let place = Where::WebGpu("a \"GPU\"".into());
        records[0] = Some(Record { place, seconds: 1.5, seeds: vec![values.clone(), values.clone(), values] });
        let text = write(&experiments, &records);
        assert_eq!(read(&experiments, text.as_bytes()), records);
        let other = text.replace("[0.1,", "[");
        assert!(read(&experiments, other.as_bytes()).iter().all(Option::is_none));
        assert!(read(&experiments, b"not JSON").iter().all(Option::is_none));
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let experiments = all();
        let mut values = vec![1.0; experiments[0].quantities.len()];
        values[0] = f64::NAN;
        let mut records = vec![None; experiments.len()];
        records[0] = Some(Record { place: Where::Cpu, seconds: 0.0, seeds: vec![values] });
        let back = read(&experiments, write(&experiments, &records).as_bytes());
        assert!(back[0].as_ref().is_some_and(|record| record.seeds[0][0].is_nan()));
    }
}
