//! Changing the rank of trained low-rank factors: growing leaves the output as it was, shrinking keeps the best part
//! of the new rank. The optimiser's state follows. Knows nothing of lanes or engines.
//!
//! With `ΔW = s B A` and `G = ∂L/∂ΔW`, gradients are `∂A = s Bᵀ G` and `∂B = s G Aᵀ`. The scaling may depend on the rank
//! (`alpha/R`); `c = s_old / s_new` carries it over.
//!
//! **Growing.** `B' = [c B, 0]`, `A' = [A; fresh]`, so `s_new B' A' = s_old B A`. Then `∂B' = ∂B / c` and `∂A' = ∂A`: B's first
//! moment is divided by c, its second by c², A's stay. New directions start with first moment 0; their second
//! moment is the mean over the old directions, because from 0 and without bias correction so late in training
//! AdamW's first steps would be several times the learning rate.
//!
//! **Shrinking.** `B A = U Σ Vᵀ`, cut to r: `A' = √(cΣ) Vᵀ = P A` with `P = √c Σ^{-½} Uᵀ B`, and `B' = U √(cΣ) = B Q` with
//! `Q = √c A V Σ^{-½}`; balanced, and `s_new B' A'` is the truncated SVD of ΔW (Eckart and Young, 1936). The chain rule
//! gives `∂A' = Qᵀ ∂A / c` and `∂B' = ∂B Pᵀ / c`: first moments are gradients' means and map the same way. Second moments
//! map with the squared coefficients, which is exact when the gradients of the old directions are uncorrelated.
//! Where ΔW itself has fewer than r directions the others start afresh as in growing: two zero factors would have
//! zero gradients for ever.

use ndarray::{Array2, Axis};

use super::Parameter;
use crate::decimal::plain;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::spectrum::svd_low_rank;
use crate::tensor::{matrix, to_nalgebra, widened};

/// Singular values below this share of the largest are rounding of f32 factors, not directions.
const NEGLIGIBLE: f64 = 1e-7;

/// Low-rank factors of `experts` equal adapters; LoRA has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    pub experts: usize,
    pub rank: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// `[experts, rank, inputs]`.
    pub a: Parameter,
    /// `[experts, outputs, rank]`.
    pub b: Parameter,
}

/// One expert's tensor and moments as matrices.
#[derive(Clone)]
struct Matrices {
    value: Array2<f64>,
    first: Array2<f64>,
    second: Array2<f64>,
}

/// The same adapter at another rank, expert by expert. `scales` are the scaling before and after; `rng` draws the fresh
/// rows of A, uniform in ±1/√inputs.
///
/// # Errors
/// `Error::Data` where a tensor does not have its shape, a value is not finite, the new rank is 0 or a scaling is not
/// positive.
pub fn resize(factors: &Factors, rank: usize, scales: (f64, f64), rng: &mut Rng) -> Result<Factors> {
    let Factors { experts, rank: old, inputs, outputs, .. } = *factors;
    factors.a.check("lora_A", experts * old * inputs)?;
    factors.b.check("lora_B", experts * outputs * old)?;
    let c = scales.0 / scales.1;
    if rank == 0 || !(c.is_finite() && c > 0.0) {
        return Err(Error::Data {
            what: "change of rank".into(),
            expected: "a rank of at least 1 and positive scalings".into(),
            got: format!("rank {rank}, scalings {} and {}", plain(scales.0), plain(scales.1)),
        });
    }
    let mut resized = Factors { rank, a: empty(), b: empty(), ..*factors };
    for expert in 0..experts {
        let a = Matrices::read(&factors.a, expert, (old, inputs));
        let b = Matrices::read(&factors.b, expert, (outputs, old));
        let (a, b) = if rank < old {
            shrink(&a, &b, rank, c, rng).ok_or_else(|| Error::Data {
                what: format!("factors of expert {expert}"),
                expected: "finite numbers".into(),
                got: "NaN or infinity".into(),
            })?
        } else {
            grow(&a, &b, rank, c, rng)
        };
        a.write(&mut resized.a);
        b.write(&mut resized.b);
    }
    Ok(resized)
}

fn grow(a: &Matrices, b: &Matrices, rank: usize, c: f64, rng: &mut Rng) -> (Matrices, Matrices) {
    let b = Matrices { value: &b.value * c, first: &b.first / c, second: &b.second / (c * c) };
    extend(a.clone(), b, rank, rng)
}

