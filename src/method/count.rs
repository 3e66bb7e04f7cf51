//! What follows from the parameters that a method declares: how many it trains, and how that number comes about in words.
//! Knows shapes only.

use super::description::{Axis, Method, Parameter, Widths};
use crate::args::Settings;

/// Trainable parameters on one layer.
pub fn count(method: &Method, settings: &Settings, widths: Widths) -> usize {
    total(method, settings, widths, true)
}

/// Numbers that a method keeps on a layer and does not train.
pub fn frozen(method: &Method, settings: &Settings, widths: Widths) -> usize {
    total(method, settings, widths, false)
}

fn total(method: &Method, settings: &Settings, widths: Widths, trained: bool) -> usize {
    let all = (method.parameters)(settings, widths);
    all.iter().filter(|parameter| parameter.trained == trained).map(|parameter| parameter.len(widths)).sum()
}

/// How `count` comes about, with the values in it: "2 · 64 · 8", or, part by part,
/// "experts 8 · 2 · 64 + gate (8 · 64 + 8 · 8 + 8 · 8 + 4 · 8 + 8)".
pub fn formula(method: &Method, settings: &Settings, widths: Widths) -> String {
    let all: Vec<Parameter> =
        (method.parameters)(settings, widths).into_iter().filter(|parameter| parameter.trained).collect();
    let parts: Vec<String> = all
        .chunk_by(|a, b| a.part == b.part)
        .map(|part| {
            let terms = terms(part, widths);
            let sum = terms.join(" + ");
            match (part[0].part, terms.len()) {
                ("", _) => sum,
                (word, 1) => format!("{word} {sum}"),
                (word, _) => format!("{word} ({sum})"),
            }
        })
        .collect();
    parts.join(" + ")
}

/// The sizes of one part's tensors: two factors of the same rank as one term, then other matrices, then vectors, those of
/// one width together.
fn terms(part: &[Parameter], widths: Widths) -> Vec<String> {
    let mut terms = Vec::new();
    let mut rest = part;
    if let [a, b, ..] = part
        && let Some(term) = pair(a, b, widths)
    {
        terms.push(term);
        rest = &part[2..];
    }
    let (matrices, vectors): (Vec<_>, Vec<_>) = rest.iter().partition(|parameter| parameter.axes.len() > 1);
    terms.extend(matrices.iter().map(|matrix| product(&matrix.axes, widths)));
    let mut widths_seen: Vec<(Axis, usize)> = Vec::new();
    for vector in vectors {
        for &axis in &vector.axes {
            match widths_seen.iter_mut().find(|(seen, _)| *seen == axis) {
                Some((_, times)) => *times += 1,
                None => widths_seen.push((axis, 1)),
            }
        }
    }
    terms.extend(widths_seen.iter().map(|&(axis, times)| match times {
        1 => axis.len(widths).to_string(),
        _ => format!("{times} · {}", axis.len(widths)),
    }));
    terms
}

/// A matrix that reads the inputs and one that writes the outputs, of the same other axes: `N · (I + O) · R`.
fn pair(a: &Parameter, b: &Parameter, widths: Widths) -> Option<String> {
    let others = |parameter: &Parameter, own: Axis| -> Option<Vec<Axis>> {
        let rest: Vec<Axis> = parameter.axes.iter().copied().filter(|&axis| axis != own).collect();
        (rest.len() + 1 == parameter.axes.len() && !rest.is_empty()).then_some(rest)
    };
    let (read, write) = (others(a, Axis::Inputs)?, others(b, Axis::Outputs)?);
    if read != write {
        return None;
    }
    // A row of one and a column of the other.
    let both = match widths.inputs == widths.outputs {
        true => format!("2 · {}", widths.inputs),
        false => format!("({} + {})", widths.inputs, widths.outputs),
    };
    let (experts, others): (Vec<Axis>, Vec<Axis>) = read.into_iter().partition(|axis| matches!(axis, Axis::Experts(_)));
    let number = |axis: &Axis| axis.len(widths).to_string();
    let factors = experts.iter().map(number).chain([both]).chain(others.iter().map(number));
    Some(factors.collect::<Vec<_>>().join(" · "))
}

