//! The proof of a merge: what the merged weight, as stored, makes of random inputs, held against what the base makes of them with
//! the adapter beside it. Knows nothing of files.

use std::ops::Range;

use super::loaded::{Loaded, Target};
use super::module::Magnitudes;
use crate::files::Source;
use crate::rng::Rng;

/// Inputs of every module, drawn from the normal distribution, the same each time.
pub const INPUTS: usize = 2;
const SEED: u64 = 15;

/// The largest difference that was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proven {
    /// |merged(x) − adapted(x)|; NaN where either is not finite.
    pub largest: f64,
    /// The same over the largest |adapted(x)| of that tensor.
    pub relative: f64,
    /// Which tensor; empty where none changed.
    pub at: String,
}

impl Proven {
    /// Keeps the larger of the two.
    pub fn take(&mut self, other: Self) {
        if self.at.is_empty() || other.largest > self.largest || other.largest.is_nan() && !self.largest.is_nan() {
            *self = other;
        }
    }
}

/// One tensor's, or one expert's of it.
pub struct Proof<'l, 'a, S, B> {
    loaded: &'l Loaded<'a, S, B>,
    /// The change is computed apart from the base.
    apart: bool,
    transposed: bool,
    width: usize,
    /// For the merged weight, and for the base and the change.
    inputs: [(Vec<f64>, Vec<f64>); INPUTS],
    merged: [Vec<f64>; INPUTS],
    adapted: [Vec<f64>; INPUTS],
}

impl<'l, 'a, S: Source, B: Source> Proof<'l, 'a, S, B> {
    pub fn new(loaded: &'l Loaded<'a, S, B>, (rows, width): (usize, usize), apart: bool) -> Self {
        // A file of a few bytes may claim any number of rows without values.
        let (rows, width) = if rows == 0 || width == 0 { (0, 0) } else { (rows, width) };
        let transposed = apart && matches!(loaded.target, Target::Module(module) if module.transposed);
        let (inputs, outputs) = if transposed { (rows, width) } else { (width, rows) };
        let mut rng = Rng::new(SEED, 1);
        // DoRA of each input rescales what comes in, any other what goes out.
        let rescaled = loaded.rescaled().filter(|_| apart);
        let per_input = match (loaded.target, rescaled) {
            (Target::Module(module), Some((scale, _))) => match module.magnitudes {
                Some(Magnitudes::Inputs(each)) => Some((scale, each.max(1))),
                _ => None,
            },
            _ => None,
        };
        let mut draw = || {
            let x: Vec<f64> = (0..inputs).map(|_| if inputs == 1 { 1.0 } else { rng.normal() }).collect();
            let scaled = match per_input {
                Some((scale, each)) => x.iter().enumerate().map(|(i, v)| v * scale[i / each]).collect(),
                None => x.clone(),
            };
            (x, scaled)
        };
        let nothing = || std::array::from_fn(|_| vec![0.0; outputs]);
        Self {
            loaded,
            apart,
            transposed,
            width,
            inputs: std::array::from_fn(|_| draw()),
            merged: nothing(),
            adapted: nothing(),
        }
    }

    /// Some rows: the base's, what they should become, and what is stored of that.
    pub fn add(&mut self, rows: Range<usize>, base: &[f32], values: &[f64], stored: &[f32]) {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let before = if self.apart { wide(base) } else { values.to_vec() };
        let stored = wide(stored);
        for at in 0..INPUTS {
            let (x, scaled) = &self.inputs[at];
            for (matrix, x, out) in [(&stored, x, &mut self.merged[at]), (&before, scaled, &mut self.adapted[at])] {
                for (row, entries) in rows.clone().zip(matrix.chunks_exact(self.width.max(1))) {
                    match self.transposed {
                        true => out.iter_mut().zip(entries).for_each(|(o, v)| *o += v * x[row]),
                        false => out[row] += entries.iter().zip(x).map(|(v, x)| v * x).sum::<f64>(),
                    }
                }
            }
        }
    }

    pub fn end(mut self, name: &str) -> Proven {
        let (mut largest, mut size) = (0.0f64, 0.0f64);
        let keep = |most: f64, v: f64| if v > most || v.is_nan() { v } else { most };
        for at in 0..INPUTS {
            let x = &self.inputs[at].1;
            if let (Some(change), true) = (&self.loaded.change, self.apart && self.width > 0) {
                let (read, written) =
                    if self.transposed { (&change.left, &change.right) } else { (&change.right, &change.left) };
                for r in 0..change.rank() {
                    let inner: f64 = read.column(r).iter().zip(x).map(|(v, x)| v * x).sum::<f64>() * change.scale;
                    self.adapted[at].iter_mut().zip(written.column(r).iter()).for_each(|(o, v)| *o += v * inner);
                }
                if let (Some((scale, _)), Target::Module(module)) = (self.loaded.rescaled(), self.loaded.target)
                    && module.magnitudes == Some(Magnitudes::Outputs)
                {
                    self.adapted[at].iter_mut().zip(scale).for_each(|(o, s)| *o *= s);
                }
            }
            for (merged, adapted) in self.merged[at].iter().zip(&self.adapted[at]) {
                largest = keep(largest, (merged - adapted).abs());
                size = keep(size, adapted.abs());
            }
        }
        Proven { largest, relative: if size > 0.0 { largest / size } else { 0.0 }, at: name.to_owned() }
    }
}
