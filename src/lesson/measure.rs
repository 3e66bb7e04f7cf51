//! The numbers of a run that a lesson speaks of, read from what the page itself shows. Pure; the same for the page and for
//! the test that holds the lessons to their runs.

use serde::Deserialize;
use serde_json::Value;

use crate::protocol::{MergeFrame, MergeMode, WeightFrame};
use crate::view::format::{count, three};
use crate::view::lane_view::GateView;
use crate::view::run::Run;

/// Singular values below this share of the largest are no directions in use.
const NOTHING: f32 = 0.01;
/// An expert is in use where it leads for so large a share of the tokens.
const LEADS: f32 = 0.01;

/// Lanes, domains and languages are counted from 0.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// A lane's loss, as it is written where its curve ends.
    Loss(usize),
    /// The highest floor that theory sets for a lane's loss.
    Floor(usize),
    /// A lane's trainable parameters.
    Parameters(usize),
    /// The entropy of a lane's first gate: 1 is uniform, 0 is one expert alone.
    Entropy(usize),
    /// A lane's experts that lead for any tokens.
    Used(usize),
    /// Of the domain that misses the expert most that is off: its loss as trained, and without.
    On,
    Off,
    /// A merge's loss, of the watched mixture.
    Merge(usize, MergeMode),
    /// The same mixture's loss as it is.
    Routed(usize),
    /// The largest difference that an exact merge makes.
    MergeError(usize),
    /// Directions in use in the change of the watched lane's weight.
    Directions(usize),
    /// The change's size against the base's, of the watched lane.
    Ratio(usize),
    /// Held-out bits per byte of a lane on a language, and what the base takes there.
    Bits(usize, usize),
    BaseBits(usize),
    /// One number over another.
    Over(Box<Measure>, Box<Measure>),
    /// The mean over all seeds of a recorded experiment's quantity.
    Recorded(String, usize),
}

impl Measure {
    /// Its value now; `None` as long as the run has not told it.
    pub fn of(&self, run: &Run, recorded: &Value) -> Option<f64> {
        let lane = |lane: usize| run.lanes.get(lane);
        match self {
            &Self::Loss(at) => lane(at)?.curve.recent,
            &Self::Floor(at) => {
                let floors = run.started.as_ref()?.floors.iter();
                floors.filter(|f| f.binds.is_some() && f.lanes.contains(&at)).map(|f| f.share).reduce(f64::max)
            }
            &Self::Parameters(at) => Some(lane(at)?.frame.parameters as f64),
            &Self::Entropy(at) => Some(gate(run, at)?.frame.entropy.into()),
            &Self::Used(at) => {
                Some(gate(run, at)?.frame.utilisation.iter().filter(|&&share| share >= LEADS).count() as f64)
            }
            Self::On => Some(off(run)?.0.into()),
            Self::Off => Some(off(run)?.1.into()),
            &Self::Merge(at, mode) => match &watched(run, at)?.merge {
                MergeFrame::Mixture { modes, .. } => modes.iter().find(|m| m.mode == mode)?.loss.map(f64::from),
                MergeFrame::Exact { .. } => None,
            },
            &Self::Routed(at) => match watched(run, at)?.merge {
                MergeFrame::Mixture { routed, .. } => Some(routed.into()),
                MergeFrame::Exact { .. } => None,
            },
            &Self::MergeError(at) => match watched(run, at)?.merge {
                MergeFrame::Exact { error } => Some(error.into()),
                MergeFrame::Mixture { .. } => None,
            },
            &Self::Directions(at) => {
                let values = &watched(run, at)?.singular;
                let most = values.first().copied().unwrap_or(0.0);
                Some(values.iter().filter(|&&value| value > NOTHING * most).count() as f64)
            }
            &Self::Ratio(at) => watched(run, at)?.ratio.map(f64::from),
            &Self::Bits(at, language) => {
                // Scores come between steps, and are of the step that they were taken at.
                let score = run.text.held.as_ref()?.lanes.get(at)?.as_ref()?;
                score.bits.get(language).filter(|_| score.step >= run.step).map(|&bits| bits.into())
            }
            &Self::BaseBits(language) => {
                run.text.held.as_ref()?.base.as_ref()?.bits.get(language).map(|&bits| bits.into())
            }
            Self::Over(one, other) => Some(one.of(run, recorded)? / other.of(run, recorded)?),
            Self::Recorded(id, quantity) => {
                let seeds = recorded.as_array()?.iter().find(|record| record["id"] == **id)?["seeds"].as_array()?;
                let values: Option<Vec<f64>> = seeds.iter().map(|seed| seed.get(*quantity)?.as_f64()).collect();
                values.filter(|values| !values.is_empty()).map(|v| v.iter().sum::<f64>() / v.len() as f64)
            }
        }
    }

    /// Whether it needs the record of experiments.
    pub fn is_recorded(&self) -> bool {
        match self {
            Self::Recorded(..) => true,
            Self::Over(one, other) => one.is_recorded() || other.is_recorded(),
            _ => false,
        }
    }

    /// Whether it is counted, and so has no decimals.
    fn is_count(&self) -> bool {
        matches!(self, Self::Parameters(_) | Self::Used(_) | Self::Directions(_))
    }

    /// As it is written in a sentence.
    pub fn text(&self, value: f64) -> String {
        match self.is_count() || value.fract() == 0.0 && value >= 1.0 {
            true => count(value.max(0.0) as usize),
            // What training leaves of a loss of nothing is told as the chart tells it, but shortly.
            false if value.abs() < 0.0005 && value != 0.0 && !matches!(self, Self::MergeError(_)) => "0.000".into(),
            false => three(value),
        }
    }
}

fn gate(run: &Run, lane: usize) -> Option<&GateView> {
    run.gates.iter().find(|gate| gate.frame.lane == lane)
}

/// Loss with and without the expert that is off, on the domain where it makes the greatest difference.
fn off(run: &Run) -> Option<(f32, f32)> {
    let ablation = run.gates.iter().find_map(|gate| gate.frame.ablation.as_ref())?;
    let pairs = ablation.with.iter().copied().zip(ablation.without.iter().copied());
    pairs.max_by(|one, other| (one.1 - one.0).total_cmp(&(other.1 - other.0)))
}

fn watched(run: &Run, lane: usize) -> Option<&WeightFrame> {
    run.weight.as_deref().filter(|weight| weight.watch.lane == lane)
}
