//! Experiments from claim to verdict: those that are cheap enough for a test, and must hold on any machine.
#![cfg(not(target_arch = "wasm32"))]

use lora_playground::experiments::report::{Outcome, markdown};
use lora_playground::experiments::{Inputs, Prose, SEEDS, Verdict, all, judge};
use pollster::block_on;

fn run(id: &str) -> Outcome {
    let experiment = all().into_iter().find(|e| e.id == id).unwrap();
    // None of these reads digits.
    let inputs = Inputs::new(String::new());
    let seeds: Vec<_> = SEEDS.iter().map(|&seed| block_on(experiment.measure(seed, &inputs)).unwrap()).collect();
    assert!(seeds.iter().all(|values| values.len() == experiment.quantities.len()), "{id} measures what it says");
    let measured = judge(&experiment, &seeds);
    Outcome { experiment, measured }
}

#[test]
fn what_theory_proves_holds() {
    let outcomes: Vec<_> = ["spike", "sizes", "zero-start"].map(run).into_iter().collect();
    for outcome in &outcomes {
        assert_eq!(outcome.verdict(), Verdict::Holds, "{}: {:?}", outcome.experiment.id, outcome.measured);
    }
    let prose = Prose::read(include_bytes!("../www/data/claims.json")).unwrap();
    let page = markdown(&outcomes, &prose);
    assert_eq!(page.matches("**holds** |").count(), outcomes.len(), "a row of the table for each");
    let figure = outcomes[0].figure(&prose[&outcomes[0].experiment].title).unwrap();
    assert!(figure.starts_with("<svg") && figure.ends_with("</svg>\n") && !figure.contains("NaN"));
}
