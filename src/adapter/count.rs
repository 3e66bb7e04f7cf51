//! What a method holds on one layer: its tensors, hence how many parameters it trains, and how that number comes
//! about in words. Knows shapes only; what the tensors do is in the method's own module.

use crate::config::{Form, Method};

/// Width `H` of the intuition gate on a layer of that many inputs: as configured, else `max(4, inputs / 8)`.
/// 0 for methods, and gates, without one.
pub fn hidden_width(method: &Method, inputs: usize) -> usize {
    match method {
        Method::Mor1e { .. } if method.has_prototypes() => 0,
        Method::Mor1e { hidden, .. } => hidden.unwrap_or((inputs / 8).max(4)),
        _ => 0,
    }
}

/// Vectors of MoR1E's experts, those that read and those that write: two for each expert, or fewer that they share.
pub fn vectors(method: &Method, experts: usize) -> (usize, usize) {
    method.readers().map_or((experts, experts), |readers| (readers, experts / readers))
}

/// Numbers that a method keeps on a layer and does not train: N prototypes.
pub fn fixed(method: &Method, inputs: usize) -> usize {
    match *method {
        Method::Mor1e { experts, .. } if method.has_prototypes() => experts * inputs,
        _ => 0,
    }
}

/// MoRA's r̂: the side of the square that a LoRA of this rank has parameters for, at most the layer's smaller side.
pub fn mora_side(rank: usize, inputs: usize, outputs: usize) -> usize {
    ((inputs + outputs) * rank).isqrt().min(inputs).min(outputs)
}

/// Name and shape of every trainable tensor on a layer `[outputs, inputs]`, in the order in which they are
/// stored. `I` inputs, `O` outputs, `R` rank, `N` experts, `H` the gate's width:
///
/// - `full`: delta `[O,I]`
/// - `lora`: lora_A `[R,I]`, lora_B `[O,R]`
/// - `molora`: lora_A `[N,R,I]`, lora_B `[N,O,R]`, router `[N,I]`
/// - `mor1e`: v `[N,I]`, u `[N,O]`, intuition.{w1 `[H,I]`, b1 `[H]`, ln_weight `[H]`, ln_bias `[H]`, w2 `[H,H]`,
///   b2 `[H]`}, gate.{w `[N,H]`, b `[N]`}; with prototypes, gate.{router `[N,I]`, mix `[1]`} behind v and u; with `flex`
///   v `[p,I]`, u `[N/p,O]`
/// - `dora`: as `lora`, and lora_magnitude_vector `[O]`; `dylora`: as `lora`; `mora`: mora_M `[r̂,r̂]`;
///   `adalora`: lora_Q `[R,I]`, lora_P `[O,R]`, lora_E `[R]`
pub fn tensors(method: &Method, inputs: usize, outputs: usize) -> Vec<(&'static str, Vec<usize>)> {
    let hidden = hidden_width(method, inputs);
    match *method {
        Method::Full => vec![("delta", vec![outputs, inputs])],
        Method::Lora { rank, .. } => vec![("lora_A", vec![rank, inputs]), ("lora_B", vec![outputs, rank])],
        Method::Variant { form, rank, .. } => {
            let mut all = match form {
                Form::Mora => {
                    let side = mora_side(rank, inputs, outputs);
                    return vec![("mora_M", vec![side, side])];
                }
                Form::Adalora => vec![("lora_Q", vec![rank, inputs]), ("lora_P", vec![outputs, rank])],
                Form::Dora | Form::Dylora => vec![("lora_A", vec![rank, inputs]), ("lora_B", vec![outputs, rank])],
            };
            match form {
                Form::Dora => all.push(("lora_magnitude_vector", vec![outputs])),
                Form::Adalora => all.push(("lora_E", vec![rank])),
                Form::Dylora | Form::Mora => {}
            }
            all
        }
        Method::Molora { experts, rank, .. } => vec![
            ("lora_A", vec![experts, rank, inputs]),
            ("lora_B", vec![experts, outputs, rank]),
            ("router", vec![experts, inputs]),
        ],
        Method::Mor1e { experts, .. } => {
            let (read, write) = vectors(method, experts);
            let factors = [("v", vec![read, inputs]), ("u", vec![write, outputs])];
            if method.has_prototypes() {
                let gate = [("gate.router", vec![experts, inputs]), ("gate.mix", vec![1])];
                return factors.into_iter().chain(gate).collect();
            }
            let [v, u] = factors;
            vec![
                v,
                u,
                ("intuition.w1", vec![hidden, inputs]),
                ("intuition.b1", vec![hidden]),
                ("intuition.ln_weight", vec![hidden]),
                ("intuition.ln_bias", vec![hidden]),
                ("intuition.w2", vec![hidden, hidden]),
                ("intuition.b2", vec![hidden]),
                ("gate.w", vec![experts, hidden]),
                ("gate.b", vec![experts]),
            ]
        }
    }
}

