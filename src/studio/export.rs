//! Measurements as files: CSV with a row per number that was measured, JSON with all that is known of it. Knows nothing
//! of how files reach a disk.

use serde_json::{Value, json};

use super::record::{Record, backend, device};
use super::sweep::Swept;
use crate::experiments::{Expected, Experiment, Prose, SEEDS, Verdict, Words};

/// Fields of one line, quoted where they must be.
fn line(fields: &[String]) -> String {
    let quoted = fields.iter().map(|field| match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.clone(),
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

fn fields<const N: usize>(fields: [&str; N]) -> Vec<String> {
    fields.map(String::from).to_vec()
}

type Pairs<'a> = Vec<(&'a Experiment, &'a Record)>;

/// Those that were measured.
pub fn measured<'a>(experiments: &'a [Experiment], records: &'a [Option<Record>]) -> Pairs<'a> {
    experiments.iter().zip(records).filter_map(|(e, record)| Some((e, record.as_ref()?))).collect()
}

/// A row per quantity.
pub fn claims_csv(pairs: &Pairs<'_>) -> String {
    let mut head = fields(["experiment", "quantity", "predicted"]);
    head.extend(SEEDS.iter().map(|seed| format!("seed {seed}")));
    head.extend(fields(["mean", "spread", "verdict", "claim", "backend", "device", "seconds"]));
    let mut out = line(&head);
    for (experiment, record) in pairs {
        let outcome = record.outcome(experiment);
        for (quantity, measured) in experiment.quantities.iter().zip(&outcome.measured) {
            let claimed = quantity.expected != Expected::Shown;
            let mut row = vec![experiment.id.into(), quantity.name.clone(), plain(quantity.expected)];
            row.extend((0..SEEDS.len()).map(|seed| measured.values.get(seed).map(f64::to_string).unwrap_or_default()));
            row.extend([measured.mean, measured.spread].map(|number| number.to_string()));
            row.push(if claimed { measured.verdict.to_string() } else { String::new() });
            row.extend(fields([verdict(outcome.verdict()), backend(&record.place), device(&record.place)]));
            row.push(format!("{:.1}", record.seconds));
            out += &line(&row);
        }
    }
    out
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::DoesNotHold => "does not hold",
        Verdict::Open => "open",
    }
}

/// "–" is for people; a file says nothing where nothing is claimed.
fn plain(expected: Expected) -> String {
    if expected == Expected::Shown { String::new() } else { expected.to_string() }
}

pub fn claims_json(pairs: &Pairs<'_>, prose: &Prose) -> String {
    let claim = |(experiment, record): &(&Experiment, &Record)| {
        let (outcome, Words { claim, source, prediction, .. }) = (record.outcome(experiment), &prose[experiment]);
        let quantities = experiment.quantities.iter().zip(&outcome.measured).map(|(quantity, measured)| {
            let claimed = quantity.expected != Expected::Shown;
            json!({
                "name": quantity.name,
                "predicted": expected(quantity.expected),
                "values": measured.values,
                "mean": measured.mean,
                "spread": measured.spread,
                "verdict": claimed.then(|| verdict(measured.verdict)),
            })
        });
        json!({
            "id": experiment.id,
            "claim": claim,
            "source": source,
            "prediction": prediction,
            "setups": experiment.setups.iter().map(|setup| setup.to_query()).collect::<Vec<_>>(),
            "seeds": SEEDS[..record.seeds.len().min(SEEDS.len())],
            "verdict": verdict(outcome.verdict()),
            "backend": backend(&record.place),
            "device": device(&record.place),
            "seconds": record.seconds,
            "quantities": quantities.collect::<Vec<_>>(),
        })
    };
    document("experiments", Value::Array(pairs.iter().map(claim).collect()))
}

fn expected(expected: Expected) -> Value {
    match expected {
        Expected::Near { value, within } => json!({ "value": value, "within": within }),
        Expected::Between(low, high) => json!({ "from": low, "to": high }),
        Expected::AtMost(most) => json!({ "at_most": most }),
        Expected::AtLeast(least) => json!({ "at_least": least }),
        Expected::Shown => Value::Null,
    }
}

fn document(what: &str, content: Value) -> String {
    format!("{:#}\n", json!({ "lora-playground": env!("CARGO_PKG_VERSION"), what: content }))
}

/// A row per run.
pub fn sweep_csv(swept: &Swept) -> String {
    let plan = &swept.plan;
    let mut head = vec![plan.x.axis.name.to_owned()];
    head.extend(plan.y.iter().map(|y| y.axis.name.to_owned()));
    head.extend(fields(["seed", "loss", "backend", "device"]));
    let mut out = line(&head);
    for (at, loss) in swept.losses.iter().enumerate() {
        let (cell, seed) = (at / plan.seeds, plan.base.seed.wrapping_add((at % plan.seeds) as u32));
        let (row, column) = (cell / plan.columns(), cell % plan.columns());
        let mut row_fields = vec![plan.x.values[column].to_string()];
        row_fields.extend(plan.y.iter().map(|y| y.values[row].to_string()));
        row_fields.extend([seed.to_string(), loss.to_string()]);
        row_fields.extend(fields([backend(&swept.place), device(&swept.place)]));
        out += &line(&row_fields);
    }
    out
}

pub fn sweep_json(swept: &Swept) -> String {
    let plan = &swept.plan;
    let along = |along: &super::sweep::Along| json!({ "name": along.axis.name, "values": along.values });
    let cells = swept.done().map(|(row, column, cell)| {
        json!({
            "x": plan.x.values[column],
            "y": plan.y.as_ref().map(|y| y.values[row]),
            "mean": cell.mean,
            "spread": cell.spread,
        })
    });
    document(
        "sweep",
        json!({
            "x": along(&plan.x),
            "y": plan.y.as_ref().map(along),
            "steps": plan.steps,
            "seeds": (0..plan.seeds as u32).map(|k| plan.base.seed.wrapping_add(k)).collect::<Vec<_>>(),
            "lane": plan.lane,
            "configuration": plan.base.to_value(),
            "backend": backend(&swept.place),
            "device": device(&swept.place),
            "seconds": swept.seconds,
            "losses": swept.losses,
            "cells": cells.collect::<Vec<_>>(),
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{Where, all, prose};

    fn record(experiment: &Experiment) -> Record {
        let seeds = SEEDS.map(|seed| vec![f64::from(seed); experiment.quantities.len()]).to_vec();
        Record { place: Where::WebGpu("GPU, \"fast\"".into()), seconds: 2.04, seeds }
    }

    /// Cells of a line as a spreadsheet would read them.
    fn cells(line: &str) -> Vec<String> {
        let (mut out, mut quoted) = (vec![String::new()], false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    out.last_mut().unwrap().push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => out.push(String::new()),
                c => out.last_mut().unwrap().push(c),
            }
        }
        out
    }

    #[test]
    fn every_quantity_has_a_row_of_as_many_cells_as_the_head() {
        let experiments = all();
        let records: Vec<_> = experiments.iter().map(|e| Some(record(e))).collect();
        let text = claims_csv(&measured(&experiments, &records));
        let rows: Vec<_> = text.lines().map(cells).collect();
        assert_eq!(rows.len(), 1 + experiments.iter().map(|e| e.quantities.len()).sum::<usize>());
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        assert_eq!(rows[1][3..6], ["1", "2", "3"]);
        assert_eq!(rows[1][10..], ["webgpu", "GPU, \"fast\"", "2.0"]);
    }

    #[test]
    fn json_holds_prediction_measurement_and_verdict() {
        let experiments = all();
        let mut records = vec![None; experiments.len()];
        records[0] = Some(record(&experiments[0]));
        let value: Value = serde_json::from_str(&claims_json(&measured(&experiments, &records), &prose())).unwrap();
        let claims = value["experiments"].as_array().unwrap();
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0]["quantities"][0]["values"], json!([1.0, 2.0, 3.0]));
        assert!(claims[0]["quantities"][0]["predicted"]["within"].is_number());
        assert_eq!(claims[0]["verdict"], "does not hold");
        assert_eq!(claims[0]["claim"], prose()[&experiments[0]].claim);
    }

    #[test]
    fn a_sweep_has_a_row_per_run() {
        let plan = super::super::sweep::tests::plan();
        let swept = Swept { plan, place: Where::Cpu, seconds: 1.0, losses: vec![0.5, 0.25, f64::NAN] };
        let text = sweep_csv(&swept);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "rank,learning rate,seed,loss,backend,device");
        assert_eq!(lines[2], "1,0.01,2,0.25,cpu,");
        assert_eq!(lines[3], "2,0.01,1,NaN,cpu,");
        let value: Value = serde_json::from_str(&sweep_json(&swept)).unwrap();
        assert_eq!(value["sweep"]["cells"].as_array().map(Vec::len), Some(1));
        assert_eq!(value["sweep"]["losses"][2], Value::Null);
    }
}
