//! From numbers to a verdict: mean and spread over seeds, and whether what was claimed holds. Knows nothing of what
//! the numbers mean.

use crate::lang::marked;
use std::fmt;

use super::{Expected, Experiment};

/// Of one quantity, or of a whole claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the tolerance on every seed.
    Holds,
    /// Outside on every seed.
    DoesNotHold,
    /// Seeds disagree, or nothing was claimed.
    Open,
}

/// One quantity over all seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    pub mean: f64,
    /// Sample standard deviation, 0 for a single seed.
    pub spread: f64,
    /// In the seeds' order.
    pub values: Vec<f64>,
    pub verdict: Verdict,
}

impl Expected {
    /// Whether one number is what was claimed; NaN never is. `None` where nothing was claimed.
    pub fn allows(&self, number: f64) -> Option<bool> {
        match *self {
            Self::Near { value, within } => Some((number - value).abs() <= within),
            Self::Between(low, high) => Some((low..=high).contains(&number)),
            Self::AtMost(most) => Some(number <= most),
            Self::AtLeast(least) => Some(number >= least),
            Self::Shown => None,
        }
    }
}

/// The experiment's quantities over `seeds`, `[seeds][quantities]`.
pub fn judge(experiment: &Experiment, seeds: &[Vec<f64>]) -> Vec<Measured> {
    let judged = experiment.quantities.iter().enumerate().map(|(index, quantity)| {
        measured(quantity.expected, seeds.iter().map(|values| values.get(index).copied().unwrap_or(f64::NAN)).collect())
    });
    judged.collect()
}

fn measured(expected: Expected, values: Vec<f64>) -> Measured {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let spread = if values.len() > 1 { libm::sqrt(squares / (count - 1.0)) } else { 0.0 };
    let allowed: Vec<bool> = values.iter().filter_map(|&v| expected.allows(v)).collect();
    let verdict = match (allowed.iter().any(|&a| a), allowed.iter().all(|&a| a)) {
        (true, true) => Verdict::Holds,
        (false, false) => Verdict::DoesNotHold,
        _ => Verdict::Open,
    };
    Measured { mean, spread, values, verdict }
}

/// Of the whole claim: it holds if every quantity does, and does not if one does not; quantities of which nothing is
/// claimed (`Expected::Shown`) have no say.
pub fn overall(experiment: &Experiment, measured: &[Measured]) -> Verdict {
    let claimed = || {
        let pairs = experiment.quantities.iter().zip(measured);
        pairs.filter(|(quantity, _)| quantity.expected != Expected::Shown).map(|(_, measured)| measured.verdict)
    };
    if claimed().any(|v| v == Verdict::DoesNotHold) {
        Verdict::DoesNotHold
    } else if claimed().next().is_some() && claimed().all(|v| v == Verdict::Holds) {
        Verdict::Holds
    } else {
        Verdict::Open
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => marked!("holds"),
            Self::DoesNotHold => marked!("does not hold"),
            Self::Open => marked!("open"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{all, near, quantity, shown};

    #[test]
    fn a_quantity_holds_on_every_seed_or_on_none_or_is_open() {
        let near = Expected::Near { value: 0.75, within: 0.01 };
        assert_eq!(measured(near, vec![0.75, 0.7401, 0.7599]).verdict, Verdict::Holds);
        assert_eq!(measured(near, vec![0.7, 0.8, 0.9]).verdict, Verdict::DoesNotHold);
        assert_eq!(measured(near, vec![0.75, 0.75, 0.77]).verdict, Verdict::Open);
        assert_eq!(measured(Expected::Shown, vec![1.0]).verdict, Verdict::Open);
        assert_eq!(measured(Expected::AtMost(1.0), vec![f64::NAN]).verdict, Verdict::DoesNotHold);
        assert_eq!(measured(Expected::AtLeast(1.0), vec![1.0, 2.0]).verdict, Verdict::Holds);
        assert_eq!(measured(Expected::Between(5.0, 20.0), vec![4.0]).verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn mean_and_spread() {
        let three = measured(Expected::Shown, vec![1.0, 2.0, 3.0]);
        assert_eq!((three.mean, three.spread), (2.0, 1.0));
        assert_eq!(measured(Expected::Shown, vec![4.0]).spread, 0.0);
    }

    #[test]
    fn a_claim_stands_or_falls_with_its_quantities() {
        let mut experiment = all().swap_remove(0);
        let verdict = |quantities: Vec<_>, seeds: &[Vec<f64>]| {
            experiment.quantities = quantities;
            overall(&experiment, &judge(&experiment, seeds))
        };
        let mut verdict = verdict;
        let two = || vec![near("a", 1.0, 0.1), quantity("b", Expected::AtMost(0.0)), shown("c")];
        assert_eq!(verdict(two(), &[vec![1.0, 0.0, 9.0], vec![1.05, -1.0, 9.0]]), Verdict::Holds);
        assert_eq!(verdict(two(), &[vec![1.0, 0.0, 9.0], vec![1.5, -1.0, 9.0]]), Verdict::Open);
        assert_eq!(verdict(two(), &[vec![1.0, 0.5, 9.0], vec![1.5, 1.0, 9.0]]), Verdict::DoesNotHold);
        assert_eq!(verdict(vec![shown("c")], &[vec![9.0]]), Verdict::Open);
        // A measurement that returned too little has measured nothing.
        assert_eq!(verdict(two(), &[vec![1.0]]), Verdict::DoesNotHold);
    }
}