/// Trainable parameters on one layer.
pub fn count(method: &Method, inputs: usize, outputs: usize) -> usize {
    let hidden = hidden_width(method, inputs);
    match *method {
        Method::Full => outputs * inputs,
        Method::Lora { rank, .. } => rank * (inputs + outputs),
        Method::Variant { form, rank, .. } => match form {
            Form::Dora => rank * (inputs + outputs) + outputs,
            Form::Mora => mora_side(rank, inputs, outputs).pow(2),
            Form::Adalora => rank * (inputs + outputs) + rank,
            Form::Dylora => rank * (inputs + outputs),
        },
        Method::Molora { experts, rank, .. } => experts * rank * (inputs + outputs) + experts * inputs,
        Method::Mor1e { experts, .. } => {
            let (read, write) = vectors(method, experts);
            let gate = match method.has_prototypes() {
                true => experts * inputs + 1,
                false => intuition(experts, hidden, inputs),
            };
            read * inputs + write * outputs + gate
        }
    }
}

/// w1, w2, gate.w; b1, ln_weight, ln_bias, b2; gate.b.
fn intuition(experts: usize, hidden: usize, inputs: usize) -> usize {
    hidden * inputs + hidden * hidden + experts * hidden + 4 * hidden + experts
}

/// How `count` comes about, with the values in it: "2 · 64 · 8", or, part by part,
/// "experts 8 · 2 · 64 + gate (8 · 64 + 8 · 8 + 8 · 8 + 4 · 8 + 8)".
pub fn formula(method: &Method, inputs: usize, outputs: usize) -> String {
    let hidden = hidden_width(method, inputs);
    // Parameters of one rank-1 term: a row of A and a column of B.
    let pair = match inputs == outputs {
        true => format!("2 · {inputs}"),
        false => format!("({inputs} + {outputs})"),
    };
    match *method {
        Method::Full => format!("{outputs} · {inputs}"),
        Method::Lora { rank, .. } => format!("{pair} · {rank}"),
        Method::Variant { form, rank, .. } => match form {
            Form::Dora => format!("{pair} · {rank} + {outputs}"),
            Form::Mora => {
                let side = mora_side(rank, inputs, outputs);
                format!("{side} · {side}")
            }
            Form::Adalora => format!("{pair} · {rank} + {rank}"),
            Form::Dylora => format!("{pair} · {rank}"),
        },
        Method::Molora { experts, rank, .. } => {
            format!("experts {experts} · {pair} · {rank} + router {experts} · {inputs}")
        }
        Method::Mor1e { experts, .. } => {
            let held = match vectors(method, experts) {
                (read, write) if method.readers().is_some() => {
                    format!("vectors ({read} · {inputs} + {write} · {outputs})")
                }
                _ => format!("experts {experts} · {pair}"),
            };
            if method.has_prototypes() {
                return format!("{held} + gate ({experts} · {inputs} + 1)");
            }
            format!(
                "{held} + gate ({hidden} · {inputs} + {hidden} · {hidden} + {experts} · {hidden} + 4 · {hidden} + {experts})"
            )
        }
    }
}