fn shrink(a: &Matrices, b: &Matrices, rank: usize, c: f64, rng: &mut Rng) -> Option<(Matrices, Matrices)> {
    let svd = svd_low_rank(&a.value, &b.value, 1.0)?;
    let largest = svd.singular.first().copied().unwrap_or(0.0);
    let kept = svd.singular.iter().take(rank).take_while(|&&s| s > NEGLIGIBLE * largest).count();
    let root = libm::sqrt(c);
    // P and Q of the module's first lines, both [kept, old rank].
    let u_b = svd.u.transpose() * to_nalgebra(&b.value);
    let v_a = svd.v.transpose() * to_nalgebra(&a.value).transpose();
    let shape = (kept, a.value.nrows());
    let half = |i: usize| libm::sqrt(svd.singular[i]);
    let p = matrix(shape, &mut |i, j| root / half(i) * u_b[(i, j)]);
    let q = matrix(shape, &mut |i, j| root / half(i) * v_a[(i, j)]);
    let (to_a, to_b) = (&q / c, &p / c);
    let smaller_a = Matrices {
        value: matrix((kept, a.value.ncols()), &mut |i, j| root * half(i) * svd.v[(j, i)]),
        first: to_a.dot(&a.first),
        second: (&to_a * &to_a).dot(&a.second),
    };
    let smaller_b = Matrices {
        value: matrix((b.value.nrows(), kept), &mut |i, j| root * half(j) * svd.u[(i, j)]),
        first: b.first.dot(&to_b.t()),
        second: b.second.dot(&(&to_b * &to_b).t()),
    };
    if kept == 0 {
        // Nothing was learned: the first directions serve as well as any.
        return Some((a.rows(rank), b.columns(rank)));
    }
    Some(extend(smaller_a, smaller_b, rank, rng))
}

/// Adds directions without effect up to `rank`.
fn extend(a: Matrices, b: Matrices, rank: usize, rng: &mut Rng) -> (Matrices, Matrices) {
    let (old, inputs) = a.value.dim();
    let outputs = b.value.nrows();
    let bound = 1.0 / libm::sqrt(inputs as f64);
    let fresh = matrix((rank - old, inputs), &mut |_, _| rng.uniform(-bound, bound));
    let mean_a = a.second.mean_axis(Axis(0));
    let mean_b = b.second.mean_axis(Axis(1));
    let at = |mean: &Option<ndarray::Array1<f64>>, i: usize| mean.as_ref().map_or(0.0, |m| m[i]);
    let more = |m: &Array2<f64>, new: &dyn Fn(usize, usize) -> f64| {
        matrix((rank, inputs), &mut |r, i| if r < old { m[[r, i]] } else { new(r - old, i) })
    };
    let wider = |m: &Array2<f64>, new: &dyn Fn(usize) -> f64| {
        matrix((outputs, rank), &mut |o, r| if r < old { m[[o, r]] } else { new(o) })
    };
    (
        Matrices {
            value: more(&a.value, &|r, i| fresh[[r, i]]),
            first: more(&a.first, &|_, _| 0.0),
            second: more(&a.second, &|_, i| at(&mean_a, i)),
        },
        Matrices {
            value: wider(&b.value, &|_| 0.0),
            first: wider(&b.first, &|_| 0.0),
            second: wider(&b.second, &|o| at(&mean_b, o)),
        },
    )
}

impl Matrices {
    fn read(parameter: &Parameter, expert: usize, shape: (usize, usize)) -> Self {
        let from = expert * shape.0 * shape.1;
        let own = |values: &[f32]| widened(&values[from..], shape);
        Self { value: own(&parameter.value), first: own(&parameter.first), second: own(&parameter.second) }
    }

    fn write(&self, parameter: &mut Parameter) {
        let push = |target: &mut Vec<f32>, matrix: &Array2<f64>| {
            target.extend(matrix.iter().map(|&v| v as f32));
        };
        push(&mut parameter.value, &self.value);
        push(&mut parameter.first, &self.first);
        push(&mut parameter.second, &self.second);
    }

    fn rows(&self, count: usize) -> Self {
        self.select(Axis(0), count)
    }

    fn columns(&self, count: usize) -> Self {
        self.select(Axis(1), count)
    }

    fn select(&self, axis: Axis, count: usize) -> Self {
        let indices: Vec<usize> = (0..count).collect();
        Self {
            value: self.value.select(axis, &indices),
            first: self.first.select(axis, &indices),
            second: self.second.select(axis, &indices),
        }
    }
}

