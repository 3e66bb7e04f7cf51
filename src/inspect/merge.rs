//! Single weights that stand in for low-rank experts. A lone adapter (LoRA) merges exactly; a mixture whose gate
//! depends on the input has no exact merge, so five are offered, each to be shown with its measured error.
//! Knows nothing of where gates and inputs were measured.

use nalgebra::{Cholesky, DMatrix};
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::error::{Error, Result};
use crate::protocol::MergeMode;
use crate::tensor::{argmax, matrix, to_nalgebra, widened};

/// Pivots of `E[x xᵀ]` below this share of the largest mean that the data do not span the inputs.
const SINGULAR: f64 = 1e-10;
/// Share of the mean diagonal added to it then.
const RIDGE: f64 = 1e-6;

/// The experts of one layer: `y += scale Σ gᵢ Bᵢ Aᵢ x`. MoR1E is rank 1 with A = v, B = u; LoRA is one expert with gate 1.
#[derive(Clone, Debug)]
pub struct Experts {
    count: usize,
    rank: usize,
    scale: f64,
    /// Gates are shares of 1.
    shares: bool,
    /// `[count · rank, inputs]`.
    a: Array2<f64>,
    /// `[outputs, count · rank]`.
    b: Array2<f64>,
}

/// What the mixture did on some tokens.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// `[tokens, inputs]`.
    pub x: &'a Array2<f64>,
    /// `[tokens, experts]`.
    pub gates: &'a Array2<f64>,
    /// `[tokens]`, below `domains`.
    pub row_domains: &'a [u8],
    pub domains: usize,
}

/// A merged change of weight, `[outputs, inputs]` each.
#[derive(Clone, Debug, PartialEq)]
pub enum Merged {
    One(Array2<f64>),
    /// One per domain; zero for a domain that no token belongs to.
    PerDomain(Vec<Array2<f64>>),
    /// Least squares on data that do not span the inputs: `ridge` was added to the diagonal of `E[x xᵀ]`.
    Ridge {
        change: Array2<f64>,
        ridge: f64,
    },
}

impl Experts {
    /// `a [count, rank, inputs]`, `b [count, outputs, rank]`, row-major.
    ///
    /// # Errors
    /// `Error::Data` where a factor does not have this shape.
    pub fn new(
        (count, rank): (usize, usize),
        (inputs, outputs): (usize, usize),
        a: &[f32],
        b: &[f32],
        scale: f64,
    ) -> Result<Self> {
        let wide = count * rank;
        for (what, values, expected) in [("A", a, wide * inputs), ("B", b, wide * outputs)] {
            if values.len() != expected {
                return Err(Error::Data {
                    what: format!("factor {what}"),
                    expected: format!("{expected} values"),
                    got: values.len().to_string(),
                });
            }
        }
        Ok(Self {
            count,
            rank,
            scale,
            shares: true,
            a: widened(a, (wide, inputs)),
            b: matrix((outputs, wide), &mut |o, j| f64::from(b[(j / rank * outputs + o) * rank + j % rank])),
        })
    }

    /// The same experts behind gates that are not shares of 1, and may be negative.
    pub fn with_free_gates(self) -> Self {
        Self { shares: false, ..self }
    }

    /// The expert that a gate `[experts]` favours most, alone: at full strength, for a share of 1 says which; or, where gates
    /// are no shares, the one of largest magnitude as strong as its gate says. All zeros from zeros.
    pub fn alone(&self, gate: ArrayView1<f64>) -> Array1<f64> {
        let top = argmax(gate.iter().map(|g| g.abs()));
        let strength = if self.shares && gate[top] > 0.0 { 1.0 } else { gate[top] };
        Array1::from_shape_fn(gate.len(), |i| if i == top { strength } else { 0.0 })
    }

    /// All experts' factors side by side, `[count · rank, inputs]` and `[outputs, count · rank]`, with these gates and the
    /// scaling in the latter: the change as one plain LoRA of rank count · rank and scaling 1.
    pub fn factors(&self, gates: ArrayView1<f64>) -> (Array2<f64>, Array2<f64>) {
        let wide = self.widen(gates) * self.scale;
        (self.a.clone(), &self.b * &wide)
    }