/// The factor `s` before an adapter's output: `alpha / R`, `alpha / √R` with `rslora` (arXiv 2312.03732),
/// `alpha` for rank-1 experts, 1 for full fine-tuning.
pub fn scaling(method: &Method) -> f64 {
    match *method {
        Method::Full => 1.0,
        Method::Lora { rank, alpha, rslora: true } => alpha / (rank as f64).sqrt(),
        Method::Variant { form: Form::Mora, .. } => 1.0,
        Method::Lora { rank, alpha, .. } | Method::Variant { rank, alpha, .. } | Method::Molora { rank, alpha, .. } => {
            alpha / rank as f64
        }
        Method::Mor1e { alpha, .. } => alpha,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Gate;

    fn lora(rank: usize, alpha: f64, rslora: bool) -> Method {
        Method::Lora { rank, alpha, rslora }
    }

    fn mor1e(experts: usize, width: Option<usize>) -> Method {
        let mut method = Method::mor1e();
        if let Method::Mor1e { experts: n, hidden, .. } = &mut method {
            (*n, *hidden) = (experts, width);
        }
        method
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

    fn methods() -> Vec<Method> {
        let mut all = vec![Method::Full, lora(1, 1.0, false), lora(8, 16.0, true)];
        for (n, r) in [(1, 1), (4, 2), (3, 16)] {
            let mut method = Method::molora();
            if let Method::Molora { experts, rank, .. } = &mut method {
                (*experts, *rank) = (n, r);
            }
            all.push(method);
        }
        all.extend([mor1e(1, None), mor1e(8, None), mor1e(5, Some(6))]);
        for (source, shared) in [(Gate::Prototype, None), (Gate::Token, Some(2)), (Gate::Prototype, Some(4))] {
            let mut method = mor1e(8, None);
            let Method::Mor1e { gate, flex, .. } = &mut method else { unreachable!() };
            (*gate, *flex) = (source, shared);
            all.push(method);
        }
        all
    }

    #[test]
    fn shapes_formula_and_count_agree() {
        for method in methods() {
            for (inputs, outputs) in [(64, 64), (64, 10), (8, 256), (4096, 4096)] {
                let held: usize =
                    tensors(&method, inputs, outputs).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
                assert_eq!(count(&method, inputs, outputs), held, "{method:?}");
                let formula = formula(&method, inputs, outputs);
                assert_eq!(value(&formula), held, "{formula}");
            }
        }
    }

    #[test]
    fn formulas_in_words() {
        assert_eq!(formula(&Method::lora(), 64, 64), "2 · 64 · 8");
        assert_eq!(count(&Method::lora(), 64, 64), 1024);
        assert_eq!(formula(&Method::lora(), 64, 10), "(64 + 10) · 8");
        assert_eq!(formula(&Method::Full, 64, 10), "10 · 64");
        assert_eq!(formula(&Method::molora(), 64, 64), "experts 4 · 2 · 64 · 2 + router 4 · 64");
        assert_eq!(formula(&Method::mor1e(), 64, 64), "experts 8 · 2 · 64 + gate (8 · 64 + 8 · 8 + 8 · 8 + 4 · 8 + 8)");
    }

    #[test]
    fn gate_width() {
        assert_eq!(hidden_width(&mor1e(8, None), 64), 8);
        assert_eq!(hidden_width(&mor1e(8, None), 16), 4);
        assert_eq!(hidden_width(&mor1e(8, Some(6)), 64), 6);
        assert_eq!(hidden_width(&Method::lora(), 64), 0);
    }

    /// At width 4096 the gate of four rank-1 experts outweighs the experts themselves, and the whole is 36.6 times
    /// a LoRA of rank 8.
    #[test]
    fn size_of_a_large_gate() {
        let d = 4096;
        let method = mor1e(4, None);
        let experts = 4 * 2 * d;
        assert_eq!(experts, 32_768);
        assert_eq!(count(&method, d, d) - experts, 2_363_396);
        let ratio = count(&method, d, d) as f64 / count(&Method::lora(), d, d) as f64;
        assert!((ratio - 36.6).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn scalings() {
        assert_eq!(scaling(&Method::Full), 1.0);
        assert_eq!(scaling(&lora(8, 16.0, false)), 2.0);
        assert_eq!(scaling(&lora(4, 6.0, true)), 3.0);
        assert_eq!(scaling(&Method::molora()), 2.0);
        assert_eq!(scaling(&Method::mor1e()), 2.0);
    }
}
