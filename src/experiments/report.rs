//! The report as Markdown: one table of all claims, then a section for each. Knows nothing of where it is written.

use std::fmt::{self, Write};

use super::draw::Look;
use super::figure::svg;
use super::names::Names;
use super::{Expected, Experiment, Measured, Prose, SEEDS, Verdict, Words, overall};
use crate::order::sorted;

/// An experiment with what was measured, quantity by quantity.
pub struct Outcome {
    pub experiment: Experiment,
    pub measured: Vec<Measured>,
}

/// Rows of the first table show no more quantities than this; the sections show all.
const ROWS: usize = 6;
/// More numbers than this of which nothing is claimed are folded away.
const FOLDED: usize = 12;

const INTRO: &str = "# Experiments

Papers and write-ups about low-rank adaptation make claims; here each one that a small network can test becomes an
experiment with a prediction, a run and a verdict. A large network is *adapted* by training a small change of its
weights: **LoRA** trains one change of low rank, **full** fine-tuning any change, **MoLoRA** and **MoR1E** several small
changes (*experts*) among which a *gate* chooses for each input. `r8` is a rank of 8, `4×2` four experts of rank 2. Variants
of these are explained where they are tested.

Most runs learn from a *teacher*: a fixed layer whose true change is known, so that theory says exactly how well each
method can do. A loss of 1 means that nothing of the change was learnt, 0 all of it. The others adapt a network that
reads handwritten digits, or a small language model.

Every number below was measured by `cargo xtask experiments`, which writes this page. Predictions and tolerances were
fixed before the first run. Five set-ups were widened after it, with tolerances kept, because they could not answer their
question: the entropy term got three tasks and larger coefficients, the digits and one-bit factors a second learning rate,
AdaLoRA a longer run, and the collapse of a router a single task. Each experiment runs on three seeds; measurements are
means ± the standard deviation over them. A claim **holds** if every one of its numbers is within its tolerance on every seed, **does not hold** if one of them is
outside on all three, and stays **open** where seeds disagree. A claim that does not hold here is a finding about these
small networks, not about the paper's large ones; the likely reason is given. Where the source is *methods*, the claim is
this project's own derivation, and its *prototype* an earlier implementation in float64.

Links: append a set-up's query to the address of the page to see the run with your own eyes. They name seed 1; of more than four lanes the page shows the first four.
";

/// The whole page.
pub fn markdown(outcomes: &[Outcome], prose: &Prose) -> String {
    let mut out = String::from(INTRO);
    out += "\n| claim | prediction | measurement | verdict |\n|---|---|---|---|\n";
    for outcome in outcomes {
        let rows = outcome.claimed();
        let cell = |of: &dyn Fn(&(usize, bool)) -> String| {
            let mut lines: Vec<String> = rows.iter().take(ROWS).map(of).collect();
            if rows.len() > ROWS {
                lines.push("…".into());
            }
            lines.join("<br>")
        };
        let said = cell(&|&(i, _)| format!("{} {}", outcome.name(i), outcome.experiment.quantities[i].expected));
        let found = cell(&|&(i, _)| value(&outcome.measured[i]));
        let (id, Words { claim, .. }) = (outcome.experiment.id, &prose[&outcome.experiment]);
        let _ = writeln!(out, "| {claim} [{id}](#{id}) | {said} | {found} | {} |", strong(outcome.verdict()));
    }
    outcomes.iter().for_each(|outcome| section(&mut out, outcome, &prose[&outcome.experiment]));
    tables(&mut out, prose);
    out
}

fn section(out: &mut String, outcome: &Outcome, words: &Words) {
    let e = &outcome.experiment;
    // The heading's own anchor would follow its words; the identifier stays when they change.
    let _ = writeln!(
        out,
        "\n<a id=\"{}\"></a>\n\n## {}\n\n{}\n\n- **Source:** {}.",
        e.id, words.title, words.claim, words.source
    );
    let _ = writeln!(out, "- **Set-up:** {}", words.method);
    for setup in &e.setups {
        let _ = writeln!(out, "  - `?{}`", setup.to_query());
    }
    let _ = writeln!(out, "- **Prediction:** {}", words.prediction);
    let _ = writeln!(out, "- **Verdict:** {}.", strong(outcome.verdict()));
    if outcome.verdict() != Verdict::Holds {
        let _ = writeln!(out, "- **Likely reason:** {}", words.otherwise);
    }
    if !words.remark.is_empty() {
        let _ = writeln!(out, "- **How to read it:** {}", words.remark);
    }
    let (shown, claimed): (Vec<usize>, Vec<usize>) =
        (0..e.quantities.len()).partition(|&i| e.quantities[i].expected == Expected::Shown);
    if shown.len() > FOLDED {
        quantities(out, outcome, &claimed);
        let _ = writeln!(out, "\n<details><summary>All {} other numbers</summary>", shown.len());
        quantities(out, outcome, &shown);
        *out += "\n</details>\n";
    } else {
        quantities(out, outcome, &(0..e.quantities.len()).collect::<Vec<_>>());
    }
    if e.figure.is_some() {
        let _ = writeln!(out, "\n![{}](img/experiments/{}.svg)", words.title, e.id);
    }
}