fn product(axes: &[Axis], widths: Widths) -> String {
    axes.iter().map(|axis| axis.len(widths).to_string()).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{FULL, LORA, Lane, METHODS, MOLORA, MOR1E};

    fn lora(rank: usize, alpha: f64) -> Lane {
        Lane::from(&LORA).with("rank", rank).with("alpha", alpha)
    }

    fn mor1e(experts: usize) -> Lane {
        Lane::from(&MOR1E).with("experts", experts)
    }

    fn count_of(lane: &Lane, inputs: usize, outputs: usize) -> usize {
        count(lane.method, &lane.settings, Widths { inputs, outputs })
    }

    fn formula_of(lane: impl Into<Lane>, inputs: usize, outputs: usize) -> String {
        let lane = lane.into();
        formula(lane.method, &lane.settings, Widths { inputs, outputs })
    }

    /// Value of a formula: words dropped, sums of products, one level of brackets.
    fn value(formula: &str) -> usize {
        if let Some(open) = formula.find('(') {
            let close = formula.find(')').unwrap();
            let inner = value(&formula[open + 1..close]);
            return value(&format!("{}{inner}{}", &formula[..open], &formula[close + 1..]));
        }
        let product = |term: &str| -> usize {
            term.split('·')
                .map(|factor| {
                    let number = factor.trim().trim_start_matches(|c: char| !c.is_ascii_digit());
                    number.parse::<usize>().unwrap()
                })
                .product()
        };
        formula.split('+').map(product).sum()
    }

    fn lanes() -> Vec<Lane> {
        let mut all: Vec<Lane> = METHODS.iter().map(|&method| method.into()).collect();
        all.extend([lora(1, 1.0), lora(8, 16.0).with("rslora", true)]);
        for (n, r) in [(1, 1), (4, 2), (3, 16)] {
            all.push(Lane::from(&MOLORA).with("experts", n).with("rank", r));
        }
        all.extend([mor1e(1), mor1e(8), mor1e(5).with("hidden", 6), mor1e(8).with("gate", "prototype")]);
        all.push(mor1e(8).with("gate", "token").with("flex", 2));
        all.push(mor1e(8).with("gate", "prototype").with("flex", 4));
        all
    }

    #[test]
    fn shapes_formula_and_count_agree() {
        for lane in lanes() {
            for (inputs, outputs) in [(64, 64), (64, 10), (8, 256), (4096, 4096)] {
                let widths = Widths { inputs, outputs };
                let all = (lane.method.parameters)(&lane.settings, widths);
                let trained = all.iter().filter(|parameter| parameter.trained);
                let held: usize = trained.map(|parameter| parameter.shape(widths).iter().product::<usize>()).sum();
                assert_eq!(count_of(&lane, inputs, outputs), held, "{lane:?}");
                let formula = formula_of(lane.clone(), inputs, outputs);
                assert_eq!(value(&formula), held, "{lane:?}: {formula}");
            }
        }
    }

    #[test]
    fn formulas_in_words() {
        assert_eq!(formula_of(&LORA, 64, 64), "2 · 64 · 8");
        assert_eq!(count_of(&Lane::from(&LORA), 64, 64), 1024);
        assert_eq!(formula_of(&LORA, 64, 10), "(64 + 10) · 8");
        assert_eq!(formula_of(&FULL, 64, 10), "10 · 64");
        assert_eq!(formula_of(&MOLORA, 64, 64), "experts 4 · 2 · 64 · 2 + router 4 · 64");
        assert_eq!(formula_of(&MOR1E, 64, 64), "experts 8 · 2 · 64 + gate (8 · 64 + 8 · 8 + 8 · 8 + 4 · 8 + 8)");
    }

    #[test]
    fn gate_width() {
        let width = |lane: Lane, inputs| {
            let widths = Widths { inputs, outputs: inputs };
            let all = (lane.method.parameters)(&lane.settings, widths);
            all.iter().find(|parameter| parameter.name == "gate.w").map(|parameter| parameter.shape(widths)[1])
        };
        assert_eq!(width(mor1e(8), 64), Some(8));
        assert_eq!(width(mor1e(8), 16), Some(4));
        assert_eq!(width(mor1e(8).with("hidden", 6), 64), Some(6));
        assert_eq!(width((&LORA).into(), 64), None);
    }

    /// At width 4096 the gate of four rank-1 experts outweighs the experts themselves, and the whole is 36.6 times
    /// a LoRA of rank 8.
    #[test]
    fn size_of_a_large_gate() {
        let d = 4096;
        let lane = mor1e(4);
        let experts = 4 * 2 * d;
        assert_eq!(experts, 32_768);
        assert_eq!(count_of(&lane, d, d) - experts, 2_363_396);
        let ratio = count_of(&lane, d, d) as f64 / count_of(&Lane::from(&LORA), d, d) as f64;
        assert!((ratio - 36.6).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn scalings() {
        let scaling = |lane: Lane| (lane.method.scaling)(&lane.settings);
        assert_eq!(scaling((&FULL).into()), 1.0);
        assert_eq!(scaling(lora(8, 16.0)), 2.0);
        assert_eq!(scaling(lora(4, 6.0).with("rslora", true)), 3.0);
        assert_eq!(scaling((&MOLORA).into()), 2.0);
        assert_eq!(scaling((&MOR1E).into()), 2.0);
    }
}
