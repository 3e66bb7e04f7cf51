//! What papers and theory claim, as experiments: each with a set-up that a link reproduces, a prediction with its
//! tolerance, a measurement on several seeds, and the verdict that follows; and words about it, in a file of their own.
//! Nothing measured is written down here. Knows nothing of files, pages or how a report is asked for.

mod allocation;
mod balance;
mod best;
mod bits;
mod collapse;
mod digits;
mod dora;
pub mod draw;
mod figure;
mod floors;
mod inputs;
mod intruders;
mod languages;
mod merging;
mod names;
mod personal;
mod prose;
mod ranks;
mod rates;
pub mod report;
mod routing;
pub mod runs;
mod sensors;
mod sizes;
mod spectra;
mod squares;
mod start;
mod starts;
mod text;
mod text_gates;
mod verdict;

pub use draw::Look;
pub use figure::{Figure, Series, svg};
pub use inputs::{FILES, Inputs, Progress, Where};
pub use names::Names;
#[cfg(test)]
pub use prose::prose;
pub use prose::{Prose, Words};
pub use verdict::{Measured, Verdict, judge, overall};

use std::pin::Pin;

use crate::config::Config;
use crate::error::Result;

/// Every experiment is measured with each of these.
pub const SEEDS: [u32; 3] = [1, 2, 3];

/// One value per quantity, in the quantities' order.
pub type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Vec<f64>>> + 'a>>;

/// How a claim is put to the test; `Prose` has the claim itself, in words.
#[derive(Clone)]
pub struct Experiment {
    /// Short and stable: names the section, the figure and the runner's `--only`.
    pub id: &'static str,
    /// The runs that the measurement makes, as links show them; their seed is replaced. Empty where none is trained.
    pub setups: Vec<Config>,
    pub quantities: Vec<Quantity>,
    /// `setups` with one seed in all of them; the seed itself is given for what trains nothing.
    pub measure: for<'a> fn(Vec<Config>, u32, &'a Inputs) -> Measuring<'a>,
    pub figure: Option<Figure>,
}

/// One measured number and what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    pub name: String,
    pub expected: Expected,
}

/// What a claim says of one number, with its tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// `value ± within`.
    Near {
        value: f64,
        within: f64,
    },
    Between(f64, f64),
    AtMost(f64),
    AtLeast(f64),
    /// Nothing is claimed; the number is shown beside the others.
    Shown,
}

impl Experiment {
    /// Measure every quantity once, with this seed.
    ///
    /// # Errors
    /// Those of setting up and training a run.
    pub async fn measure(&self, seed: u32, inputs: &Inputs) -> Result<Vec<f64>> {
        let setups: Vec<_> = self.setups.iter().map(|setup| Config { seed, ..setup.clone() }).collect();
        inputs.begin(setups.iter().map(runs::steps).sum());
        (self.measure)(setups, seed, inputs).await
    }
}

/// Experiments on one subject.
type Group = fn() -> Vec<Experiment>;

/// All experiments, in the order of a report: what theory proves first, then what papers report.
pub fn all() -> Vec<Experiment> {
    let basics = [floors::all, routing::all, start::all, merging::all, rates::all, spectra::all, sizes::all];
    let variants = [allocation::all, ranks::all, squares::all, starts::all, dora::all, bits::all];
    let routed = [balance::all, collapse::all, intruders::all, digits::all];
    let practice = [languages::all, text::all, text_gates::all, sensors::all, personal::all];
    let groups: [&[Group]; 4] = [&basics, &variants, &routed, &practice];
    groups.concat().iter().flat_map(|group| group()).collect()
}

/// A quantity with a claim on it.
fn quantity(name: impl Into<String>, expected: Expected) -> Quantity {
    Quantity { name: name.into(), expected }
}

/// A quantity for each of a list. One compiled function for all lists of a kind.
fn each<T>(list: &[T], quantity: &dyn Fn(&T) -> Quantity) -> Vec<Quantity> {
    list.iter().map(quantity).collect()
}

fn near(name: impl Into<String>, value: f64, within: f64) -> Quantity {
    quantity(name, Expected::Near { value, within })
}

fn shown(name: impl Into<String>) -> Quantity {
    quantity(name, Expected::Shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_can_be_linked_to_and_told_apart() {
        let all = all();
        for (index, experiment) in all.iter().enumerate() {
            let id = experiment.id;
            assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{id}");
            assert!(all[..index].iter().all(|other| other.id != id), "{id} is there twice");
            assert!(experiment.quantities.iter().any(|q| q.expected != Expected::Shown), "{id} claims nothing");
            for setup in &experiment.setups {
                setup.validate().unwrap();
                assert_eq!(&Config::from_query(&setup.to_query()).unwrap(), setup, "{id}");
            }
            let Some(figure) = &experiment.figure else { continue };
            for series in &figure.series {
                assert!(series.first + figure.columns.len() <= experiment.quantities.len(), "{id}: {}", series.name);
            }
        }
    }
}
