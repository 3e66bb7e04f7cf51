//! Load balance: what the two terms do to gates, and what they do not do to experts.

use super::bed::{answer, balance, domains, routed, share, trained};
use super::{Expected, Experiment, Inputs, Measuring, quantity, shown};
use crate::config::{Balance, BalanceKind, Config, Domains};
use crate::error::Result;
use crate::lab::Lab;

pub fn all() -> Vec<Experiment> {
    let none = Balance::default();
    let lanes = vec![
        routed(4, 2, 0, false, none),
        routed(4, 2, 0, false, balance(BalanceKind::Entropy, 0.01)),
        routed(4, 2, 2, false, none),
        routed(4, 2, 2, false, balance(BalanceKind::Switch, 0.01)),
    ];
    vec![Experiment {
        id: "balance",
        title: "What a balance term balances",
        claim: "The term −H(mean gate) evens the mean gate but does not make experts specialise, and on top-2 routing the Switch term changes nothing measurable.",
        source: "methods; Switch Transformer, arXiv 2101.03961",
        setups: vec![domains(Domains::default(), lanes)],
        method: "MoLoRA 4×2 on four conflicting tasks, coefficient 0.01. Evenness is the entropy of the mean gate over log 4; specialisation the mutual information between task and gate over log 4: 0 when every task is served alike, 1 when each has its expert.",
        prediction: "Evenness with the term at least 0.99. No gain: specialisation rises by at most 0.05 with the term. Switch on top 2 moves loss and specialisation by at most 0.02 and 0.05.",
        quantities: vec![
            shown("evenness without"),
            quantity("evenness with entropy", Expected::AtLeast(0.99)),
            shown("specialisation without"),
            shown("specialisation with entropy"),
            quantity("gain in specialisation", Expected::AtMost(0.05)),
            quantity("Switch on top 2: change of loss", Expected::AtMost(0.02)),
            quantity("Switch on top 2: change of specialisation", Expected::AtMost(0.05)),
        ],
        measure: balanced,
        otherwise: "A term that keeps an expert from starving can free one for a task that had to share; how often that happens depends on the start.",
        figure: None,
    }]
}

fn balanced(setups: Vec<Config>, _: u32, inputs: &Inputs) -> Measuring<'_> {
    Box::pin(async move {
        let lab = trained(&setups[0], inputs).await?.lab;
        let mut gates = Vec::new();
        for lane in 0..lab.lane_count() {
            gates.push(usage(&lab, lane).await?);
        }
        let special = |lane: usize| gates[lane].1;
        Ok(vec![
            gates[0].0,
            gates[1].0,
            special(0),
            special(1),
            special(1) - special(0),
            (share(&lab, 3) - share(&lab, 2)).abs(),
            (special(3) - special(2)).abs(),
        ])
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