fn empty() -> Parameter {
    Parameter { value: Vec::new(), first: Vec::new(), second: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::singular_values;

    fn parameter(length: usize, rng: &mut Rng) -> Parameter {
        let mut draw = |f: fn(f64) -> f64| (0..length).map(|_| f(rng.normal()) as f32).collect();
        Parameter { value: draw(|v| v), first: draw(|v| v * 0.1), second: draw(|v| v * v) }
    }

    fn factors(experts: usize, rank: usize) -> Factors {
        let mut rng = Rng::new(4, 4);
        Factors {
            experts,
            rank,
            inputs: 11,
            outputs: 9,
            a: parameter(experts * rank * 11, &mut rng),
            b: parameter(experts * 9 * rank, &mut rng),
        }
    }

    /// `scale · B A` of one expert.
    fn change(f: &Factors, expert: usize, scale: f64) -> Array2<f64> {
        let a = Matrices::read(&f.a, expert, (f.rank, f.inputs));
        let b = Matrices::read(&f.b, expert, (f.outputs, f.rank));
        b.value.dot(&a.value) * scale
    }

    fn norm(m: &Array2<f64>) -> f64 {
        m.iter().map(|v| v * v).sum::<f64>().sqrt()
    }

    #[test]
    fn growing_changes_nothing() {
        for (old, new) in [(2, 3), (3, 8), (2, 2)] {
            let before = factors(3, old);
            let scales = (16.0 / old as f64, 16.0 / new as f64);
            let after = resize(&before, new, scales, &mut Rng::new(1, 1)).unwrap();
            for expert in 0..3 {
                let expected = change(&before, expert, scales.0);
                let got = change(&after, expert, scales.1);
                assert!(norm(&(&got - &expected)) <= 1e-6 * norm(&expected));
            }
            assert_eq!(after.a.value.len(), 3 * new * 11);
            assert_eq!(after.b.second.len(), 3 * new * 9);
        }
    }

    #[test]
    fn shrinking_is_the_truncated_svd() {
        let before = factors(2, 5);
        let (s_old, s_new) = (16.0 / 5.0, 8.0);
        let after = resize(&before, 2, (s_old, s_new), &mut Rng::new(1, 1)).unwrap();
        for expert in 0..2 {
            let full = change(&before, expert, s_old);
            let svd = to_nalgebra(&full).svd(true, true);
            let (u, v) = (svd.u.unwrap(), svd.v_t.unwrap());
            let expected = Array2::from_shape_fn(full.dim(), |(r, c)| {
                (0..2).map(|i| u[(r, i)] * svd.singular_values[i] * v[(i, c)]).sum()
            });
            let got = change(&after, expert, s_new);
            assert!(norm(&(&got - &expected)) <= 1e-6 * norm(&expected));
            assert!(singular_values(&got)[2] < 1e-6 * singular_values(&got)[0]);
            let a = Matrices::read(&after.a, expert, (2, 11)).value;
            let b = Matrices::read(&after.b, expert, (9, 2)).value;
            assert!(norm(&(a.dot(&a.t()) - b.t().dot(&b))) < 1e-5 * norm(&a.dot(&a.t())));
        }
    }

    /// First moments that are the gradients of one fixed G must become the gradients of the new factors.
    #[test]
    fn first_moments_map_as_gradients_do() {
        let mut rng = Rng::new(8, 8);
        let slope = Array2::from_shape_fn((9, 11), |_| rng.normal());
        let gradients = |f: &Factors, scale: f64| {
            let a = Matrices::read(&f.a, 0, (f.rank, 11)).value;
            let b = Matrices::read(&f.b, 0, (9, f.rank)).value;
            (b.t().dot(&slope) * scale, slope.dot(&a.t()) * scale)
        };
        let mut before = factors(1, 4);
        let (a, b) = gradients(&before, 4.0);
        before.a.first = a.iter().map(|&v| v as f32).collect();
        before.b.first = b.iter().map(|&v| v as f32).collect();
        for (rank, scale) in [(2, 8.0), (6, 16.0 / 6.0)] {
            let after = resize(&before, rank, (4.0, scale), &mut rng).unwrap();
            let (a, b) = gradients(&after, scale);
            let kept = rank.min(4);
            let first_a = Matrices::read(&after.a, 0, (rank, 11)).first;
            let first_b = Matrices::read(&after.b, 0, (9, rank)).first;
            for r in 0..kept {
                for i in 0..11 {
                    assert!((first_a[[r, i]] - a[[r, i]]).abs() < 1e-4);
                }
                for o in 0..9 {
                    assert!((first_b[[o, r]] - b[[o, r]]).abs() < 1e-4);
                }
            }
            assert!(after.a.second.iter().chain(&after.b.second).all(|&v| v >= 0.0));
        }
    }

    #[test]
    fn no_direction_dies() {
        // Untrained: B is zero, and A must stay alive.
        let mut untrained = factors(1, 4);
        untrained.b.value.fill(0.0);
        let after = resize(&untrained, 2, (1.0, 2.0), &mut Rng::new(1, 1)).unwrap();
        assert_eq!(after.a.value, untrained.a.value[..22]);
        assert!(after.b.value.iter().all(|&v| v == 0.0));
        // One learned direction, two asked for.
        let mut single = factors(1, 4);
        for (i, value) in single.b.value.iter_mut().enumerate() {
            if i % 4 != 0 {
                *value = 0.0;
            }
        }
        let after = resize(&single, 2, (1.0, 1.0), &mut Rng::new(1, 1)).unwrap();
        let expected = change(&single, 0, 1.0);
        assert!(norm(&(change(&after, 0, 1.0) - &expected)) < 1e-6 * norm(&expected));
        assert!(after.a.value[11..].iter().any(|&v| v != 0.0));
    }

    #[test]
    fn what_cannot_be_resized_is_refused() {
        let mut bad = factors(1, 3);
        assert!(resize(&bad, 0, (1.0, 1.0), &mut Rng::new(1, 1)).is_err());
        bad.a.value[4] = f32::NAN;
        assert!(resize(&bad, 2, (1.0, 1.0), &mut Rng::new(1, 1)).is_err());
        bad.a.value.pop();
        let error = resize(&bad, 2, (1.0, 1.0), &mut Rng::new(1, 1)).unwrap_err();
        assert!(error.to_string().contains("lora_A"));
    }
}
