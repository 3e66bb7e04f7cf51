//! What the page says in words: headings, and the sentences by which things explain themselves. Pure.

use super::edit::LANES;
use super::format::{lane_name, list};
use super::reading::short_name;
use crate::config::{Form, Lane, Named, Pattern, Task};
use crate::lang::{said, tr};
use crate::method::METHODS;
use crate::protocol::MergeMode;
use crate::task::network::LinearSite;

/// Names of all lanes, as they are called everywhere on the page.
pub fn lane_names(lanes: &[Lane]) -> Vec<String> {
    let lanes: Vec<&Lane> = lanes.iter().collect();
    (0..lanes.len()).map(|index| lane_name(&lanes, index)).collect()
}

/// The hue of each lane, of which the style sheet has as many as the page has lanes. It belongs to the method and stays where
/// lanes move; of two lanes that would have the same, the later takes one that is free.
pub fn hues(lanes: &[Lane]) -> Vec<usize> {
    let own = |lane: &Lane| METHODS.iter().position(|method| method.name == lane.method.name).unwrap_or(0) % LANES;
    let mut hues: Vec<Option<usize>> = vec![None; lanes.len()];
    for (at, lane) in lanes.iter().enumerate() {
        hues[at] = Some(own(lane)).filter(|hue| !hues.contains(&Some(*hue)));
    }
    for at in (0..hues.len()).filter(|&at| hues[at].is_none()).collect::<Vec<_>>() {
        hues[at] = (0..LANES).find(|hue| !hues.contains(&Some(*hue)));
    }
    hues.into_iter().flatten().collect()
}

/// A signed value with a fixed number of decimals, for columns.
pub fn signed(value: f64) -> String {
    let sign = if value < 0.0 { '−' } else { '+' };
    format!("{sign}{:.3}", value.abs())
}

/// The short description of a task in its panel's summary.
pub fn task_summary(task: &Task) -> String {
    match task {
        Task::Domains(d) => {
            let deep = if d.depth > 1 { tr!(" · {} layers", d.depth) } else { String::new() };
            let kind = if d.conflict { tr!("conflicting") } else { tr!("separate") };
            match d.domains {
                1 => tr!("domains · 1 · rank {}{deep}", d.true_rank, deep),
                n => tr!("domains · {n} {kind} · rank {}{deep}", d.true_rank, n, kind, deep),
            }
        }
        Task::Digits(d) => match d.domains.len() {
            1 => tr!("digits · 1 domain"),
            n => tr!("digits · {n} domains", n),
        },
        Task::Sensors(s) => {
            let form = if s.form == Form::Tokens { tr!("two tokens") } else { tr!("inputs of one network") };
            match s.patterns.len() {
                1 => tr!("sensors · {form} · {} alone", said(s.patterns[0].name()), form),
                n => tr!("sensors · {form} · {n} patterns", form, n),
            }
        }
        Task::Text(text) => match languages(&text.languages) {
            all if all.len() <= 3 => tr!("language · {}", all.join(", ")),
            all => tr!("language · {}, {} and {} more", all[0], all[1], all.len() - 2),
        },
        Task::Custom => tr!("custom data"),
    }
}

/// Languages by their names without varieties.
fn languages(codes: &[String]) -> Vec<String> {
    codes.iter().map(|code| short_name(crate::task::text::languages::name(code))).collect()
}

/// What the run is, in one sentence.
pub fn run_title(task: &Task, lanes: usize) -> String {
    let ways = match lanes {
        1 => tr!("One way"),
        2 => tr!("Two ways"),
        3 => tr!("Three ways"),
        4 => tr!("Four ways"),
        _ => tr!("Several ways"),
    };
    let count = |n: usize| match n {
        1 => tr!("one"),
        2 => tr!("two"),
        3 => tr!("three"),
        4 => tr!("four"),
        5 => tr!("five"),
        n => n.to_string(),
    };
    let same = if lanes == 1 { String::new() } else { tr!(" Same data, same seed.") };
    match task {
        Task::Domains(d) => {
            let kind = match (d.domains, d.conflict) {
                (1, _) => tr!("one task"),
                (n, true) => tr!("{} conflicting tasks", count(n)),
                (n, false) => tr!("{} separate tasks", count(n)),
            };
            let frozen = match d.depth {
                1 => tr!("one frozen layer"),
                n => tr!("a frozen network of {} layers", count(n)),
            };
            tr!("{ways} to adapt {frozen} to {kind}.{same}", ways, frozen, kind, same)
        }
        Task::Digits(d) => {
            let domains = match d.domains.len() {
                1 => tr!("one new domain"),
                n => tr!("{} new domains", count(n)),
            };
            tr!("{ways} to adapt a small frozen network from upright digits to {domains}.{same}", ways, domains, same)
        }
        Task::Sensors(s) => {
            let trained = match s.patterns.iter().any(|pattern| *pattern != Pattern::Both) {
                true => tr!("trained on images of which a part is missing too"),
                false => tr!("trained on whole images alone"),
            };
            tr!("{ways} to adapt a small frozen network to two sensors, {trained}.{same}", ways, trained, same)
        }
        Task::Text(text) => {
            tr!("{ways} to adapt a small language model to {}.{same}", list(&languages(&text.languages)), ways, same)
        }
        Task::Custom => tr!("{ways} to adapt a frozen layer to given data.{same}", ways, same),
    }
}

