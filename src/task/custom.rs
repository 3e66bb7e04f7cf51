//! The task whose arrays come from the JavaScript API: one linear layer, one batch, mean squared error.
//! Knows nothing of JavaScript.

use super::{BaseLayer, LossKind, Network, Probe, Targets, TaskData};
use crate::error::{Error, Result};

/// Sizes of the arrays, all at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sequences.
    pub batch: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// `x [batch, sequence, inputs]`, `y [batch, sequence, outputs]`, `weight [outputs, inputs]`, `bias [outputs]`, all
/// row-major; an absent weight or bias is zero. The whole of `x` is every step's batch.
///
/// # Errors
/// `Error::Data` naming the size that is 0, the array that does not fit the shape, or the value that is not finite.
pub fn custom(
    shape: Shape,
    x: Vec<f32>,
    y: Vec<f32>,
    weight: Option<Vec<f32>>,
    bias: Option<Vec<f32>>,
) -> Result<TaskData> {
    let Shape { batch, sequence, inputs, outputs } = shape;
    for (what, size) in [("batch", batch), ("sequence", sequence), ("in", inputs), ("out", outputs)] {
        if size == 0 {
            return Err(Error::Data { what: format!("shape.{what}"), expected: "at least 1".into(), got: "0".into() });
        }
    }
    let rows = product(batch, sequence)?;
    check("x", &x, rows, inputs)?;
    check("y", &y, rows, outputs)?;
    let weight = match weight {
        Some(weight) => check("baseWeight", &weight, outputs, inputs).map(|()| weight)?,
        None => vec![0.0; product(outputs, inputs)?],
    };
    let bias = match bias {
        Some(bias) => check("baseBias", &bias, outputs, 1).map(|()| bias)?,
        None => vec![0.0; outputs],
    };
    let row_domains = vec![0; rows];
    Ok(TaskData {
        network: Network::stack(&[inputs, outputs]),
        loss: LossKind::Mse,
        batch_sequences: batch,
        sequence,
        batches: 1,
        spare: 0,
        probe: Probe { sequence, x: x.clone(), y: Targets::Dense(y.clone()), row_domains: row_domains.clone() },
        x,
        y: Targets::Dense(y),
        row_domains,
        base: vec![BaseLayer { weight: weight.into(), bias }],
        tensors: Vec::new(),
        domain_names: vec!["data".into()],
        // Nothing is known of the target beyond the arrays: losses are shown as they are.
        energy: 1.0,
        pool_energy: 1.0,
        soft: None,
        noise_variance: 0.0,
        true_rank: None,
        teacher: None,
        mixed: false,
    })
}

fn product(a: usize, b: usize) -> Result<usize> {
    a.checked_mul(b).ok_or_else(|| Error::Data {
        what: "shape".into(),
        expected: "sizes whose product can be stored".into(),
        got: format!("{a} × {b}"),
    })
}

fn check(what: &str, values: &[f32], rows: usize, cols: usize) -> Result<()> {
    let expected = product(rows, cols)?;
    if values.len() != expected {
        return Err(Error::Data {
            what: what.into(),
            expected: format!("{rows} × {cols} = {expected} values"),
            got: values.len().to_string(),
        });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(Error::Data {
            what: format!("{what}[{index}]"),
            expected: "a finite number".into(),
            got: values[index].to_string(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { batch: 2, sequence: 3, inputs: 4, outputs: 5 };

    #[test]
    fn absent_base_is_zero() {
        let task = custom(SHAPE, vec![1.0; 24], vec![2.0; 30], None, None).unwrap();
        assert_eq!((task.rows(), task.batch_rows()), (6, 6));
        assert_eq!(*task.base[0].weight, [0.0; 20]);
        assert_eq!(task.base[0].bias, [0.0; 5]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |x: Vec<f32>, weight| custom(SHAPE, x, vec![0.0; 30], weight, None).unwrap_err().to_string();
        assert!(message(vec![0.0; 23], None).contains("x: expected 6 × 4 = 24 values, got 23"));
        assert!(message(vec![0.0; 24], Some(vec![0.0; 4])).contains("baseWeight"));
        let mut x = vec![0.0; 24];
        x[7] = f32::NAN;
        assert!(message(x, None).contains("x[7]"));
        let empty = Shape { batch: 0, ..SHAPE };
        let error = custom(empty, vec![], vec![], None, None).unwrap_err();
        assert!(error.to_string().contains("shape.batch"));
    }
}