    /// `scale Σ gᵢ Bᵢ Aᵢ`, `[outputs, inputs]`, for one gate `[experts]`.
    pub fn weighted(&self, gates: ArrayView1<f64>) -> Array2<f64> {
        let (a, b) = self.factors(gates);
        b.dot(&a)
    }

    /// Number of experts and the rank of each.
    pub fn size(&self) -> (usize, usize) {
        (self.count, self.rank)
    }

    /// Cosine of the angle between every two experts' changes `Bᵢ Aᵢ`, taken as vectors: 1 is the same direction, 0 none in
    /// common, and what an untrained expert has with any other. `[count, count]`.
    pub fn cosines(&self) -> Array2<f64> {
        // ⟨Bᵢ Aᵢ, Bⱼ Aⱼ⟩ is a sum over their rank-1 parts, of reads times writes.
        let parts = self.a.dot(&self.a.t()) * self.b.t().dot(&self.b);
        let inner = |i: usize, j: usize| {
            let rows = |e: usize| e * self.rank..(e + 1) * self.rank;
            rows(i).map(|p| rows(j).map(|q| parts[[p, q]]).sum::<f64>()).sum::<f64>()
        };
        let lengths: Vec<f64> = (0..self.count).map(|e| libm::sqrt(inner(e, e))).collect();
        matrix((self.count, self.count), &mut |i, j| match lengths[i] * lengths[j] {
            0.0 => 0.0,
            both => inner(i, j) / both,
        })
    }

    /// What the experts add to each token's output, `[tokens, outputs]`.
    pub fn routed(&self, x: &Array2<f64>, gates: &Array2<f64>) -> Array2<f64> {
        let mut read = x.dot(&self.a.t());
        for (mut row, gates) in read.outer_iter_mut().zip(gates.outer_iter()) {
            row *= &(self.widen(gates) * self.scale);
        }
        read.dot(&self.b.t())
    }

    /// One of the five merges; `token` is the chosen one for `MergeMode::PerInput`.
    ///
    /// # Errors
    /// `Error::Data` where `observed` has no tokens, its sizes disagree, or values are not finite;
    /// `Error::Missing` where there is no such token.
    pub fn merge(&self, mode: MergeMode, observed: Observed, token: usize) -> Result<Merged> {
        self.check(observed)?;
        let Observed { x, gates, .. } = observed;
        match mode {
            MergeMode::PerInput if token < gates.nrows() => Ok(Merged::One(self.weighted(gates.row(token)))),
            MergeMode::PerInput => Err(Error::Missing {
                what: "token",
                name: token.to_string(),
                hint: format!("there are {}", gates.nrows()),
            }),
            MergeMode::MeanGate => Ok(Merged::One(self.weighted(mean(gates, |_| true).view()))),
            MergeMode::MeanGatePerDomain => Ok(self.per_domain(observed, |gate| gate)),
            MergeMode::TopExpertPerDomain => Ok(self.per_domain(observed, |gate| self.alone(gate.view()))),
            MergeMode::LeastSquares => self.least_squares(x, gates),
        }
    }

    fn per_domain(&self, observed: Observed, choose: impl Fn(Array1<f64>) -> Array1<f64>) -> Merged {
        let merged = (0..observed.domains).map(|domain| {
            let of = |t: usize| usize::from(observed.row_domains[t]) == domain;
            if !(0..observed.row_domains.len()).any(of) {
                return Array2::zeros((self.b.nrows(), self.a.ncols()));
            }
            self.weighted(choose(mean(observed.gates, of)).view())
        });
        Merged::PerDomain(merged.collect())
    }

