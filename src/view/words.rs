//! Names and numbers as a person reads them: lane names, parameter shares, short headings. Pure.

use crate::config::{Gate, Lane, Method, Task};
use crate::protocol::MergeMode;

/// A method's own name.
pub fn method_name(method: &Method) -> &'static str {
    match method {
        Method::Full => "full",
        Method::Lora { .. } => "LoRA",
        Method::Molora { .. } => "MoLoRA",
        Method::Mor1e { .. } => "MoR1E",
    }
}

/// Names of all lanes: the method, numbered from the second of its kind on.
pub fn lane_names(lanes: &[Lane]) -> Vec<String> {
    lanes
        .iter()
        .enumerate()
        .map(|(index, lane)| {
            let name = method_name(&lane.method);
            let earlier = lanes[..index]
                .iter()
                .filter(|other| method_name(&other.method) == name)
                .count();
            match earlier {
                0 => name.to_string(),
                n => format!("{name} {}", n + 1),
            }
        })
        .collect()
}

/// Three significant digits; powers of ten for what is very small or large.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if !value.is_finite() {
        return "not a number".into();
    }
    let size = value.abs();
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.1e}").replace('-', "−");
    }
    let rounded = format!("{:.2e}", size).parse::<f64>().unwrap_or(size);
    let decimals = (2 - rounded.log10().floor() as i32).clamp(0, 7) as usize;
    format!("{value:.decimals$}").replace('-', "−")
}

/// A signed value with a fixed number of decimals, for columns.
pub fn signed(value: f64) -> String {
    match value < 0.0 {
        true => format!("−{:.3}", -value),
        false => format!("+{value:.3}"),
    }
}

/// A whole number with its thousands separated.
pub fn thousands(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage: two digits below ten, none above.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        v if v < 9.95 => format!("{v:.1} %"),
        v => format!("{v:.0} %"),
    }
}

/// The short description of a task in its panel's summary.
pub fn task_summary(task: &Task) -> String {
    match task {
        Task::Domains(d) => {
            let kind = if d.conflict {
                "conflicting"
            } else {
                "separate"
            };
            match d.domains {
                1 => format!("domains · 1 · rank {}", d.true_rank),
                n => format!("domains · {n} {kind} · rank {}", d.true_rank),
            }
        }
        Task::Digits(d) => match d.domains.len() {
            1 => "digits · 1 domain".into(),
            n => format!("digits · {n} domains"),
        },
        Task::Custom => "custom data".into(),
    }
}

/// What the run is, in one sentence.
pub fn run_title(task: &Task, lanes: usize) -> String {
    let ways = match lanes {
        1 => "One way",
        2 => "Two ways",
        3 => "Three ways",
        4 => "Four ways",
        _ => "Several ways",
    };
    let count = |n: usize| match n {
        1 => "one".to_string(),
        2 => "two".to_string(),
        3 => "three".to_string(),
        4 => "four".to_string(),
        5 => "five".to_string(),
        n => n.to_string(),
    };
    let plural = |n: usize, word: &str| match n {
        1 => format!("one {word}"),
        n => format!("{} {word}s", count(n)),
    };
    let same = if lanes == 1 {
        ""
    } else {
        " Same data, same seed."
    };
    match task {
        Task::Domains(d) => {
            let kind = match (d.domains, d.conflict) {
                (1, _) => "one task".to_string(),
                (n, true) => format!("{} conflicting tasks", count(n)),
                (n, false) => format!("{} separate tasks", count(n)),
            };
            format!("{ways} to adapt one frozen layer to {kind}.{same}")
        }
        Task::Digits(d) => format!(
            "{ways} to adapt a small frozen network from upright digits to {}.{same}",
            plural(d.domains.len(), "new domain")
        ),
        Task::Custom => format!("{ways} to adapt a frozen layer to given data.{same}"),
    }
}

/// A merge by its letter and its name.
pub fn merge_name(mode: MergeMode) -> &'static str {
    match mode {
        MergeMode::PerInput => "(a) one token's gate",
        MergeMode::MeanGate => "(b) mean gate",
        MergeMode::MeanGatePerDomain => "(c) mean gate per domain",
        MergeMode::TopExpertPerDomain => "(d) top expert per domain",
        MergeMode::LeastSquares => "(e) least squares",
    }
}

/// What a merge does, in a sentence.
pub fn merge_why(mode: MergeMode) -> &'static str {
    match mode {
        MergeMode::PerInput => {
            "W0 + s Σ gᵢ(x) BᵢAᵢ with the chosen token's own gate: exact for that token, wrong for others."
        }
        MergeMode::MeanGate => "One weight from the gate averaged over all tokens.",
        MergeMode::MeanGatePerDomain => {
            "One weight per domain, from the gate averaged over that domain's tokens."
        }
        MergeMode::TopExpertPerDomain => {
            "One weight per domain: the expert it uses most, at full strength, alone."
        }
        MergeMode::LeastSquares => {
            "The one weight nearest to the mixture on the data: E[ΔW(x) x xᵀ] E[x xᵀ]⁻¹."
        }
    }
}

/// How a lane's gate is computed, in a sentence.
pub fn gate_why(method: &Method) -> &'static str {
    match method {
        Method::Mor1e {
            gate: Gate::Pooled, ..
        } => {
            "One gate per sequence: a small network reads the mean of its tokens, and a softmax makes its outputs sum to 1."
        }
        Method::Mor1e { .. } => {
            "One gate per token: a small network reads the token, and a softmax makes its outputs sum to 1."
        }
        _ => "g = softmax(router · x), one gate per token; the gates of a token sum to 1.",
    }
}

/// Whether the method routes, and so has a gate to show.
pub fn is_gated(method: &Method) -> bool {
    matches!(method, Method::Molora { .. } | Method::Mor1e { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.74951, "0.750"),
            (0.99961, "1.00"),
            (12.34, "12.3"),
            (123.4, "123"),
            (0.00123, "0.00123"),
            (2.4e-7, "2.4e−7"),
            (-0.5, "−0.500"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn thousands_are_separated() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1024, "1,024"),
            (2_363_396, "2,363,396"),
        ] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn lanes_of_one_method_are_numbered() {
        let lane = |method| Lane {
            method,
            layers: None,
        };
        let lora = Method::Lora {
            rank: 1,
            alpha: 1.0,
            rslora: false,
        };
        let names = lane_names(&[lane(lora.clone()), lane(Method::Full), lane(lora)]);
        assert_eq!(names, ["LoRA", "full", "LoRA 2"]);
    }
}