/// One row each for the quantities with these indices.
fn quantities(out: &mut String, outcome: &Outcome, indices: &[usize]) {
    let seeds: Vec<String> = SEEDS.iter().map(|seed| format!("seed {seed}")).collect();
    let _ = writeln!(out, "\n| quantity | predicted | measured | {} | |", seeds.join(" | "));
    let _ = writeln!(out, "|---|---|---|{}---|", "---|".repeat(SEEDS.len()));
    for &index in indices {
        let (expected, measured) = (outcome.experiment.quantities[index].expected, &outcome.measured[index]);
        let each: Vec<String> = measured.values.iter().map(|&v| number(v)).collect();
        let verdict = if expected == Expected::Shown { String::new() } else { measured.verdict.to_string() };
        let (name, value) = (outcome.name(index), value(measured));
        let _ = writeln!(out, "| {name} | {expected} | {value} | {} | {verdict} |", each.join(" | "));
    }
}

fn tables(out: &mut String, prose: &Prose) {
    *out += "\n## What cannot be reproduced here\n\nTo be labelled so wherever it is quoted.\n\n| claim | why not |\n|---|---|\n";
    for [claim, reason] in &prose.not_reproducible {
        let _ = writeln!(out, "| {claim} | {reason} |");
    }
    *out += "\n## What has no experiment yet\n\n| claim | source | missing |\n|---|---|---|\n";
    for [claim, source, missing] in &prose.waiting {
        let _ = writeln!(out, "| {claim} | {source} | {missing} |");
    }
}

impl Outcome {
    pub fn verdict(&self) -> Verdict {
        overall(&self.experiment, &self.measured)
    }

    /// The experiment's figure as an SVG document of this title.
    pub fn figure(&self, title: &str) -> Option<String> {
        let figure = self.experiment.figure.as_ref()?;
        Some(svg((title, &Names::default()), figure, &self.experiment.quantities, &self.measured, Look::File))
    }

    /// Indices of quantities with a claim on them, and whether it holds; those for which it does not come first.
    fn claimed(&self) -> Vec<(usize, bool)> {
        let claimed = |i: &usize| self.experiment.quantities[*i].expected != Expected::Shown;
        let all = (0..self.measured.len()).filter(claimed).map(|i| (i, self.measured[i].verdict == Verdict::Holds));
        let all: Vec<_> = all.collect();
        if all.len() <= ROWS {
            return all;
        }
        sorted(all, |(_, a), (_, b)| a.cmp(b))
    }

    fn name(&self, index: usize) -> &str {
        &self.experiment.quantities[index].name
    }
}

fn strong(verdict: Verdict) -> String {
    format!("**{verdict}**")
}

fn value(measured: &Measured) -> String {
    format!("{} ± {}", number(measured.mean), number(measured.spread))
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Near { value, within: 0.0 } => write!(f, "exactly {}", number(value)),
            Self::Near { value, within } => write!(f, "{} ± {}", number(value), number(within)),
            Self::Between(low, high) => write!(f, "{} to {}", number(low), number(high)),
            Self::AtMost(most) => write!(f, "≤ {}", number(most)),
            Self::AtLeast(least) => write!(f, "≥ {}", number(least)),
            Self::Shown => f.write_str("–"),
        }
    }
}

/// Four decimals from 0.001 up, whole numbers as such, what is smaller in scientific notation.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "not a number".into();
    }
    if value == libm::round(value) && size < 1e15 {
        return grouped(value);
    }
    if size < 0.001 {
        return format!("{value:.1e}");
    }
    let text = if size < 100.0 { format!("{value:.4}") } else { format!("{value:.1}") };
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// Thousands apart: 2,363,396.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::from(if value < 0.0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{all, judge, prose};

    #[test]
    fn numbers_read_well() {
        let cases = [
            (0.75, "0.75"),
            (0.9375, "0.9375"),
            (0.368_84, "0.3688"),
            (2_363_396.0, "2,363,396"),
            (36.5604, "36.5604"),
            (-0.04, "-0.04"),
            (1.25e-7, "1.2e-7"),
            (0.0, "0"),
            (-4.0, "-4"),
            (1234.56, "1234.6"),
            (f64::NAN, "not a number"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn expectations_state_their_tolerance() {
        assert_eq!(Expected::Near { value: 0.75, within: 0.005 }.to_string(), "0.75 ± 0.005");
        assert_eq!(Expected::Near { value: 36.0, within: 0.0 }.to_string(), "exactly 36");
        assert_eq!(Expected::Between(5.0, 20.0).to_string(), "5 to 20");
        assert_eq!(Expected::AtMost(0.0).to_string(), "≤ 0");
    }

    #[test]
    fn a_report_has_a_row_and_a_section_per_experiment_and_both_tables() {
        let outcomes: Vec<Outcome> = all()
            .into_iter()
            .map(|experiment| {
                let values = vec![0.5; experiment.quantities.len()];
                let measured = judge(&experiment, &[values.clone(), values.clone(), values]);
                Outcome { experiment, measured }
            })
            .collect();
        let prose = prose();
        let text = markdown(&outcomes, &prose);
        for outcome in &outcomes {
            let e = &outcome.experiment;
            let words = &prose[e];
            assert!(text.contains(&format!("\n## {}\n", words.title)) && text.contains(&format!("(#{})", e.id)));
            assert!(text.contains(&words.otherwise) || outcome.verdict() == Verdict::Holds, "{}", e.id);
            assert!(e.setups.iter().all(|setup| text.contains(&format!("`?{}`", setup.to_query()))));
            assert!(text.contains(&words.remark));
            assert_eq!(outcome.figure(&words.title).is_some(), e.figure.is_some());
        }
        assert!(prose.not_reproducible.iter().all(|[claim, _]| text.contains(claim)));
        assert!(prose.waiting.iter().all(|[claim, ..]| text.contains(claim)));
        // Every table's rows have as many cells as its head.
        for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
            let cells: Vec<usize> = table.trim().lines().map(|row| row.matches('|').count()).collect();
            assert!(cells.iter().all(|&count| count == cells[0]), "{table}");
        }
    }
}