    /// `W = E[ΔW(x) x xᵀ] E[x xᵀ]⁻¹`, the minimiser of `E‖W x − ΔW(x) x‖²`.
    fn least_squares(&self, x: &Array2<f64>, gates: &Array2<f64>) -> Result<Merged> {
        let tokens = x.nrows() as f64;
        let inputs = x.ncols();
        let second = to_nalgebra(&(x.t().dot(x) / tokens));
        let cross = to_nalgebra(&(x.t().dot(&self.routed(x, gates)) / tokens));
        let mut ridge = 0.0;
        let factor = match spanning(second.clone()) {
            Some(factor) => factor,
            None => {
                ridge = RIDGE * second.trace() / inputs as f64;
                let lifted = second + DMatrix::identity(inputs, inputs) * ridge;
                Cholesky::new(lifted).ok_or_else(|| Error::Data {
                    what: "inputs of the merge".into(),
                    expected: "values that are not all zero".into(),
                    got: "zeros".into(),
                })?
            }
        };
        let solved = factor.solve(&cross);
        let change = matrix((self.b.nrows(), inputs), &mut |o, i| solved[(i, o)]);
        Ok(if ridge > 0.0 { Merged::Ridge { change, ridge } } else { Merged::One(change) })
    }

    fn check(&self, observed: Observed) -> Result<()> {
        let Observed { x, gates, row_domains, domains } = observed;
        let tokens = x.nrows();
        let fits = tokens > 0
            && x.ncols() == self.a.ncols()
            && gates.dim() == (tokens, self.count)
            && row_domains.len() == tokens
            && row_domains.iter().all(|&d| usize::from(d) < domains);
        let finite = [x, gates, &self.a, &self.b].iter().all(|m| m.iter().all(|v| v.is_finite()));
        if fits && finite {
            return Ok(());
        }
        Err(Error::Data {
            what: "tokens of the merge".into(),
            expected: format!(
                "at least one finite row of {} inputs and {} gates, each with a domain below {domains}",
                self.a.ncols(),
                self.count
            ),
            got: if fits {
                "NaN or infinity".into()
            } else {
                format!("inputs {:?}, gates {:?}, {} domains", x.dim(), gates.dim(), row_domains.len())
            },
        })
    }

    /// A gate for every direction: each expert's, `rank` times.
    fn widen(&self, gates: ArrayView1<f64>) -> Array1<f64> {
        Array1::from_shape_fn(self.count * self.rank, |j| gates[j / self.rank])
    }
}

impl Merged {
    /// What the merged weight adds to each token's output, `[tokens, outputs]`; `row_domains [tokens]`.
    pub fn output(&self, x: &Array2<f64>, row_domains: &[u8]) -> Array2<f64> {
        match self {
            Self::One(change) | Self::Ridge { change, .. } => x.dot(&change.t()),
            Self::PerDomain(changes) => {
                let outputs = changes.first().map_or(0, Array2::nrows);
                let mut y = Array2::zeros((x.nrows(), outputs));
                for ((mut y, x), &domain) in y.outer_iter_mut().zip(x.outer_iter()).zip(row_domains) {
                    y.assign(&changes[usize::from(domain)].dot(&x));
                }
                y
            }
        }
    }

    /// The change shown for `domain`.
    pub fn of(&self, domain: usize) -> Option<&Array2<f64>> {
        match self {
            Self::One(change) | Self::Ridge { change, .. } => Some(change),
            Self::PerDomain(changes) => changes.get(domain),
        }
    }
}

/// Cholesky factor, if the matrix is safely positive definite.
fn spanning(matrix: DMatrix<f64>) -> Option<Cholesky<f64, nalgebra::Dyn>> {
    let factor = Cholesky::new(matrix)?;
    let pivots = factor.l_dirty().diagonal().map(|v| v * v);
    (pivots.min() > SINGULAR * pivots.max()).then_some(factor)
}

/// Mean gate over the tokens that `of` picks, `[experts]`.
fn mean(gates: &Array2<f64>, of: impl Fn(usize) -> bool) -> Array1<f64> {
    let picked: Vec<usize> = (0..gates.nrows()).filter(|&t| of(t)).collect();
    gates.select(Axis(0), &picked).sum_axis(Axis(0)) / picked.len().max(1) as f64
}

#[cfg(test)]
mod tests;
