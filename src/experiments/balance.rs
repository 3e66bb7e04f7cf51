//! Load balance: what the two terms do to gates, and what they do not do to experts.

use super::runs::{answer, balanced, domains, molora, relative_loss, trained};
use super::{Expected, Experiment, Figure, Inputs, Measuring, Series, each, near, quantity, shown};
use crate::config::{Config, Domains};
use crate::error::Result;
use crate::lab::Lab;

/// Coefficients of the entropy term: the customary one, and larger ones.
const COEFFICIENTS: [f64; 3] = [0.01, 0.1, 1.0];

pub fn all() -> Vec<Experiment> {
    vec![entropy_term(), switch_term()]
}

fn entropy_term() -> Experiment {
    let terms = COEFFICIENTS.map(|c| balanced(molora(4, 2), "entropy", c));
    let lanes = std::iter::once(molora(4, 2)).chain(terms).collect();
    // One task fewer than experts, so that an even mean gate is not what the tasks ask for anyway.
    let task = Domains { domains: 3, ..Domains::default() };
    let even = each(&COEFFICIENTS, &|c| quantity(format!("evenness at {c}"), Expected::AtLeast(0.99)));
    let gain = each(&COEFFICIENTS, &|c| quantity(format!("gain in specialisation at {c}"), Expected::AtMost(0.05)));
    let rest = each(&COEFFICIENTS, &|c| shown(format!("loss at {c}")));
    let without = each(&["evenness", "specialisation", "loss"], &|what| shown(format!("{what} without the term")));
    Experiment {
        id: "balance-entropy",
        setups: vec![domains(task, lanes)],
        quantities: [without, even, gain, rest].concat(),
        measure: entropies,
        figure: Some(Figure {
            x: "coefficient",
            y: "evenness",
            columns: COEFFICIENTS.map(|c| c.to_string()).to_vec(),
            series: vec![Series { name: "mean gate", first: 3 }],
            log: false,
        }),
    }
}

fn entropies(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let (even, special) = usage(&lab, 0).await?;
        let without = vec![even, special, relative_loss(&lab, 0)];
        let (mut evens, mut gains, mut losses) = (Vec::new(), Vec::new(), Vec::new());
        for lane in 1..lab.lane_count() {
            let (even, with) = usage(&lab, lane).await?;
            evens.push(even);
            gains.push(with - special);
            losses.push(relative_loss(&lab, lane));
        }
        Ok([without, evens, gains, losses].concat())
    })
}

fn switch_term() -> Experiment {
    let lane = || molora(4, 2).with("top_k", 2);
    let lanes = vec![lane(), balanced(lane(), "switch", 0.01)];
    Experiment {
        id: "balance-switch",
        setups: vec![domains(Domains::default(), lanes)],
        quantities: vec![
            shown("loss without"),
            shown("loss with"),
            shown("specialisation without"),
            near("change of loss", 0.0, 0.02),
            near("change of specialisation", 0.0, 0.05),
        ],
        measure: switched,
        figure: None,
    }
}

fn switched(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let (without, with) = (usage(&lab, 0).await?.1, usage(&lab, 1).await?.1);
        let loss = [relative_loss(&lab, 0), relative_loss(&lab, 1)];
        Ok(vec![loss[0], loss[1], without, loss[1] - loss[0], with - without])
    })
}

/// Evenness and specialisation of a lane's gates over the pool, each from 0 to 1.
async fn usage(lab: &Lab, lane: usize) -> Result<(f64, f64)> {
    let read = answer(lab, lane, lab.task.x.clone(), lab.task.sequence).await?;
    let Some(gates) = read.gates.first() else { return Ok((f64::NAN, f64::NAN)) };
    let domains = lab.task.domain_names.len();
    let mut sums = vec![vec![0.0; gates.experts]; domains];
    let mut rows = vec![0.0; domains];
    for (gate, &domain) in gates.values.chunks_exact(gates.experts).zip(&lab.task.row_domains) {
        let domain = usize::from(domain);
        // Gates cut off by top-k no longer sum to 1; their shares of what is left do.
        let total = gate.iter().map(|&g| f64::from(g)).sum::<f64>().max(f64::MIN_POSITIVE);
        sums[domain].iter_mut().zip(gate).for_each(|(sum, &g)| *sum += f64::from(g) / total);
        rows[domain] += 1.0;
    }
    let all: f64 = rows.iter().sum();
    let mean: Vec<f64> = (0..gates.experts).map(|e| sums.iter().map(|of| of[e]).sum::<f64>() / all).collect();
    let within: f64 = sums
        .iter()
        .zip(&rows)
        .map(|(of, &rows)| rows / all * entropy(&of.iter().map(|sum| sum / rows).collect::<Vec<_>>()))
        .sum();
    let most = libm::log(gates.experts as f64);
    Ok((entropy(&mean) / most, (entropy(&mean) - within) / most))
}

fn entropy(shares: &[f64]) -> f64 {
    shares.iter().filter(|&&p| p > 0.0).map(|&p| -p * libm::log(p)).sum()
}