/// A linear layer's name: "layer 2", or of a transformer's block "2 q_proj".
pub fn site_name(site: &LinearSite, index: usize) -> String {
    match site.projection {
        Some(projection) => format!("{} {}", site.layer + 1, projection.name()),
        None => tr!("layer {}", index + 1),
    }
}

/// Why no gate is to be seen, of a run whose first frame `shown` lanes came with.
pub fn no_gates(lanes: &[Lane], shown: usize) -> String {
    match (lanes.iter().any(Lane::is_gated), shown) {
        (false, _) => tr!("No lane has a gate: add a MoLoRA or MoR1E lane to see how experts share the work."),
        (true, 0) => tr!("Gates are shown with the first frame, once the lanes are compiled."),
        (true, _) => tr!("The gates are no longer numbers: their lanes have diverged."),
    }
}

/// What a lane's further settings do to the run.
pub fn settings_why(lane: &Lane) -> String {
    let live: Vec<String> =
        lane.described().iter().filter(|setting| setting.live).map(|setting| said(setting.label)).collect();
    let except = if live.is_empty() { String::new() } else { tr!(", except {}", list(&live)) };
    tr!("What else this lane can be told; each change restarts the run{except}.", except)
}

/// A merge by its letter and its name.
pub fn merge_name(mode: MergeMode) -> String {
    match mode {
        MergeMode::PerInput => tr!("(a) one token's gate"),
        MergeMode::MeanGate => tr!("(b) mean gate"),
        MergeMode::MeanGatePerDomain => tr!("(c) mean gate per domain"),
        MergeMode::TopExpertPerDomain => tr!("(d) top expert per domain"),
        MergeMode::LeastSquares => tr!("(e) least squares"),
    }
}

/// What a merge does, in a sentence.
pub fn merge_why(mode: MergeMode) -> String {
    match mode {
        MergeMode::PerInput => {
            tr!("W0 + s Σ gᵢ(x) BᵢAᵢ with the chosen token's own gate: exact for that token, wrong for others.")
        }
        MergeMode::MeanGate => tr!("One weight from the gate averaged over all tokens."),
        MergeMode::MeanGatePerDomain => tr!("One weight per domain, from the gate averaged over that domain's tokens."),
        MergeMode::TopExpertPerDomain => {
            tr!(
                "One weight per domain: the expert it uses most, alone, at full strength; by prototypes, at its mean gate."
            )
        }
        MergeMode::LeastSquares => tr!("The one weight nearest to the mixture on the data: E[ΔW(x) x xᵀ] E[x xᵀ]⁻¹."),
    }
}

/// What it means that a run trains on the CPU for want of WebGPU, and what helps.
pub fn on_cpu(reason: &str) -> String {
    tr!("Training runs on your processor: slower, otherwise the same. WebGPU cannot be used here: {reason}.", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Digits};

    #[test]
    fn the_title_says_what_runs() {
        let config = Config::default();
        assert_eq!(
            run_title(&config.task, 4),
            "Four ways to adapt one frozen layer to four conflicting tasks. Same data, same seed."
        );
        let digits = Task::Digits(Digits::default());
        assert_eq!(
            run_title(&digits, 1),
            "One way to adapt a small frozen network from upright digits to four new domains."
        );
        let text = Task::Text(crate::config::Text::default());
        assert_eq!(
            run_title(&text, 4),
            "Four ways to adapt a small language model to German, Swahili, Russian and Turkish. Same data, same seed."
        );
        assert_eq!(task_summary(&text), "language · German, Swahili and 2 more");
    }

    #[test]
    fn hues_stay_with_their_methods() {
        let lanes = Config::default().lanes;
        assert_eq!(hues(&lanes), [0, 1, 2, 3]);
        assert_eq!(hues(&lanes[1..]), [1, 2, 3]);
        let twice = [lanes[1].clone(), lanes[1].clone(), lanes[2].clone(), lanes[0].clone()];
        assert_eq!(hues(&twice), [1, 3, 2, 0]);
    }

    #[test]
    fn empty_states_and_promises_follow_from_the_lanes() {
        let config = Config::default();
        assert!(no_gates(&config.lanes[..2], 0).starts_with("No lane has a gate"));
        assert!(no_gates(&config.lanes, 0).contains("compiled"));
        assert!(no_gates(&config.lanes, 4).contains("diverged"));
        // What the sentence exempts is what the trainer changes in place.
        for lane in &config.lanes {
            let why = settings_why(lane);
            for setting in lane.described() {
                let exempt = why.split("except ").nth(1).is_some_and(|live| live.contains(setting.label));
                assert_eq!(exempt, setting.live, "{} {}: {why}", lane.title(), setting.key);
            }
        }
    }

    #[test]
    fn signs_are_always_written() {
        assert_eq!([signed(0.0314), signed(-0.5)], ["+0.031", "−0.500"]);
    }
}
