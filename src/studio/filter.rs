//! Which claims are shown, and in which order: what does not hold is what one did not know, so it comes first. Knows no page.

use super::state::State;
use crate::experiments::{Experiment, Verdict};
use crate::method::METHODS;
use crate::order::sorted;

/// What a person asked to see; everything where nothing is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Filter {
    pub verdict: Option<Verdict>,
    /// By its name in a configuration.
    pub method: Option<&'static str>,
}

/// In the order in which they are told.
pub const VERDICTS: [Verdict; 3] = [Verdict::DoesNotHold, Verdict::Open, Verdict::Holds];

/// Names of the methods that some lane of the experiment is trained by, in the methods' own order.
fn methods(experiment: &Experiment) -> impl Iterator<Item = &'static str> {
    let has = |name: &str| experiment.setups.iter().flat_map(|setup| &setup.lanes).any(|lane| lane.method.name == name);
    METHODS.iter().map(|method| method.name).filter(move |name| has(name))
}

/// Those that some experiment is about.
pub fn choices(experiments: &[Experiment]) -> Vec<&'static str> {
    let of = |name: &&str| experiments.iter().any(|experiment| methods(experiment).any(|other| other == *name));
    METHODS.iter().map(|method| method.name).filter(of).collect()
}

/// Places of the claims to be shown.
pub fn shown(state: &State, filter: Filter) -> Vec<usize> {
    let stands = |index: usize| state.verdict(index);
    let asked = (0..state.experiments.len()).filter(|&index| {
        filter.verdict.is_none_or(|verdict| stands(index) == Some(verdict))
            && filter.method.is_none_or(|name| methods(&state.experiments[index]).any(|other| other == name))
    });
    // What is not measured comes last.
    let rank =
        |&index: &usize| VERDICTS.iter().position(|&verdict| stands(index) == Some(verdict)).unwrap_or(VERDICTS.len());
    sorted(asked.collect(), |a, b| rank(a).cmp(&rank(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::{Where, all};
    use crate::studio::record::{self, Record};
    use std::rc::Rc;

    fn recorded() -> State {
        let experiments = all();
        let text = include_bytes!("../../www/data/recorded.json");
        let mut state = State::new(Rc::from(experiments), vec![]);
        state.recorded = Rc::from(record::read(&state.experiments, text));
        state
    }

    #[test]
    fn what_does_not_hold_comes_first_and_filters_leave_the_rest_out() {
        let state = recorded();
        let everything = shown(&state, Filter::default());
        assert_eq!(everything.len(), state.experiments.len());
        let ranks: Vec<_> =
            everything.iter().map(|&i| VERDICTS.iter().position(|&v| state.verdict(i) == Some(v)).unwrap()).collect();
        assert!(ranks.is_sorted() && ranks.first() < ranks.last());
        for verdict in VERDICTS {
            let some = shown(&state, Filter { verdict: Some(verdict), method: None });
            assert!(!some.is_empty() && some.iter().all(|&i| state.verdict(i) == Some(verdict)));
        }
        for method in choices(&state.experiments) {
            let some = shown(&state, Filter { verdict: None, method: Some(method) });
            assert!(!some.is_empty() && some.len() < state.experiments.len(), "{method}");
        }
    }

    #[test]
    fn what_is_measured_here_counts_before_what_was_recorded() {
        let mut state = recorded();
        let spike = state.experiments.iter().position(|e| e.id == "spike").unwrap();
        assert_eq!(state.verdict(spike), Some(Verdict::Holds));
        let seeds = vec![vec![1e3; state.experiments[spike].quantities.len()]; 3];
        state.records[spike] = Some(Record { place: Where::Cpu, seconds: 1.0, seeds });
        assert_eq!(state.verdict(spike), Some(Verdict::DoesNotHold));
    }
}
