//! What a single weight can make of given numbers: least squares, in directions of which each is worth less than the one before.
//! Knows nothing of lanes or of what is said of it.
//!
//! With `C_xx` and `C_rx` the mean products of the inputs with themselves and with what the frozen layer leaves of the targets, a
//! change of rank r takes away the r largest eigenvalues of `C_rx C_xx⁻¹ C_xr` at most (reduced-rank regression: Izenman, 1975).

use ndarray::{Array2, Axis};

use super::{Targets, TaskData};
use crate::spectrum::singular_values;
use crate::tensor::{svd, to_nalgebra, widened};

/// Multiply-adds that may be spent: some tenths of a second.
const MOST: usize = 1 << 28;
/// Directions of the inputs that hold less than this of the largest one's energy are rounding.
const NOTHING: f64 = 1e-11;

/// Mean squares, over rows and outputs.
pub struct Regression {
    /// What the frozen layer leaves.
    pub total: f64,
    /// What each direction of a single weight takes away of it, largest first.
    pub gains: Vec<f64>,
}

/// `None` where the task is not one layer with numbers as its targets, or so large that a run would wait for it.
pub fn regression(task: &TaskData) -> Option<Regression> {
    let ([base], Targets::Dense(y)) = (&task.base[..], &task.y) else { return None };
    let (rows, inputs) = (task.rows(), task.network.inputs());
    let outputs = base.bias.len();
    if rows * inputs * (inputs + outputs) + 20 * inputs.pow(3) > MOST {
        return None;
    }
    let x = widened(&task.x, (rows, inputs));
    let bias = ndarray::Array1::from_iter(base.bias.iter().map(|&b| f64::from(b)));
    let left =
        widened(y, (rows, outputs)) - x.dot(&widened(&base.weight, (outputs, inputs)).t()) - bias.insert_axis(Axis(0));
    let share = 1.0 / rows as f64;
    let (covariance, crossed) = (x.t().dot(&x) * share, left.t().dot(&x) * share);
    let (directions, energies, _) = svd(to_nalgebra(&covariance))?;
    let used = energies.iter().take_while(|&&energy| energy > NOTHING * energies[0]).count();
    // Along these axes the inputs are uncorrelated, each of mean square 1.
    let axes = Array2::from_shape_fn((inputs, used), |(i, k)| directions[(i, k)] / libm::sqrt(energies[k]));
    let per_output = 1.0 / outputs as f64;
    Some(Regression {
        total: left.iter().map(|r| r * r).sum::<f64>() * share * per_output,
        gains: singular_values(&crossed.dot(&axes)).into_iter().map(|value| value * value * per_output).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::custom::{Shape, custom};
    use ndarray::array;

    /// Rows of a factorial design, whose columns and their products are orthogonal, through `mixing`; targets by a known weight,
    /// with what no weight reaches added: the first two columns' product.
    fn known(mixing: &Array2<f64>) -> TaskData {
        let weight = array![[3.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let design = |row: usize| [0, 1, 2].map(|bit| if row >> bit & 1 == 1 { 1.0 } else { -1.0 });
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for row in 0..8 {
            let z = ndarray::Array1::from(design(row).to_vec());
            x.extend(mixing.dot(&z).iter().map(|&v| v as f32));
            let unreached = array![0.0, 2.0 * z[0] * z[1]];
            y.extend((weight.dot(&z) + unreached).iter().map(|&v| v as f32));
        }
        custom(Shape { batch: 8, sequence: 1, inputs: 3, outputs: 2 }, x, y, None, None).unwrap()
    }

    #[test]
    fn what_is_known_is_found_whatever_the_inputs_are_mixed_by() {
        for mixing in [Array2::eye(3), array![[2.0, 1.0, 0.0], [0.0, 0.5, -1.0], [1.0, 1.0, 3.0]]] {
            let found = regression(&known(&mixing)).unwrap();
            assert!((found.total - 7.0).abs() < 1e-5, "{}", found.total);
            let gains: Vec<_> = found.gains.iter().map(|gain| (gain * 1e4).round() / 1e4).collect();
            assert_eq!(gains, [4.5, 0.5]);
        }
    }

    #[test]
    fn what_would_keep_a_run_waiting_is_left_out() {
        let shape = Shape { batch: 2, sequence: 1, inputs: 2_048, outputs: 1 };
        assert!(regression(&custom(shape, vec![1.0; 4_096], vec![1.0, 2.0], None, None).unwrap()).is_none());
    }
}
